package load

import (
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// section is the part of a configuration that falls back as a whole: a key of
// the top level, or one below rancher.
func section(path string) string {
	path, _, _ = strings.Cut(path, "[")
	parts := strings.SplitN(path, ".", 3)
	if parts[0] == "rancher" && len(parts) > 1 {
		return parts[0] + "." + parts[1]
	}
	return parts[0]
}

// pick returns a document with a section alone, nil when it does not have it.
func pick(doc *osconfig.Node, section string) *osconfig.Node {
	top, below, nested := strings.Cut(section, ".")
	value := doc.Child(top)
	if value == nil {
		return nil
	}
	if nested {
		if value = pick(value, below); value == nil {
			return nil
		}
	}
	return osconfig.NewMap(doc.Pos, osconfig.Entry{Key: top, KeyPos: value.Pos, Value: value})
}

// drop returns a document without a section.
func drop(doc *osconfig.Node, section string) *osconfig.Node {
	if doc == nil || doc.Kind != osconfig.Map {
		return doc
	}
	top, below, nested := strings.Cut(section, ".")
	out := *doc
	out.Map = nil
	for _, e := range doc.Map {
		switch {
		case e.Key != top:
		case nested:
			e.Value = drop(e.Value, below)
		default:
			continue
		}
		out.Map = append(out.Map, e)
	}
	return &out
}
