package osconfig

import (
	"fmt"
	"slices"
	"strings"
)

// The variables $public_ipv4, $private_ipv4, $public_ipv6 and $private_ipv6,
// also written ${public_ipv4}, stand for the machine's addresses as its cloud
// tells them. As in RancherOS they stand in every text of a configuration,
// the content of files and commands included; keys are left alone. A
// backslash before the dollar sign takes the meaning away and goes itself.
// Unlike in RancherOS a longer name ($public_ipv4_old) is another one.

// Variables lists the names, without the dollar sign.
func Variables() []string {
	return []string{"public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6"}
}

// Expand returns the document with the variables replaced by what vars has
// under their names. Those that vars does not have become empty: Unset tells
// which. Positions stay, and a document without variables stays as it is.
func Expand(doc *Node, vars map[string]string) *Node {
	return eachText(doc, func(s string) string { return expandText(s, vars, nil) })
}

// Unset reports the variables of a document that vars has no value for.
func Unset(doc *Node, vars map[string]string) Report {
	var out Report
	var walk func(n *Node, path string)
	walk = func(n *Node, path string) {
		if n == nil {
			return
		}
		if n.Kind == String && strings.ContainsRune(n.Text, '$') {
			expandText(n.Text, vars, func(name string) {
				out = append(out, problemAt(n.Pos, Warning, Value, path, fmt.Sprintf(
					"$%s is empty: the datasource tells no such address", name)))
			})
		}
		for _, e := range n.Map {
			walk(e.Value, join(path, e.Key))
		}
		for i, item := range n.List {
			walk(item, fmt.Sprintf("%s[%d]", path, i))
		}
	}
	walk(doc, "")
	return out.Sorted()
}

// eachText returns the tree with f applied to every text; parts in which
// nothing changes are shared with the old tree.
func eachText(n *Node, f func(string) string) *Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == String:
		text := f(n.Text)
		if text == n.Text {
			return n
		}
		out := *n
		out.Text = text
		return &out
	}
	var out *Node
	change := func() *Node {
		if out == nil {
			whole := *n
			whole.Map = append([]Entry(nil), n.Map...)
			whole.List = append([]*Node(nil), n.List...)
			out = &whole
		}
		return out
	}
	for i, e := range n.Map {
		if v := eachText(e.Value, f); v != e.Value {
			change().Map[i].Value = v
		}
	}
	for i, item := range n.List {
		if v := eachText(item, f); v != item {
			change().List[i] = v
		}
	}
	if out == nil {
		return n
	}
	return out
}

// expandText replaces the variables of one text and calls missing, when it is
// not nil, for each that vars does not have.
func expandText(s string, vars map[string]string, missing func(name string)) string {
	if !strings.Contains(s, "ipv") || !strings.ContainsRune(s, '$') {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		name, length := variableAt(s[i:])
		switch {
		case name == "":
			b.WriteString(s[:i+1])
			s = s[i+1:]
			continue
		case i > 0 && s[i-1] == '\\':
			b.WriteString(s[:i-1] + s[i:i+length])
		default:
			value := vars[name]
			if value == "" && missing != nil {
				missing(name)
			}
			b.WriteString(s[:i] + value)
		}
		s = s[i+length:]
	}
}

// variableAt finds the variable that a text begins with: its name, and how
// many bytes it takes.
func variableAt(s string) (name string, length int) {
	for _, v := range Variables() {
		if strings.HasPrefix(s, "${"+v+"}") {
			return v, len(v) + len("${}")
		}
		if rest, ok := strings.CutPrefix(s, "$"+v); ok && (rest == "" || !wordByte(rest[0])) {
			return v, len(v) + len("$")
		}
	}
	return "", 0
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// samples are addresses that stand for the variables while a document is
// checked: what they will be is not known before the machine runs. They are
// of the networks that RFC 5737 and RFC 3849 keep for examples.
func samples() map[string]string {
	return map[string]string{
		"public_ipv4": "192.0.2.241", "private_ipv4": "192.0.2.242",
		"public_ipv6": "2001:db8::f1", "private_ipv6": "2001:db8::f2",
	}
}

// mentions says whether a "$" stands anywhere in a node.
func mentions(n *Node) bool {
	return n != nil && (strings.Contains(n.Text, "$") ||
		slices.ContainsFunc(n.Map, func(e Entry) bool { return mentions(e.Value) }) || slices.ContainsFunc(n.List, mentions))
}

// sampled is a node with samples for variables, and what puts the names of
// the variables back into a message about it.
func sampled(n *Node) (*Node, func(string) string) {
	same := func(text string) string { return text }
	if !mentions(n) {
		return n, same
	}
	vars := samples()
	out := Expand(n, vars)
	if out == n {
		return n, same
	}
	return out, func(text string) string {
		for name, sample := range vars {
			text = strings.ReplaceAll(text, sample, "$"+name)
		}
		return text
	}
}
