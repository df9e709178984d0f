package osconfig

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The law of merging. Layers are given in order; a later one wins.
//
//  1. Null says nothing: it neither sets nor takes away.
//  2. Mappings merge key by key. rancher.network.interfaces is a mapping, so
//     interfaces merge by key and then option by option.
//  3. Lists whose items have an identity merge by it:
//
//     write_files, scripts, boothooks        path
//     ssh_authorized_keys                    the key itself, not its comment
//     users, groups, chpasswd.users          name
//     coreos.units                           name
//     mounts                                 mount point; of swap the device
//
//     An item of a later layer takes the place of an earlier one whole, and
//     all items of a later layer come after those of earlier ones. Within one
//     layer nothing is taken away. An item without identity is like no other;
//     so is a file with append, which adds to what earlier layers write.
//  4. Every other list and every scalar is replaced.
//  5. Where the kinds differ, the later value replaces the earlier one, and
//     goes on doing so: what was replaced cannot come back, however the
//     layers are grouped.
//
// From it follows: merging with nothing changes nothing, and
// Merge(a, b, c) is the same whether a and b or b and c are merged first.
// Every node keeps its position, and with it the layer that it came from; a
// mapping or list made of several has that of the last one. A scalar has that
// of the last layer that says it.
//
// The law holds for documents in canonical form, which Parse and NewLayer
// make: a list written as a text would count as another kind.

// Document is the merged configuration.
type Document struct {
	Root *Node // a mapping, never nil
}

// Merge merges layers by the law above. Layers without a document count as
// empty.
func Merge(layers ...Layer) Document {
	var root *Node
	for _, l := range layers {
		root = merge(root, l.Doc, nil)
	}
	if root == nil || root.Kind != Map {
		root = &Node{Kind: Map}
	}
	return Document{Root: root}
}

// Layer makes one layer of a merged document.
func (d Document) Layer() Layer { return Layer{Doc: d.Root} }

func merge(a, b *Node, path []string) *Node {
	switch {
	case b.IsNull():
		if a == nil {
			return b
		}
		return a
	case a.IsNull():
		return b
	case b.reset:
		return b
	case a.Kind == Map && b.Kind == Map:
		return mergeMaps(a, b, path)
	case a.Kind == List && b.Kind == List && listIdentity(path) != nil:
		return mergeLists(a, b, listIdentity(path))
	case a.Kind == Map || a.Kind == List || b.Kind == Map || b.Kind == List:
		out := *b
		out.reset = true
		return &out
	}
	return b
}

func mergeMaps(a, b *Node, path []string) *Node {
	out := *b
	out.reset = a.reset
	out.Map = make([]Entry, 0, len(a.Map)+len(b.Map))
	at := make(map[string]int, len(a.Map))
	for _, e := range a.Map {
		at[e.Key] = len(out.Map)
		out.Map = append(out.Map, e)
	}
	for _, e := range b.Map {
		i, ok := at[e.Key]
		if !ok {
			out.Map = append(out.Map, e)
			continue
		}
		value := merge(out.Map[i].Value, e.Value, append(slices.Clip(path), e.Key))
		if value == out.Map[i].Value {
			continue
		}
		out.Map[i] = Entry{Key: e.Key, KeyPos: e.KeyPos, Value: value}
	}
	return &out
}

func mergeLists(a, b *Node, identity func(*Node) string) *Node {
	later := map[string]bool{}
	for _, item := range b.List {
		if id := identity(item); id != "" {
			later[id] = true
		}
	}
	out := *b
	out.reset = a.reset
	out.List = nil
	for _, item := range a.List {
		if !later[identity(item)] {
			out.List = append(out.List, item)
		}
	}
	out.List = append(out.List, b.List...)
	return &out
}

// listIdentity returns what identifies the items of the list at path, nil
// when they have no identity. An item whose identity is "" is like no other.
func listIdentity(path []string) func(*Node) string {
	switch strings.Join(path, ".") {
	case "ssh_authorized_keys":
		return keyIdentity
	case "write_files":
		return func(n *Node) string {
			if saysYes(n.Child("append")) {
				return ""
			}
			return textAt(n, "path")
		}
	case "scripts", "boothooks":
		return func(n *Node) string { return textAt(n, "path") }
	case "users", "groups", "chpasswd.users", "coreos.units":
		return func(n *Node) string { return textAt(n, "name") }
	case "mounts":
		return mountIdentity
	}
	return nil
}

// mountIdentity is where a row mounts. Swap has no place of its own, nor has a
// row that names a device alone.
func mountIdentity(n *Node) string {
	if n.Scalar() {
		return n.Text
	}
	if n.Kind != List || len(n.List) == 0 {
		return ""
	}
	if len(n.List) > 1 && n.List[1] != nil && strings.HasPrefix(n.List[1].Text, "/") {
		return n.List[1].Text
	}
	if n.List[0] == nil {
		return ""
	}
	return n.List[0].Text
}

func keyIdentity(n *Node) string {
	if n.Kind != String {
		return ""
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(n.Text))
	if err != nil {
		return n.Text
	}
	return strings.Join(options, ",") + " " + string(key.Marshal())
}
