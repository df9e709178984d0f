package edit

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// deepest bounds how far into the document a change is written in place.
const deepest = 12

// patch writes want over old, whose text it is given. It changes the text
// where the values differ, first as deep inside as it can; the result counts
// only when it reads back as want, so what this file does not understand of
// YAML costs comments, never values. When nothing smaller works, the document
// is written anew below its first comment.
func patch(data []byte, file string, old, want *osconfig.Node) ([]byte, error) {
	text := plainText(data)
	tried := ""
	for depth := deepest; depth > 0; depth-- {
		out, ok := text+osconfig.FormatYAML(want), true
		if len(old.Map) > 0 {
			p := newPatcher(text)
			if ok = p.mapping(old, want, depth, p.last(old)); ok {
				out, ok = p.result()
			}
		}
		if !ok || out == tried {
			continue
		}
		tried = out
		if readsAs(out, file, want) {
			return []byte(out), nil
		}
	}
	out := heading(text)
	if len(want.Map) > 0 {
		out += osconfig.FormatYAML(want)
	}
	if !readsAs(out, file, want) {
		return nil, errors.New("the change cannot be written as YAML; edit the file")
	}
	return []byte(out), nil
}

func readsAs(text, file string, want *osconfig.Node) bool {
	layer, _ := osconfig.Parse("", file, []byte(text))
	return layer.Doc != nil && same(own(layer.Doc), want)
}

// plainText is the text as positions count it, with a newline at its end.
func plainText(data []byte) string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	if strings.TrimSpace(text) == "" {
		return "#cloud-config\n"
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// heading is the comment at the beginning of the text.
func heading(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
			break
		}
		b.WriteString(line)
	}
	if b.Len() == 0 {
		return "#cloud-config\n"
	}
	return b.String()
}

// splice is one change of the text: the bytes from one offset to another.
type splice struct {
	from, to int
	text     string
}

type patcher struct {
	lines   []string // with their newlines; the last one is empty
	starts  []int    // offset of each line
	splices []splice
}

func newPatcher(text string) *patcher {
	p := &patcher{lines: strings.SplitAfter(text, "\n")}
	at := 0
	for _, l := range p.lines {
		p.starts = append(p.starts, at)
		at += len(l)
	}
	return p
}

// replace notes that what stands from a place on to the end of a line, with
// its newline, gives way to text.
func (p *patcher) replace(line, col, toLine int, text string) {
	p.splices = append(p.splices, splice{p.starts[line] + col, p.starts[toLine] + len(p.lines[toLine]), text})
}

// insert notes text that comes behind a line.
func (p *patcher) insert(after int, text string) {
	if text != "" {
		at := p.starts[after] + len(p.lines[after])
		p.splices = append(p.splices, splice{at, at, text})
	}
}

// result carries the splices out; false when they are in each other's way.
// What is inserted at one place comes in the order in which it was noted: the
// inner mapping's before the outer one's.
func (p *patcher) result() (string, bool) {
	slices.SortStableFunc(p.splices, func(a, b splice) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	text := strings.Join(p.lines, "")
	var out strings.Builder
	at := 0
	for _, s := range p.splices {
		if s.from < at {
			return "", false
		}
		out.WriteString(text[at:s.from] + s.text)
		at = s.to
	}
	out.WriteString(text[at:])
	return out.String(), true
}

// last is the last line of the document: before its end marker, if it has one.
func (p *patcher) last(root *osconfig.Node) int {
	for i := root.Pos.Line; i < len(p.lines); i++ {
		if strings.HasPrefix(p.lines[i], "...") || strings.HasPrefix(p.lines[i], "---") {
			return i - 1
		}
	}
	return len(p.lines) - 1
}

// at finds a position in the text; columns of positions count runes.
func (p *patcher) at(pos osconfig.Pos) (line, col int, ok bool) {
	line = pos.Line - 1
	if line < 0 || line >= len(p.lines) || pos.Col < 1 {
		return 0, 0, false
	}
	left := pos.Col - 1
	for i := range p.lines[line] {
		if left == 0 {
			return line, i, true
		}
		left--
	}
	return line, len(p.lines[line]), left == 0
}

// shrink takes blank lines and comments off the end of an entry whose key
// stands at col: they belong to what follows.
func (p *patcher) shrink(from, to, col int) int {
	for to > from {
		t := strings.TrimLeft(p.lines[to], " ")
		indent := len(p.lines[to]) - len(t)
		if s := strings.TrimSpace(t); s != "" && (s[0] != '#' || indent > col) {
			break
		}
		to--
	}
	return to
}

// extent is the lines and the column of one entry of a block.
type extent struct{ from, to, col int }

// extents are the entries of a block mapping or list whose marks stand at
// these positions; false when they do not stand in one column, in order.
func (p *patcher) extents(marks []osconfig.Pos, last int) ([]extent, bool) {
	var out []extent
	for i, pos := range marks {
		line, col, ok := p.at(pos)
		if !ok || i > 0 && (col != out[0].col || line <= out[i-1].from) || line > last {
			return nil, false
		}
		if before := strings.Trim(p.lines[line][:col], " -"); before != "" {
			return nil, false
		}
		out = append(out, extent{line, last, col})
		if i > 0 {
			out[i-1].to = line - 1
		}
	}
	for i, e := range out {
		out[i].to = p.shrink(e.from, e.to, e.col)
	}
	return out, true
}

// mapping brings the text of a block mapping in line; false when it cannot.
func (p *patcher) mapping(old, want *osconfig.Node, depth, last int) bool {
	marks := make([]osconfig.Pos, len(old.Map))
	for i, e := range old.Map {
		marks[i] = e.KeyPos
	}
	ext, ok := p.extents(marks, last)
	if !ok || len(ext) == 0 || p.flow(ext[0].from, ext[0].col) {
		return false
	}
	for i, e := range old.Map {
		w := want.Child(e.Key)
		switch {
		case !has(want, e.Key):
			if strings.TrimSpace(p.lines[ext[i].from][:ext[i].col]) != "" {
				return false // the first key of an item stands behind its dash
			}
			p.replace(ext[i].from, 0, ext[i].to, "")
		case same(e.Value, w):
		case depth > 1 && p.inside(e.Value, w, depth-1, ext[i].to):
		default:
			p.replace(ext[i].from, ext[i].col, ext[i].to, entry(e.Key, w, ext[i].col))
		}
	}
	end := ext[len(ext)-1]
	var added strings.Builder
	for _, e := range want.Map {
		if !has(old, e.Key) {
			added.WriteString(strings.Repeat(" ", end.col) + entry(e.Key, e.Value, end.col))
		}
	}
	p.insert(end.to, added.String())
	return true
}

func has(n *osconfig.Node, key string) bool {
	return slices.ContainsFunc(n.Map, func(e osconfig.Entry) bool { return e.Key == key })
}

// flow reports that a mapping stands in braces.
func (p *patcher) flow(line, col int) bool {
	return strings.HasPrefix(p.lines[line][col:], "{")
}

// inside changes a value in its place; what it had begun is forgotten when it
// cannot.
func (p *patcher) inside(old, want *osconfig.Node, depth, last int) bool {
	if old.IsNull() || want.IsNull() {
		return false
	}
	mark := len(p.splices)
	ok := false
	switch {
	case old.Kind == osconfig.Map && want.Kind == osconfig.Map && len(old.Map) > 0 && len(want.Map) > 0:
		ok = p.mapping(old, want, depth, last)
	case old.Kind == osconfig.List && want.Kind == osconfig.List && len(old.List) > 0 && len(want.List) > 0:
		ok = p.list(old, want, depth, last)
	case old.Scalar() && want.Scalar() && !strings.Contains(want.Text, "\n"):
		ok = p.scalar(old, want)
	}
	if !ok {
		p.splices = p.splices[:mark]
		ok = p.values(old, want)
	}
	if !ok {
		p.splices = p.splices[:mark]
	}
	return ok
}

// entry is "key: value" as lines; all but the first are indented.
func entry(key string, value *osconfig.Node, indent int) string {
	return indented(osconfig.FormatYAML(osconfig.NewMap(osconfig.Pos{}, osconfig.Entry{Key: key, Value: value})), indent)
}

func indented(text string, indent int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if b.Len() > 0 && line != "\n" {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(line)
	}
	return b.String()
}
