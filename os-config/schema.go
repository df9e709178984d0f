package osconfig

import (
	"reflect"
	"strings"
	"sync"
)

// The shape of a configuration is that of the type Config and its sections:
// the yaml tags are the keys. What types cannot say stands in rules.go, what
// is not carried out (yet) in legacy.go. A new key is a new field, and a rule
// when its value can be wrong.

// field is one key of a section. An internal one stands in documents that we
// make, never in a text.
type field struct {
	name     string
	index    int
	typ      reflect.Type
	internal bool
}

// section is what a type says about the keys of a section.
type section struct {
	fields []field // that people may write
	byName map[string]field
}

func (s *section) named(name string) (field, bool) {
	f, ok := s.byName[name]
	return f, ok
}

// shape remembers the sections that it was asked for: reading tags again for
// every key took most of the time of a large file.
type shape map[reflect.Type]*section

func (s shape) of(t reflect.Type) *section {
	if known := s[t]; known != nil {
		return known
	}
	out := &section{byName: map[string]field{}}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, index: i, typ: t.Field(i).Type, internal: options == "internal"}
		out.byName[name] = f
		if !f.internal {
			out.fields = append(out.fields, f)
		}
	}
	s[t] = out
	return out
}

// fieldsOf lists the keys of a section that people may write.
func fieldsOf(t reflect.Type) []field { return shape{}.of(t).fields }

func fieldNamed(t reflect.Type, name string) (field, bool) { return shape{}.of(t).named(name) }

// isSection says whether a type is decoded key by key. Some structs are
// written in another way.
func isSection(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Command](), reflect.TypeFor[Mount](), reflect.TypeFor[Any]():
		return false
	}
	return t.Kind() == reflect.Struct
}

// allPaths lists every key of the schema as a pattern path: "*" stands for
// the keys of free mappings, "[]" for list items. It is made once: a file may
// have thousands of unknown keys, each of which is looked up in it.
var allPaths = sync.OnceValue(listPaths)

func listPaths() []string {
	var out []string
	var walk func(t reflect.Type, at string)
	walk = func(t reflect.Type, at string) {
		switch {
		case isSection(t):
			for _, f := range fieldsOf(t) {
				p := join(at, f.name)
				out = append(out, p)
				walk(f.typ, p)
			}
		case t.Kind() == reflect.Map:
			walk(t.Elem(), join(at, "*"))
		case t.Kind() == reflect.Slice:
			walk(t.Elem(), at+"[]")
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// SplitPath splits a dotted path into keys. It knows the schema: below a free
// mapping a key may hold dots itself (rancher.sysctl.net.ipv4.ip_forward,
// rancher.network.interfaces.eth0.100.mtu).
func SplitPath(path string) []string {
	segments := strings.Split(path, ".")
	return splitBy(reflect.TypeFor[Config](), segments)
}

func splitBy(t reflect.Type, segments []string) []string {
	if len(segments) == 0 {
		return nil
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return segments
	case isSection(t):
		f, _ := fieldNamed(t, segments[0])
		return append([]string{segments[0]}, splitBy(f.typ, segments[1:])...)
	case t.Kind() == reflect.Map && isSection(t.Elem()):
		for n := 1; n < len(segments); n++ {
			if knownIn(t.Elem(), segments[n]) {
				return append([]string{dotted(segments[:n])}, splitBy(t.Elem(), segments[n:])...)
			}
		}
		// No known key follows. A last segment that looks like a word is one
		// that is unknown, a number (eth0.100) belongs to the name.
		last := segments[len(segments)-1]
		if len(segments) > 1 && strings.Trim(last, "0123456789") != "" {
			return []string{dotted(segments[:len(segments)-1]), last}
		}
		return []string{dotted(segments)}
	case t.Kind() == reflect.Map:
		return []string{dotted(segments)}
	}
	return segments
}

func dotted(segments []string) string { return strings.Join(segments, ".") }

func knownIn(t reflect.Type, key string) bool {
	if _, ok := fieldNamed(t, key); ok {
		return true
	}
	return t == reflect.TypeFor[Interface]() && legacyNote("rancher.network.interfaces.*."+key) != ""
}
