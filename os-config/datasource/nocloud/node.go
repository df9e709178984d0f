package nocloud

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Helpers for nodes that this package itself has made; those of a document
// are shared and stay as they are.

func set(m *osconfig.Node, key string, value *osconfig.Node) {
	m.Map = append(m.Map, osconfig.Entry{Key: key, KeyPos: value.Pos, Value: value})
}

func setOnce(m *osconfig.Node, key string, value *osconfig.Node) {
	if m.Child(key) == nil {
		set(m, key, value)
	}
}

func add(m *osconfig.Node, key string, values ...*osconfig.Node) {
	if len(values) == 0 {
		return
	}
	list := m.Child(key)
	if list == nil {
		list = osconfig.NewList(values[0].Pos)
		set(m, key, list)
	}
	list.List = append(list.List, values...)
}

// sortEntries brings what came out of a Go map into a fixed order.
func sortEntries(m *osconfig.Node) {
	slices.SortFunc(m.Map, func(a, b osconfig.Entry) int { return cmp.Compare(a.Key, b.Key) })
}

// values are the items of a list, or a single value as one.
func values(n *osconfig.Node) []*osconfig.Node {
	switch {
	case n.IsNull():
		return nil
	case n.Kind == osconfig.List:
		return n.List
	}
	return []*osconfig.Node{n}
}

// words are the items of a list, or the words of a text, as texts.
func words(n *osconfig.Node) []*osconfig.Node {
	var out []*osconfig.Node
	for _, v := range values(n) {
		for w := range strings.FieldsSeq(text(v)) {
			out = append(out, osconfig.NewString(v.Pos, w))
		}
	}
	return out
}

// split is values, with a text of several words taken apart.
func split(n *osconfig.Node) []*osconfig.Node {
	var out []*osconfig.Node
	for _, v := range values(n) {
		if list := words(v); len(list) > 1 {
			out = append(out, list...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// text is a scalar's text, "" of everything else.
func text(n *osconfig.Node) string {
	if n.IsNull() || !n.Scalar() {
		return ""
	}
	return strings.TrimSpace(n.Text)
}

// truth makes a truth value of what YAML 1.1 takes for one; everything else
// stays for the validator to refuse.
func truth(n *osconfig.Node) *osconfig.Node {
	switch strings.ToLower(text(n)) {
	case "yes", "on", "true", "y", "1":
		return osconfig.ResolvePlain(n.Pos, "true")
	case "no", "off", "false", "n", "0":
		return osconfig.ResolvePlain(n.Pos, "false")
	}
	return n
}

func isTrue(n *osconfig.Node) bool { return n != nil && truth(n).Text == "true" }

func isFalse(n *osconfig.Node) bool { return n != nil && truth(n).Text == "false" }

func yes(n *osconfig.Node) *osconfig.Node { return osconfig.ResolvePlain(n.Pos, "true") }

// duration makes a plain number, in the given unit, of one that may have a
// suffix, as netplan takes it: 100, 100ms, 1s. Others stay for the validator.
func duration(n *osconfig.Node, unit time.Duration) *osconfig.Node {
	s := text(n)
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return osconfig.ResolvePlain(n.Pos, strconv.FormatInt(int64(d/unit), 10))
	}
	return n
}

func seconds(n *osconfig.Node) *osconfig.Node { return duration(n, time.Second) }
