package osconfig

import (
	"fmt"
	"math/rand/v2"
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
		for _, key := range []string{"path", "a", "b"} {
			if r.IntN(2) == 0 {
				out.Map = append(out.Map, Entry{Key: key, KeyPos: pos, Value: node(depth + 1)})
			}
		}
		return out
	}
	root := NewMap(pos)
	for _, key := range []string{"hostname", "write_files", "ssh_authorized_keys", "rancher", "runcmd"} {
		if r.IntN(3) > 0 {
			root.Map = append(root.Map, Entry{Key: key, KeyPos: pos, Value: node(0)})
		}
	}
	return Layer{Name: name, Doc: root}
}

// TestMergeLaw checks identity, associativity and provenance on random
// documents.
func TestMergeLaw(t *testing.T) {
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b, c, d := randomLayer(r, "a"), randomLayer(r, "b"), randomLayer(r, "c"), randomLayer(r, "d")
		all := values(Merge(a, b, c, d).Root)
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
			"no document": Merge(Layer{}, a, Layer{}),
		} {
			if diff := cmp.Diff(values(a.Doc), values(same.Root)); diff != "" {
				t.Fatalf("seed %d: %s differs:\n%s", seed, name, diff)
			}
		}
	}
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
