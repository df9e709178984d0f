package osconfig

import (
	"fmt"
	"net"
	"reflect"
	"strings"
)

// canonical gives a document the one form that merging and decoding know:
// keys in the spelling of Config (CoreOS writes primary-group), and values
// that can be written in short in their long form. It changes no values and
// keeps positions; what it does not understand stays for Decode to report. A
// canonical document stays as it is.
func canonical(root *Node) (*Node, Report) {
	c := canonicalizer{shape: shape{}}
	root = c.value(root, reflect.TypeFor[Config](), place{})
	return withHostname(root), c.report
}

// withHostname takes the host name from fqdn where a document has that alone.
// It must stand there before merging, or a weaker layer's name would win.
func withHostname(root *Node) *Node {
	full := root.Child("fqdn")
	if full.IsNull() || !full.Scalar() || !root.Child("hostname").IsNull() || len(fullName(full)) > 0 || full.Text == "" {
		return root
	}
	first, _, _ := strings.Cut(full.Text, ".")
	if hostname(first) != "" {
		return root
	}
	out := *root
	out.Map = nil
	for _, e := range root.Map {
		if e.Key == "hostname" {
			continue
		}
		out.Map = append(out.Map, e)
		if e.Key == "fqdn" {
			out.Map = append(out.Map, Entry{Key: "hostname", KeyPos: e.KeyPos, Value: NewString(full.Pos, first)})
		}
	}
	return &out
}

type canonicalizer struct {
	shape  shape
	report Report
}

func (c *canonicalizer) value(n *Node, t reflect.Type, at place) *Node {
	if n.IsNull() {
		return n
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	n = longForm(n, at.pattern)
	switch {
	case isSection(t) && n.Kind == Map:
		return c.section(n, t, at)
	case t.Kind() == reflect.Map && n.Kind == Map:
		out := *n
		out.Map = make([]Entry, len(n.Map))
		for i, e := range n.Map {
			e.Value = c.value(e.Value, t.Elem(), at.any(e.Key))
			out.Map[i] = e
		}
		if at.pattern == interfacesPath {
			oneSpelling(out.Map)
		}
		return &out
	case t.Kind() == reflect.Slice && n.Kind == List:
		out := *n
		out.List = make([]*Node, len(n.List))
		for i, item := range n.List {
			out.List[i] = c.value(item, t.Elem(), at.item(i))
		}
		return &out
	}
	return n
}

func (c *canonicalizer) section(n *Node, t reflect.Type, at place) *Node {
	out := *n
	out.Map = make([]Entry, 0, len(n.Map))
	known := c.shape.of(t)
	for _, e := range n.Map {
		name := spelling(known, at, e.Key)
		if name != e.Key && n.Child(name) != nil {
			c.report = append(c.report, problemAt(e.KeyPos, Warning, Conflict, at.key(e.Key).path,
				fmt.Sprintf("%s is set too and wins", name)))
			continue
		}
		e.Key = name
		if f, ok := known.named(name); ok {
			e.Value = c.value(e.Value, f.typ, at.key(name))
		}
		out.Map = append(out.Map, e)
	}
	return &out
}

// spelling is the key of a section that is meant by one with hyphens, or by
// an older name.
func spelling(known *section, at place, key string) string {
	if _, ok := known.named(key); ok {
		return key
	}
	if at.pattern == "users[]" && (key == "lock_password" || key == "lock-password") {
		return "lock_passwd"
	}
	if other := strings.ReplaceAll(key, "-", "_"); other != key {
		if _, ok := known.named(other); ok {
			return other
		}
	}
	return key
}

// linkKey is a key of interfaces, with a MAC address as metadata spells it.
func linkKey(key string) string {
	text, ok := strings.CutPrefix(key, "mac=")
	if !ok {
		return key
	}
	if mac, err := net.ParseMAC(text); err == nil {
		return "mac=" + mac.String()
	}
	return "mac=" + strings.ToLower(text) // with a wildcard
}

// oneSpelling gives keys of interfaces the one spelling by which entries of
// several layers are about one link. Two keys of one mapping do not become
// one: they are reported later.
func oneSpelling(entries []Entry) {
	count := map[string]int{}
	for _, e := range entries {
		count[linkKey(e.Key)]++
	}
	for i, e := range entries {
		if key := linkKey(e.Key); count[key] == 1 {
			entries[i].Key = key
		}
	}
}

// longForm writes out what may be written in short at a pattern path.
func longForm(n *Node, pattern string) *Node {
	named := func(n *Node, more ...Entry) *Node {
		return NewMap(n.Pos, append([]Entry{{Key: "name", KeyPos: n.Pos, Value: n}}, more...)...)
	}
	switch pattern {
	case "users", "groups":
		switch {
		case n.Kind == String:
			return NewList(n.Pos, words(n)...)
		case pattern == "groups" && n.Kind == Map:
			return NewList(n.Pos, members(n)...)
		case pattern == "groups" && n.Kind == List:
			out := *n
			out.List = nil
			for _, item := range n.List {
				if item.Kind == Map && item.Child("name") == nil {
					out.List = append(out.List, members(item)...)
				} else {
					out.List = append(out.List, item)
				}
			}
			return &out
		}
	case "users[]", "groups[]":
		if n.Scalar() {
			return named(n)
		}
	case "mount_default_fields":
		if n.Kind == List {
			return defaultFields(n)
		}
	case "ssh_pwauth": // cloud-init's way to say nothing
		if n.Kind == String && n.Text == "unchanged" {
			return &Node{Kind: Null, Pos: n.Pos}
		}
	case "chpasswd.list":
		if n.Scalar() {
			return linesOf(n)
		}
	case "users[].groups", "groups[].members":
		if n.Scalar() {
			return NewList(n.Pos, words(n)...)
		}
	case "users[].sudo":
		if n.Kind == Bool && strings.EqualFold(n.Text, "false") {
			return &Node{Kind: Null, Pos: n.Pos}
		}
	case interfacesPath + ".*.members[]", interfacesPath + ".*.link":
		if n.Kind == String && linkKey(n.Text) != n.Text {
			out := *n
			out.Text = linkKey(n.Text)
			return &out
		}
	case "rancher.services.*.ulimits.*":
		if n.Scalar() {
			return NewMap(n.Pos, Entry{Key: "soft", KeyPos: n.Pos, Value: n}, Entry{Key: "hard", KeyPos: n.Pos, Value: n})
		}
	}
	return n
}

// defaultFields makes six fields of mount_default_fields. Nothing may stand as
// null or, from cloud-init's manual, as None; four are the last ones.
func defaultFields(n *Node) *Node {
	out := *n
	out.List = nil
	if len(n.List) == 4 {
		out.List = append(out.List, NewString(n.Pos, ""), NewString(n.Pos, ""))
	}
	for _, item := range n.List {
		if item.IsNull() || item.Text == "None" {
			item = NewString(item.Pos, "")
		}
		out.List = append(out.List, item)
	}
	return &out
}

// words splits a text at commas.
func words(n *Node) []*Node {
	var out []*Node
	for w := range strings.SplitSeq(n.Text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			item := *n
			item.Text = w
			out = append(out, &item)
		}
	}
	return out
}

// members makes groups of a mapping of names to members.
func members(n *Node) []*Node {
	var out []*Node
	for _, e := range n.Map {
		name := &Node{Kind: String, Text: e.Key, Pos: e.KeyPos}
		out = append(out, NewMap(e.KeyPos,
			Entry{Key: "name", KeyPos: e.KeyPos, Value: name}, Entry{Key: "members", KeyPos: e.KeyPos, Value: e.Value}))
	}
	return out
}
