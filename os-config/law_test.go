package osconfig

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// randomValue makes a value for a type, often a wrong one: other kinds, empty
// ones, texts that some check takes for something.
func randomValue(r *rand.Rand, t reflect.Type, depth int) *Node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	texts := []string{
		"", "x", "default", "a b", "/", "/a", "/../a", "a:b", ":", "=", "a=", "=b", "LABEL=", "LABEL=a", "0", "-1", "1100", "99999", "0100",
		"true", "$6$a$b", "$6$", "!", "auto", "now", "+5", "1.5G", "K", "10.0.0.1", "10.0.0.1/24", "::1", "fe80::1/64", "http://", "http://h",
		"ssh-ed25519", "ssh-ed25519 AAAA", "-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----\nx", "a.service", ".service", "a.mount",
		"ALL=(ALL) ALL", "ALL=(", "Europe/", "/Berlin", "UTC", "en_US.UTF-8", "_", ".", "mac=", "mac=*", "[", "eth*", "all", "\n", "\x00",
		"$public_ipv4", "${private_ipv4}x", "100,200:b", ":80", "80:", "1-", "-", "rw", "container:", "service:a", "host",
	}
	scalar := func() *Node {
		text := texts[r.IntN(len(texts))]
		if r.IntN(2) == 0 {
			return NewString(Pos{Line: 1}, text)
		}
		return ResolvePlain(Pos{Line: 1}, text)
	}
	if depth > 7 || r.IntN(12) == 0 {
		switch r.IntN(6) {
		case 0:
			return &Node{Kind: Null}
		case 1:
			return NewList(Pos{}, scalar(), &Node{Kind: Null}, NewMap(Pos{}))
		case 2:
			return NewMap(Pos{}, Entry{Key: texts[r.IntN(len(texts))], Value: scalar()})
		case 3:
			return NewList(Pos{})
		case 4:
			return NewMap(Pos{})
		}
		return scalar()
	}
	switch {
	case isSection(t):
		n := NewMap(Pos{Line: 1})
		for _, f := range fieldsOf(t) {
			if r.IntN(3) == 0 || f.name == "name" || depth == 0 && r.IntN(2) == 0 {
				n.Map = append(n.Map, Entry{Key: f.name, KeyPos: Pos{Line: 1}, Value: randomValue(r, f.typ, depth+1)})
			}
		}
		return n
	case t.Kind() == reflect.Map:
		n := NewMap(Pos{Line: 1})
		for i := range r.IntN(4) {
			key := texts[r.IntN(len(texts))] + strings.Repeat("1", i)
			n.Map = append(n.Map, Entry{Key: key, KeyPos: Pos{Line: 1}, Value: randomValue(r, t.Elem(), depth+1)})
		}
		return n
	case t.Kind() == reflect.Slice || t == reflect.TypeFor[Mount]() || t == reflect.TypeFor[Command]():
		n := NewList(Pos{Line: 1})
		item := reflect.TypeFor[string]()
		if t.Kind() == reflect.Slice {
			item = t.Elem()
		}
		for range r.IntN(4) {
			n.List = append(n.List, randomValue(r, item, depth+1))
		}
		return n
	}
	return scalar()
}

// TestAnyDocument: whatever values stand at the keys that exist, each check
// ends, nothing is said twice, and what is left of cloud-init's keys at boot
// is without errors.
func TestAnyDocument(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		layer := NewLayer("any", "any", randomValue(r, reflect.TypeFor[Config](), 0))
		if layer.Doc.Kind != Map {
			continue
		}
		_, report := Decode(Merge(layer))
		seen := map[string]bool{}
		for _, p := range report {
			if strings.Contains(p.Text, "not checkable") || strings.Contains(p.Text, "no decoder") {
				t.Fatalf("seed %d: %s", seed, p)
			}
			if key := fmt.Sprint(p.Path, p.Text); seen[key] {
				t.Fatalf("seed %d: said twice: %s", seed, p)
			} else {
				seen[key] = true
			}
		}
		_, clean, _ := DecodeLenient(layer)
		left := slices.DeleteFunc(Validate(clean), func(p Problem) bool {
			return p.Kind == Unknown || strings.HasPrefix(p.Path, "rancher.") // its references are left as they are
		})
		if left.HasErrors() {
			t.Fatalf("seed %d: at boot these are left:\n%s\nof:\n%s", seed, left, report)
		}
	}
}
