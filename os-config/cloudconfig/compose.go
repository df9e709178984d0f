package cloudconfig

import (
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// compose makes rancher.services of a compose file: version 1, whose keys are
// the services, or a later one with a key services.
func (r *run) compose(p part) {
	doc, report := osconfig.ParseTree(r.name, p.file, p.data)
	r.add(p, report)
	if doc.IsNull() {
		return
	}
	if doc.Kind != osconfig.Map {
		r.refuse(p, "a compose file must be a mapping (key: value)")
		return
	}
	shift(doc, p.line)
	services := doc
	if inner := doc.Child("services"); inner != nil && inner.Child("image") == nil && inner.Child("build") == nil {
		services = inner
		for _, e := range doc.Map {
			switch {
			case e.Key == "services", e.Key == "version", e.Key == "name", strings.HasPrefix(e.Key, "x-"), e.Value.IsNull():
			default:
				r.report = append(r.report, osconfig.Problem{
					Severity: osconfig.Warning, Kind: osconfig.Unsupported, Layer: r.name, File: p.file,
					Line: e.KeyPos.Line, Col: e.KeyPos.Col, Path: e.Key,
					Text: "not supported; it has no effect: only services of a compose file are used",
				})
			}
		}
	}
	wrap := func(key string, value *osconfig.Node) *osconfig.Node {
		return osconfig.NewMap(doc.Pos, osconfig.Entry{Key: key, KeyPos: doc.Pos, Value: value})
	}
	r.layers = append(r.layers, osconfig.NewLayer(r.name, p.file, wrap("rancher", wrap("services", services))))
}

// archive reads the entries of a #cloud-config-archive: {type, content}, or a
// text alone.
func (r *run) archive(p part) {
	doc, report := osconfig.ParseTree(r.name, p.file, p.data)
	r.add(p, report)
	if doc.IsNull() {
		return
	}
	if doc.Kind != osconfig.List {
		r.refuse(p, "a cloud-config archive must be a list (- type: …)")
		return
	}
	for _, entry := range doc.List {
		here := p
		here.depth++
		here.line = p.line + max(entry.Pos.Line-1, 0)
		content, kind := entry, ""
		if entry.Kind == osconfig.Map {
			content = entry.Child("content")
			if t := entry.Child("type"); !t.IsNull() {
				kind = t.Text
			}
		}
		if r.parts++; r.parts > maxParts {
			r.refuse(here, "more than %d parts; this one and the next are left out", maxParts)
			return
		}
		if content.IsNull() || content.Kind != osconfig.String {
			r.refuse(here, "an entry of an archive must have a text as its content")
			continue
		}
		here.kind, here.data = kind, []byte(content.Text)
		here.line = p.line + blockStart(p.data, content)
		r.read(here)
	}
}

// blockStart is how many lines of the file stand before the content: a block
// ("content: |") begins on the next line, any other text on its own.
func blockStart(data []byte, content *osconfig.Node) int {
	lines := strings.Split(string(data), "\n")
	at := content.Pos.Line - 1
	if at < 0 || at >= len(lines) {
		return max(at, 0)
	}
	head := strings.TrimSpace(lines[at])
	if i := strings.IndexAny(head, "|>"); i >= 0 && strings.Trim(head[i+1:], "+-0123456789 ") == "" {
		return at + 1
	}
	return at
}
