package edit

import (
	"fmt"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// mostNamed is how many keys a summary names before it counts.
const mostNamed = 4

// Summary says in one line which keys differ between two documents. It never
// says values: they may be secret.
func Summary(before, after *osconfig.Node) string {
	var added, changed, gone []string
	compare(before, after, "", &added, &changed, &gone)
	var parts []string
	for _, p := range []struct {
		verb string
		keys []string
	}{{"set", added}, {"changed", changed}, {"unset", gone}} {
		if len(p.keys) == 0 {
			continue
		}
		slices.Sort(p.keys)
		text := strings.Join(p.keys[:min(mostNamed, len(p.keys))], ", ")
		if n := len(p.keys) - mostNamed; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		parts = append(parts, p.verb+" "+text)
	}
	if len(parts) == 0 {
		return "no change"
	}
	return strings.Join(parts, "; ")
}

func compare(a, b *osconfig.Node, at string, added, changed, gone *[]string) {
	switch {
	case same(a, b):
	case a.IsNull():
		*added = append(*added, at)
	case b.IsNull():
		*gone = append(*gone, at)
	case a.Kind == osconfig.Map && b.Kind == osconfig.Map:
		for _, e := range a.Map {
			compare(e.Value, b.Child(e.Key), below(at, e.Key), added, changed, gone)
		}
		for _, e := range b.Map {
			if !has(a, e.Key) {
				compare(nil, e.Value, below(at, e.Key), added, changed, gone)
			}
		}
	default:
		*changed = append(*changed, at)
	}
}

func below(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}
