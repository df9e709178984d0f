package cloudconfig

import (
	"fmt"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// tree reads a part that must be of one kind; nil when it is empty, or refused.
func (r *run) tree(p part, kind osconfig.Kind, must string) *osconfig.Node {
	doc, report := osconfig.ParseTree(r.name, p.file, p.data)
	r.add(p, report)
	switch {
	case doc.IsNull():
		return nil
	case doc.Kind != kind:
		r.refuse(p, "%s", must)
		return nil
	}
	return doc
}

// compose makes rancher.services of a compose file: version 1, whose keys are
// the services, or a later one with a key services.
func (r *run) compose(p part) {
	doc := r.tree(p, osconfig.Map, "a compose file must be a mapping (key: value)")
	if doc == nil {
		return
	}
	shift(doc, p)
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
	doc := r.tree(p, osconfig.List, "a cloud-config archive must be a list (- type: …)")
	if doc == nil {
		return
	}
	for _, entry := range doc.List {
		here := p
		here.depth++
		if entry.Pos.Line > 0 {
			here.line, here.col = p.line+entry.Pos.Line-1, p.col+entry.Pos.Col-1
		}
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
		if content.Block > 0 {
			here.line, here.col = p.line+content.Pos.Line, p.col+content.Block-1
		} else { // its lines are not those of the file
			here.file, here.line, here.col = fmt.Sprintf("%s/part-%d", p.file, r.parts), 0, 0
		}
		r.read(here)
	}
}
