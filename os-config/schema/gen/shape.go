package main

import (
	"reflect"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// shape is the tree of keys: the types of osconfig, with what its source says.
type shape struct {
	src      *source
	sections []section // in the order of their first appearance
	legacy   map[string][]note
}

// section is a struct type that is decoded key by key.
type section struct {
	typ  reflect.Type
	path string // pattern path of its first appearance; "" is the top
	keys []key
}

// key is one key of a section.
type key struct {
	name    string
	typ     reflect.Type
	comment string
	bounds  *bounds
	about   osconfig.About
}

// note is a key of a section that only others know.
type note struct{ name, text string }

func newShape(src *source) *shape {
	s := &shape{src: src, legacy: map[string][]note{}}
	s.walk(reflect.TypeFor[osconfig.Config](), "")
	for _, at := range s.sections {
		for _, c := range src.cases {
			s.addLegacy(join(at.path, c))
		}
	}
	for _, notes := range s.legacy {
		slices.SortFunc(notes, func(a, b note) int { return strings.Compare(a.name, b.name) })
	}
	return s
}

// addLegacy notes a key that only others know, if that is what pattern is. A
// key in a section that is none of ours has the note of its section.
func (s *shape) addLegacy(pattern string) {
	about := osconfig.AboutKey(pattern)
	parent, last := "", pattern
	if i := strings.LastIndexByte(pattern, '.'); i >= 0 {
		parent, last = pattern[:i], pattern[i+1:]
	}
	at := s.at(parent)
	if about.Legacy == "" || at == nil || at.has(last) || last == "*" {
		return
	}
	n := note{last, about.Legacy}
	if known := s.legacy[at.typ.Name()]; !slices.Contains(known, n) {
		s.legacy[at.typ.Name()] = append(known, n)
	}
}

// walk lists the sections below t, each type once.
func (s *shape) walk(t reflect.Type, path string) {
	switch t.Kind() {
	case reflect.Pointer:
		s.walk(t.Elem(), path)
	case reflect.Slice:
		s.walk(t.Elem(), path+"[]")
	case reflect.Map:
		s.walk(t.Elem(), path+".*")
	case reflect.Struct:
		if s.named(t) != nil || !isSection(t) {
			return
		}
		at := section{typ: t, path: path}
		for i := range t.NumField() {
			f := t.Field(i)
			name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name == "" || name == "-" || option == "internal" {
				continue
			}
			pattern := strings.TrimPrefix(path+"."+name, ".")
			k := key{
				name: name, typ: f.Type, comment: s.src.fields[t.Name()+"."+f.Name],
				about: osconfig.AboutKey(pattern),
			}
			if b, ok := s.src.bounds[pattern]; ok {
				k.bounds = &b
			}
			at.keys = append(at.keys, k)
		}
		s.sections = append(s.sections, at)
		for _, k := range at.keys {
			s.walk(k.typ, strings.TrimPrefix(path+"."+k.name, "."))
		}
	}
}

// isSection says whether a struct is written key by key.
func isSection(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[osconfig.Command](), reflect.TypeFor[osconfig.Mount](), reflect.TypeFor[osconfig.Any]():
		return false
	}
	return true
}

func (s *shape) named(t reflect.Type) *section {
	for i := range s.sections {
		if s.sections[i].typ == t {
			return &s.sections[i]
		}
	}
	return nil
}

func (s *shape) at(path string) *section {
	for i := range s.sections {
		if s.sections[i].path == path {
			return &s.sections[i]
		}
	}
	return nil
}

func (s section) has(name string) bool {
	for _, k := range s.keys {
		if k.name == name {
			return true
		}
	}
	return false
}
