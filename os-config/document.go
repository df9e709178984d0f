package osconfig

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Lookup finds the value at a dotted path: keys, and [N] or a last part N for
// list items. Keys may hold dots themselves.
func (d Document) Lookup(path string) *Node {
	if path == "" {
		return d.Root
	}
	path = strings.ReplaceAll(path, "[", ".[")
	if n := lookup(d.Root, path); n != nil {
		return n
	}
	rest, ok := strings.CutPrefix(path, interfacesPath+".")
	if !ok {
		return nil
	}
	key, rest, _ := strings.Cut(rest, ".") // in another spelling than its own
	return lookup(d.Root, strings.TrimSuffix(interfacesPath+"."+linkKey(key)+"."+rest, "."))
}

func lookup(n *Node, path string) *Node {
	if n == nil || path == "" {
		return n
	}
	switch n.Kind {
	case Map:
		for _, e := range n.Map {
			if path == e.Key {
				return e.Value
			}
			if rest, ok := strings.CutPrefix(path, e.Key+"."); ok {
				if found := lookup(e.Value, rest); found != nil {
					return found
				}
			}
		}
	case List:
		index, rest, _ := strings.Cut(path, ".")
		i, err := strconv.Atoi(strings.Trim(index, "[]"))
		if err == nil && i >= 0 && i < len(n.List) {
			return lookup(n.List[i], rest)
		}
	}
	return nil
}

// Get returns the value at a dotted path as YAML without a final newline: a
// text as it is, a mapping or list as a block. It is false when nothing is
// there.
func (d Document) Get(path string) (string, bool) {
	n := d.Lookup(path)
	switch {
	case n.IsNull():
		return "", false
	case n.Scalar():
		return n.Text, true
	}
	return strings.TrimSuffix(FormatYAML(n), "\n"), true
}

// Source says where the value at a path was set: the layer, file and
// position. What several layers made has the last one's.
func (d Document) Source(path string) (Pos, bool) {
	n := d.Lookup(path)
	if n == nil {
		return Pos{}, false
	}
	return n.Pos, true
}

// Export returns the document as a cloud-config. Without full it leaves out
// the built-in defaults, without private what is secret.
func (d Document) Export(full, private bool) string {
	root := filter(d.Root, place{}, full, private)
	if root == nil || len(root.Map) == 0 {
		return "#cloud-config\n{}\n"
	}
	return "#cloud-config\n" + FormatYAML(root)
}

// secretURL says whether a URL has what others may not see: a proxy's or a
// mirror's, wherever it stands, may have a password, and those that are asked
// for data a signature.
func secretURL(pattern, text string) bool {
	switch pattern {
	case "phone_home.url", "rancher.cloud_init.datasources[]":
		return redact(text) != text || strings.Contains(text, "?")
	}
	return strings.HasPrefix(pattern, "rancher.") && redact(text) != text
}

// filter returns nil for what is left out.
func filter(n *Node, at place, full, private bool) *Node {
	if n.IsNull() || !private && isSecret(at.pattern) || at.pattern == "scripts" || at.pattern == "boothooks" {
		return nil
	}
	if n.Scalar() {
		if !full && n.Pos.Layer == DefaultsLayer {
			return nil
		}
		if !private && secretURL(at.pattern, n.Text) {
			return nil
		}
		return n
	}
	out := *n
	out.Map, out.List = nil, nil
	for _, e := range n.Map {
		if v := filter(e.Value, at.key(e.Key), full, private); v != nil {
			out.Map = append(out.Map, Entry{Key: e.Key, KeyPos: e.KeyPos, Value: v})
		}
	}
	for i, v := range n.List {
		if v := filter(v, at.item(i), full, private); v != nil {
			out.List = append(out.List, v)
		}
	}
	if len(out.Map)+len(out.List) == 0 && len(n.Map)+len(n.List) > 0 {
		return nil
	}
	return &out
}

// FormatYAML writes a node as YAML that Parse reads back to the same values.
func FormatYAML(n *Node) string {
	var b strings.Builder
	switch {
	case n.Kind == Map && len(n.Map) > 0:
		writeMap(&b, n, 0)
	case n.Kind == List && len(n.List) > 0:
		writeList(&b, n, 0)
	default:
		b.WriteString(scalarText(n) + "\n")
	}
	return b.String()
}

func writeMap(b *strings.Builder, n *Node, indent int) {
	for i, e := range n.Map {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(stringText(e.Key) + ":")
		writeValue(b, e.Value, indent)
	}
}

func writeList(b *strings.Builder, n *Node, indent int) {
	for i, v := range n.List {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString("-")
		switch {
		case v.Kind == Map && len(v.Map) > 0:
			b.WriteString(" ")
			writeMap(b, v, indent+2)
		case v.Kind == List && len(v.List) > 0:
			b.WriteString(" ")
			writeList(b, v, indent+2)
		default:
			writeValue(b, v, indent)
		}
	}
}

// writeValue writes what follows "key:" or "-" up to the end of its last line.
func writeValue(b *strings.Builder, v *Node, indent int) {
	deeper := strings.Repeat(" ", indent+2)
	switch {
	case v == nil || v.Kind == Null:
		b.WriteString("\n")
	case v.Kind == Map && len(v.Map) > 0:
		b.WriteString("\n" + deeper)
		writeMap(b, v, indent+2)
	case v.Kind == List && len(v.List) > 0:
		b.WriteString("\n" + deeper)
		writeList(b, v, indent+2)
	case v.Kind == String && blockable(v.Text):
		body, header := v.Text, " |-"
		if strings.HasSuffix(body, "\n") {
			body, header = strings.TrimSuffix(body, "\n"), " |"
		}
		b.WriteString(header + "\n")
		for line := range strings.SplitSeq(body, "\n") {
			if line != "" {
				b.WriteString(deeper + line)
			}
			b.WriteString("\n")
		}
	default:
		b.WriteString(" " + scalarText(v) + "\n")
	}
}

// blockable says whether a text reads back the same from a literal block.
func blockable(s string) bool {
	if !strings.Contains(strings.TrimSuffix(s, "\n"), "\n") || strings.HasSuffix(s, "\n\n") {
		return false
	}
	first, _, _ := strings.Cut(s, "\n")
	// The parser does not take a tab at the beginning of a block.
	if first == "" || first[0] == ' ' || first[0] == '\t' {
		return false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimRight(line, " \t") != line {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd
	})
}

func scalarText(n *Node) string {
	switch n.Kind {
	case Null:
		return "null"
	case Map:
		return "{}"
	case List:
		return "[]"
	case String:
		if !n.Quoted && spelled(n.Text, "A-Za-z", "A-Za-z") && ResolvePlain(n.Pos, n.Text).Kind == String {
			return n.Text // yes and no stay what they were
		}
		return stringText(n.Text)
	}
	return n.Text
}

// stringText writes a text plain where that is safe, else in double quotes.
func stringText(s string) string {
	if spelled(s, "A-Za-z/_", "A-Za-z0-9 /_.,@%+=:~*-") && !strings.Contains(s, ": ") &&
		!strings.HasSuffix(s, ":") && strings.TrimSpace(s) == s && !reserved(s) {
		return s
	}
	if spelled(s, "0-9", "0-9./") && matches(`[0-9]+(\.[0-9]+){2,3}(/[0-9]+)?`, s) {
		return s
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		return "!!binary " + base64.StdEncoding.EncodeToString([]byte(s))
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// reserved says whether a plain text means something else to some reader of
// YAML, of whichever version.
func reserved(s string) bool {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		return true
	}
	return ResolvePlain(Pos{}, s).Kind != String
}
