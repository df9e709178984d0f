package osconfig

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// values turns a node into plain data: what merging must agree on, with the
// layer that each scalar came from.
func values(n *Node) any {
	switch {
	case n == nil || n.Kind == Null:
		return nil
	case n.Kind == Map:
		out := map[string]any{}
		for _, e := range n.Map {
			if v := values(e.Value); v != nil {
				out[e.Key] = v
			}
		}
		return out
	case n.Kind == List:
		out := []any{}
		for _, v := range n.List {
			out = append(out, values(v))
		}
		return out
	}
	return fmt.Sprintf("%s(%d) from %s", n.Text, n.Kind, n.Pos.Layer)
}

// randomLayer makes documents that collide often: few keys, all kinds.
func randomLayer(r *rand.Rand, name string) Layer {
	pos := Pos{Layer: name}
	var node func(depth int) *Node
	node = func(depth int) *Node {
		kind := r.IntN(6)
		if depth > 3 {
			kind = r.IntN(3)
		}
		switch kind {
		case 0:
			return &Node{Kind: Null, Pos: pos}
		case 1:
			return NewString(pos, fmt.Sprint(r.IntN(4)))
		case 2:
			return &Node{Kind: Bool, Text: "true", Pos: pos}
		case 3:
			out := NewList(pos)
			for range r.IntN(3) {
				out.List = append(out.List, node(depth+1))
			}
			return out
		}
		out := NewMap(pos)
		for _, key := range []string{"path", "name", "append", "users", "units", "a"} {
			if r.IntN(2) == 0 {
				out.Map = append(out.Map, Entry{Key: key, KeyPos: pos, Value: node(depth + 1)})
			}
		}
		return out
	}
	root := NewMap(pos)
	for _, key := range []string{
		"hostname", "write_files", "ssh_authorized_keys", "rancher", "runcmd", "users", "groups", "mounts", "chpasswd", "coreos",
	} {
		if r.IntN(3) > 0 {
			root.Map = append(root.Map, Entry{Key: key, KeyPos: pos, Value: node(0)})
		}
	}
	return Layer{Name: name, Doc: root}
}

// TestMergeLaw checks identity, associativity and provenance on random
// documents.
func TestMergeLaw(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b, c, d := randomLayer(r, "a"), randomLayer(r, "b"), randomLayer(r, "c"), randomLayer(r, "d")
		merged := Merge(a, b, c, d)
		all := values(merged.Root)
		checkProvenance(t, merged, a, b, c, d)
		for name, grouped := range map[string]Document{
			"((ab)c)d": Merge(Merge(Merge(a, b).Layer(), c).Layer(), d),
			"a(b(cd))": Merge(a, Merge(b, Merge(c, d).Layer()).Layer()),
			"(ab)(cd)": Merge(Merge(a, b).Layer(), Merge(c, d).Layer()),
			"a(bc)d":   Merge(a, Merge(b, c).Layer(), d),
		} {
			if diff := cmp.Diff(all, values(grouped.Root)); diff != "" {
				t.Fatalf("seed %d: %s differs (-abcd +it):\n%s", seed, name, diff)
			}
		}
		empty := Layer{Name: "empty", Doc: NewMap(Pos{})}
		for name, same := range map[string]Document{
			"a alone": Merge(a), "empty first": Merge(empty, a), "empty last": Merge(a, empty),
			"no document": Merge(Layer{}, a, Layer{}), "nulls first": Merge(nulls(a, b), a), "nulls last": Merge(a, nulls(a, b)),
		} {
			if diff := cmp.Diff(values(a.Doc), values(same.Root)); diff != "" {
				t.Fatalf("seed %d: %s differs:\n%s", seed, name, diff)
			}
		}
	}
}

// nulls says nothing about every key that the layers have.
func nulls(layers ...Layer) Layer {
	root := NewMap(Pos{Layer: "nulls"})
	for _, l := range layers {
		for _, e := range l.Doc.Map {
			if root.Child(e.Key) == nil {
				root.Map = append(root.Map, Entry{Key: e.Key, Value: &Node{Kind: Null, Pos: root.Pos}})
			}
		}
	}
	return Layer{Name: "nulls", Doc: root}
}

// checkProvenance asserts that every scalar that is reached by keys alone has
// the position of the last layer that says it.
func checkProvenance(t *testing.T, doc Document, layers ...Layer) {
	t.Helper()
	var walk func(n *Node, keys []string)
	walk = func(n *Node, keys []string) {
		if n.Kind == Map {
			for _, e := range n.Map {
				walk(e.Value, append(slices.Clip(keys), e.Key))
			}
		}
		if !n.Scalar() {
			return
		}
		last := ""
		for _, l := range layers {
			said := l.Doc
			for _, k := range keys {
				said = said.Child(k)
			}
			if !said.IsNull() {
				last = l.Name
			}
		}
		if n.Pos.Layer != last {
			t.Fatalf("%s has the position of %q; the last that says it is %q", keys, n.Pos.Layer, last)
		}
	}
	walk(doc.Root, nil)
}

func mustParse(t *testing.T, name, text string) Layer {
	t.Helper()
	l, report := Parse(name, name+".yml", []byte(text))
	if len(report) > 0 {
		t.Fatalf("%s", report)
	}
	return l
}

func TestMerge(t *testing.T) {
	const key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX"
	const key2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH2wMqkvC9xUT0pky/Ou0fDuhjgApqz1Gk++QdbMKUN"
	tests := []struct {
		name   string
		layers []string
		want   string
	}{
		{"later wins", []string{"hostname: a", "hostname: b"}, "hostname: b\n"},
		{"null says nothing", []string{"hostname: a", "hostname:\nruncmd: [x]", "runcmd: ~"}, "hostname: a\nruncmd:\n  - x\n"},
		{"mappings by key", []string{"rancher: {debug: true, ssh: {port: 1}}", "rancher: {ssh: {daemon: false}}"},
			"rancher:\n  debug: true\n  ssh:\n    port: 1\n    daemon: false\n"},
		{"interfaces by key", []string{
			"rancher: {network: {interfaces: {eth0: {dhcp: true}, eth1: {dhcp: true}}}}",
			"rancher: {network: {interfaces: {eth0: {dhcp: false, address: 10.0.0.2/24}}}}",
		}, "rancher:\n  network:\n    interfaces:\n      eth0:\n        dhcp: false\n        address: 10.0.0.2/24\n      eth1:\n        dhcp: true\n"},
		{"files by path", []string{
			"write_files: [{path: /a, content: 1, permissions: '0600'}, {path: /b}]",
			"write_files: [{path: /c}, {path: /a, content: 2}]",
		}, "write_files:\n  - path: /b\n  - path: /c\n  - path: /a\n    content: 2\n"},
		{"keys by key, not comment", []string{
			"ssh_authorized_keys: ['" + key1 + " old', '" + key2 + "']",
			"ssh_authorized_keys: ['" + key1 + " new']",
		}, "ssh_authorized_keys:\n  - " + key2 + "\n  - " + key1 + " new\n"},
		{"users by name", []string{
			"users: [{name: a, uid: 1, shell: /bin/sh}, b]", "users: [c, {name: a, uid: 2}]",
		}, "users:\n  - name: b\n  - name: c\n  - name: a\n    uid: 2\n"},
		{"users written as a text", []string{"users: 'a, b'", "users: [a]"}, "users:\n  - name: b\n  - name: a\n"},
		{"groups by name, however written", []string{"groups: {ops: [a], dev: [b]}", "groups: [ops]"},
			"groups:\n  - name: dev\n    members:\n      - b\n  - name: ops\n"},
		{"passwords by name", []string{
			"chpasswd: {expire: false, users: [{name: a, type: RANDOM}, {name: b}]}", "chpasswd: {users: [{name: a, password: x}]}",
		}, "chpasswd:\n  expire: false\n  users:\n    - name: b\n    - name: a\n      password: x\n"},
		{"units by name", []string{
			"coreos: {units: [{name: a.service, drop-ins: [{name: x.conf}]}, {name: b.service}]}", "coreos: {units: [{name: a.service, mask: true}]}",
		}, "coreos:\n  units:\n    - name: b.service\n    - name: a.service\n      mask: true\n"},
		{"mounts by point", []string{
			"mounts: [[LABEL=a, /a], [LABEL=b, /b], [LABEL=s, none, swap]]", "mounts: [[LABEL=c, /a], [LABEL=s, swap, swap, pri=1]]",
		}, "mounts:\n  - - LABEL=b\n    - /b\n  - - LABEL=c\n    - /a\n  - - LABEL=s\n    - swap\n    - swap\n    - pri=1\n"},
		{"an appended file takes nothing away", []string{
			"write_files: [{path: /a, content: 1}]", "write_files: [{path: /a, content: 2, append: true}]",
		}, "write_files:\n  - path: /a\n    content: 1\n  - path: /a\n    content: 2\n    append: true\n"},
		{"spellings are one", []string{"ca-certs: {remove-defaults: true}", "ca_certs: {remove_defaults: false}"},
			"ca_certs:\n  remove_defaults: false\n"},
		{"other lists replace", []string{"runcmd: [a, b]", "runcmd: [c]"}, "runcmd:\n  - c\n"},
		{"kinds differ", []string{"rancher: {debug: true}", "rancher: x", "rancher: {log: true}"}, "rancher:\n  log: true\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var layers []Layer
			for i, text := range tt.layers {
				layers = append(layers, mustParse(t, fmt.Sprint("layer", i), text))
			}
			if diff := cmp.Diff(tt.want, FormatYAML(Merge(layers...).Root)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProvenance(t *testing.T) {
	doc := Merge(
		mustParse(t, "low", "hostname: a\nrancher:\n  debug: true\n  sysctl:\n    net.ipv4.ip_forward: 1\n"),
		mustParse(t, "high", "# comment\nhostname: b\n"),
	)
	for path, want := range map[string]Pos{
		"hostname":                           {"high", "high.yml", 2, 11},
		"rancher.debug":                      {"low", "low.yml", 3, 10},
		"rancher.sysctl.net.ipv4.ip_forward": {"low", "low.yml", 5, 26},
	} {
		if got, ok := doc.Source(path); !ok || got != want {
			t.Errorf("Source(%s) = %v, %v; want %v", path, got, ok, want)
		}
	}
	if got, ok := doc.Source("rancher.nothing"); ok {
		t.Errorf("Source of nothing is %v", got)
	}
}
