package cloudconfig

import (
	"fmt"
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
