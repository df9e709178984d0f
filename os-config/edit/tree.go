package edit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Nodes are shared and never changed: each of these makes new ones along the
// way to the place of the change.

// find follows keys; nil when there is nothing.
func find(n *osconfig.Node, keys []string) *osconfig.Node {
	for _, k := range keys {
		switch {
		case n.IsNull():
			return nil
		case n.Kind == osconfig.List:
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(n.List) {
				return nil
			}
			n = n.List[i]
		default:
			n = n.Child(k)
		}
	}
	return n
}

func set(n *osconfig.Node, keys []string, value *osconfig.Node, at string) (*osconfig.Node, error) {
	if len(keys) == 0 {
		return value, nil
	}
	key, here := keys[0], strings.TrimPrefix(at+"."+keys[0], ".")
	if n.IsNull() {
		n = &osconfig.Node{Kind: osconfig.Map}
	}
	out := *n
	switch n.Kind {
	case osconfig.Map:
		i := slices.IndexFunc(n.Map, func(e osconfig.Entry) bool { return e.Key == key })
		e := osconfig.Entry{Key: key}
		if i >= 0 {
			e = n.Map[i]
		}
		v, err := set(e.Value, keys[1:], value, here)
		if err != nil {
			return nil, err
		}
		e.Value = v
		out.Map = slices.Clone(n.Map)
		if i >= 0 {
			out.Map[i] = e
		} else {
			out.Map = append(out.Map, e)
		}
	case osconfig.List:
		i, err := strconv.Atoi(key)
		if err != nil {
			return nil, fmt.Errorf("%s is a list: its items are %s[0], %s[1], …", at, at, at)
		}
		if i < 0 || i >= len(n.List) {
			return nil, fmt.Errorf("%s has %d items, no item %d; append adds one", at, len(n.List), i)
		}
		v, err := set(n.List[i], keys[1:], value, here)
		if err != nil {
			return nil, err
		}
		out.List = slices.Clone(n.List)
		out.List[i] = v
	default:
		return nil, fmt.Errorf("%s is a single value, which has no key %s; unset it first", at, key)
	}
	return &out, nil
}

// unset also takes away what it leaves empty; false when nothing is there.
func unset(n *osconfig.Node, keys []string) (*osconfig.Node, bool) {
	if n == nil || len(keys) == 0 {
		return n, false
	}
	out := *n
	switch n.Kind {
	case osconfig.Map:
		i := slices.IndexFunc(n.Map, func(e osconfig.Entry) bool { return e.Key == keys[0] })
		if i < 0 {
			return n, false
		}
		out.Map = slices.Clone(n.Map)
		if len(keys) > 1 {
			v, ok := unset(n.Map[i].Value, keys[1:])
			if !ok {
				return n, false
			}
			if out.Map[i].Value = v; len(v.Map)+len(v.List) > 0 {
				return &out, true
			}
		}
		out.Map = slices.Delete(out.Map, i, i+1)
		return &out, true
	case osconfig.List:
		i, err := strconv.Atoi(keys[0])
		if err != nil || i < 0 || i >= len(n.List) {
			return n, false
		}
		out.List = slices.Clone(n.List)
		if len(keys) > 1 {
			v, ok := unset(n.List[i], keys[1:])
			if !ok {
				return n, false
			}
			if out.List[i] = v; len(v.Map)+len(v.List) > 0 {
				return &out, true
			}
		}
		out.List = slices.Delete(out.List, i, i+1)
		return &out, true
	}
	return n, false
}

// asList makes a list of a single value; nothing is an empty list.
func asList(n *osconfig.Node) *osconfig.Node {
	switch {
	case n.IsNull():
		return osconfig.NewList(osconfig.Pos{})
	case n.Kind == osconfig.List:
		return n
	}
	return osconfig.NewList(osconfig.Pos{}, n)
}

func appended(list *osconfig.Node, items []*osconfig.Node) *osconfig.Node {
	out := *list
	out.List = slices.Clone(list.List)
	for _, item := range items {
		i := slices.IndexFunc(out.List, func(n *osconfig.Node) bool {
			return same(n, item) || identity(item) != "" && identity(n) == identity(item)
		})
		switch {
		case i < 0:
			out.List = append(out.List, item)
		case !same(out.List[i], item):
			out.List[i] = item
		}
	}
	return &out
}

// removed is a list without the items that what stands for, or a mapping
// without that key; false when there is none.
func removed(n *osconfig.Node, what string) (*osconfig.Node, bool) {
	out := *n
	switch n.Kind {
	case osconfig.Map:
		out.Map = slices.DeleteFunc(slices.Clone(n.Map), func(e osconfig.Entry) bool { return e.Key == what })
		return &out, len(out.Map) < len(n.Map)
	case osconfig.List:
		value, err := Value(what)
		if err != nil {
			value = osconfig.NewString(osconfig.Pos{}, what)
		}
		out.List = slices.DeleteFunc(slices.Clone(n.List), func(item *osconfig.Node) bool { return meant(item, value, what) })
		return &out, len(out.List) < len(n.List)
	}
	if meant(n, osconfig.NewString(osconfig.Pos{}, what), what) {
		return osconfig.NewList(n.Pos), true
	}
	return n, false
}

// Find returns the item of a list, or the value of a mapping's key, that
// Remove would take away; nil when there is none.
func Find(n *osconfig.Node, what string) *osconfig.Node {
	switch {
	case n.IsNull():
		return nil
	case n.Kind == osconfig.Map:
		return n.Child(what)
	}
	value, err := Value(what)
	if err != nil {
		value = osconfig.NewString(osconfig.Pos{}, what)
	}
	for _, item := range asList(n).List {
		if meant(item, value, what) {
			return item
		}
	}
	return nil
}

// Holds reports whether all items of a list are in another one.
func Holds(list, items *osconfig.Node) bool {
	for _, item := range asList(items).List {
		if !slices.ContainsFunc(asList(list).List, func(n *osconfig.Node) bool {
			return same(n, item) || identity(n) != "" && identity(n) == identity(item)
		}) {
			return false
		}
	}
	return true
}

// Lookup finds what stands at a key of a document, nil when nothing does.
func Lookup(doc *osconfig.Node, key string) *osconfig.Node {
	keys, _, err := canonicalKey(key, osconfig.NewString(osconfig.Pos{}, ""))
	if err != nil {
		return nil
	}
	return find(doc, keys)
}
