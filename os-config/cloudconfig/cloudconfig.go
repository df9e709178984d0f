// Package cloudconfig owns the formats of user-data: it turns what a
// datasource or a file holds into layers. It is pure; it refuses to fetch
// anything itself: who wants #include followed brings a Fetcher.
package cloudconfig

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Bounds of what one user-data may hold; each part of it is bounded by
// osconfig.MaxSize.
const (
	maxTotal    = 4 << 20 // bytes of all parts and includes, unpacked
	maxParts    = 100     // parts and entries of archives, all together
	maxNested   = 8       // formats inside each other
	maxIncludes = 32      // URLs
	maxChain    = 3       // includes that include
)

// Fetcher reads what #include names. It may answer with a copy from before
// when the address does not. The URL begins with http:// or https://.
type Fetcher interface {
	Fetch(ctx context.Context, url string) ([]byte, error)
}

// Parser reads user-data.
type Parser struct {
	// Fetcher follows includes; nil leaves them out, with a warning.
	Fetcher Fetcher
}

// Parse reads user-data as a Parser without a Fetcher does.
func Parse(name, file string, data []byte) ([]osconfig.Layer, osconfig.Report) {
	return Parser{}.Parse(context.Background(), name, file, data)
}

// Parse reads user-data in any of these formats, also packed with gzip, and
// as a whole in base64:
//
//   - a cloud-config ("#cloud-config"), or any YAML or JSON mapping
//   - a script ("#!…")
//   - "#cloud-boothook", a script that runs before bootcmd
//   - "#include" and "#include-once", URLs of further user-data, one a line
//   - "#compose", a compose file, whose services become rancher.services
//   - "#cloud-config-archive", a list of {type, content}
//   - MIME multi-part
//
// No data makes no layers. Parts are layers of the same name; a later one
// wins. A problem of kind Syntax says that the whole cannot be used; a part
// that cannot is one of another kind, and the others count.
func (p Parser) Parse(ctx context.Context, name, file string, data []byte) ([]osconfig.Layer, osconfig.Report) {
	r := run{parser: p, ctx: ctx, name: name, left: maxTotal}
	if len(data) > osconfig.MaxSize {
		r.problem(part{file: file}, osconfig.Error, osconfig.Syntax, 1, osconfig.TooLarge())
		return nil, r.report
	}
	if plain, ok := base64Whole(data); ok {
		data = plain
	}
	r.read(part{file: file, data: data})
	return r.layers, r.report
}

// run is one call of Parse.
type run struct {
	parser         Parser
	ctx            context.Context
	name           string
	scripts, hooks int // so far
	parts, urls    int // so far
	left           int // bytes that may still come
	layers         []osconfig.Layer
	report         osconfig.Report
}

// part is one piece of user-data.
type part struct {
	file  string // for positions
	line  int    // lines of that file before it
	col   int    // columns before each of its lines
	kind  string // its content type; empty: its first line tells
	data  []byte
	depth int      // formats around it
	chain []string // URLs through which it came
}

// whole says that p is all of the user-data, which is then good or bad as one.
func (p part) whole() bool { return p.depth == 0 }

func (r *run) problem(p part, sev osconfig.Severity, kind osconfig.ProblemKind, line int, text string) {
	col := 0
	if line > 0 {
		line, col = line+p.line, 1+p.col
	}
	r.report = append(r.report, osconfig.Problem{
		Severity: sev, Kind: kind, Layer: r.name, File: p.file, Line: line, Col: col, Text: text,
	})
}

// refuse says why a part cannot be used.
func (r *run) refuse(p part, format string, args ...any) {
	kind := osconfig.Unsupported
	if p.whole() {
		kind = osconfig.Syntax
	}
	r.problem(p, osconfig.Error, kind, 1, fmt.Sprintf(format, args...))
}

// read takes in one piece, whatever its format is.
func (r *run) read(p part) {
	if p.depth > maxNested {
		r.refuse(p, "formats inside each other more than %d deep", maxNested)
		return
	}
	if r.left -= len(p.data); r.left < 0 {
		r.refuse(p, "more than %d bytes in all its parts", maxTotal)
		return
	}
	if isGzip(p.data) {
		unpacked, err := unzip(p.data)
		if err != nil {
			r.refuse(p, "gzip data that does not unpack: %v", err)
			return
		}
		p.data, p.line, p.col = unpacked, 0, 0
		if r.left -= len(unpacked); r.left < 0 || isGzip(unpacked) {
			r.refuse(p, "gzip data inside gzip data, or too much of it")
			return
		}
	}
	text := bytes.TrimPrefix(p.data, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	format, known := formatOf(p.kind)
	if !known {
		r.refuse(p, "content type %q is none that user-data has", p.kind)
		return
	}
	if format == "" {
		format = sniff(text)
	}
	r.format(p, format, text)
}

func (r *run) format(p part, format string, text []byte) {
	switch format {
	case "script":
		if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("#!")) {
			r.refuse(p, "a script whose first line is not #!INTERPRETER")
			return
		}
		if often, ok := strings.CutPrefix(p.kind, "text/x-shellscript-per-"); ok && often != "boot" {
			r.problem(p, osconfig.Warning, osconfig.Unsupported, 1,
				"it runs at every boot: "+p.kind+" is taken as text/x-shellscript; in runcmd or bootcmd, cloud-init-per runs a command once")
		}
		r.scripts++
		r.script(p, "scripts", scriptPath(scriptDir, r.name, r.scripts), text)
	case "boothook":
		r.hooks++
		r.script(p, "boothooks", scriptPath(hookDir, r.name, r.hooks), bootHook(text))
	case "include":
		r.include(p, text)
	case "archive":
		r.archive(p)
	case "compose":
		r.compose(p)
	case "mime":
		r.mime(p, text)
	case "config":
		r.config(p, text)
	default:
		r.refuse(p, "user-data is %s, which is not supported; write a cloud-config (first line #cloud-config) or a script (#!…)", format)
	}
}

// config is a cloud-config or any mapping.
func (r *run) config(p part, text []byte) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	first := strings.TrimSpace(string(line))
	layer, report := osconfig.Parse(r.name, p.file, p.data)
	if layer.Doc == nil {
		if utf8.Valid(p.data) && first != "#cloud-config" && !mappingLike(first) {
			r.refuse(p, "neither a cloud-config (first line #cloud-config) nor a script (#!…) nor a YAML mapping")
			return
		}
		r.add(p, report)
		return
	}
	switch {
	case layer.Doc.Child("ignition") != nil:
		r.refuse(p, "an Ignition config; write a cloud-config instead")
		return
	case layer.Doc.Child("variant") != nil && layer.Doc.Child("version") != nil:
		r.refuse(p, "a Butane config; write a cloud-config instead")
		return
	}
	shift(layer.Doc, p)
	r.add(p, report)
	r.layers = append(r.layers, layer)
}

// add takes over what another said about a part. A part that cannot be read
// does not make the whole unusable.
func (r *run) add(p part, report osconfig.Report) {
	for _, q := range report {
		if q.Line > 0 {
			q.Line, q.Col = q.Line+p.line, q.Col+p.col
		}
		if q.Kind == osconfig.Syntax && !p.whole() {
			q.Kind = osconfig.Value
			q.Text += "; this part is left out"
		}
		r.report = append(r.report, q)
	}
}

// mappingLike says whether a first line could be one of YAML, whose own
// problems then tell more.
func mappingLike(first string) bool {
	return strings.HasPrefix(first, "#") || strings.HasPrefix(first, "{") || strings.HasPrefix(first, "---") ||
		strings.Contains(first, ":")
}

// shift moves a fresh tree to where its part stands. A node that an alias put
// into several places is moved once.
func shift(root *osconfig.Node, p part) {
	if p.line == 0 && p.col == 0 {
		return
	}
	move := func(pos *osconfig.Pos) {
		if pos.Line > 0 {
			pos.Line, pos.Col = pos.Line+p.line, pos.Col+p.col
		}
	}
	seen := map[*osconfig.Node]bool{}
	var walk func(n *osconfig.Node)
	walk = func(n *osconfig.Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		move(&n.Pos)
		if n.Block > 0 {
			n.Block += p.col
		}
		for i := range n.Map {
			move(&n.Map[i].KeyPos)
			walk(n.Map[i].Value)
		}
		for _, item := range n.List {
			walk(item)
		}
	}
	walk(root)
}
