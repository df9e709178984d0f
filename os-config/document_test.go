package osconfig

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGet(t *testing.T) {
	doc := Merge(mustParse(t, "x", `
hostname: box
write_files:
  - {path: /a, content: "one\ntwo\n"}
  - {path: /b}
rancher:
  debug: false
  ssh:
  sysctl: {net.ipv4.ip_forward: 1, net.ipv4.tcp_rmem: 1 2 3}
  network:
    interfaces:
      eth0.100: {mtu: 1400}
      eth0: {dhcp: true, addresses: [10.0.0.2/24, "fd00::2/64"]}
`))
	for path, want := range map[string]string{
		"hostname":                                    "box",
		"rancher.debug":                               "false",
		"write_files[0].path":                         "/a",
		"write_files.1.path":                          "/b",
		"write_files[0]":                              "path: /a\ncontent: |\n  one\n  two",
		"rancher.sysctl":                              "net.ipv4.ip_forward: 1\nnet.ipv4.tcp_rmem: \"1 2 3\"",
		"rancher.sysctl.net.ipv4.ip_forward":          "1",
		"rancher.network.interfaces.eth0.100":         "mtu: 1400",
		"rancher.network.interfaces.eth0.100.mtu":     "1400",
		"rancher.network.interfaces.eth0.addresses":   "- 10.0.0.2/24\n- fd00::2/64",
		"rancher.network.interfaces.eth0.addresses.1": "fd00::2/64",
	} {
		if got, ok := doc.Get(path); !ok || got != want {
			t.Errorf("Get(%s) = %q, %v; want %q", path, got, ok, want)
		}
	}
	for _, path := range []string{"nothing", "hostname.x", "rancher.ssh", "write_files[2]", "write_files[-1]", "write_files.x", "."} {
		if got, ok := doc.Get(path); ok {
			t.Errorf("Get(%s) = %q", path, got)
		}
	}
}

func TestExport(t *testing.T) {
	layer := mustParse(t, "user", `
hostname: box
rancher:
  password: secret
  docker: {server_key: secret, debug: true}
  registry_auths: {r: {auth: secret}}
  ssh: {keys: {rsa: secret}}
  network: {https_proxy: "http://alice:secret@proxy:3128", http_proxy: "http://proxy:3128"}
  environment: {HTTP_PROXY: "http://alice:secret@proxy:3128"}
  cloud_init: {datasources: ["url:https://alice:secret@host/", "url:https://host/a?sig=secret"]}
phone_home: {url: "https://host/?token=secret"}
`)
	doc := Merge(WithDefaults(layer)...)
	const open = `#cloud-config
rancher:
  network:
    http_proxy: http://proxy:3128
  docker:
    debug: true
hostname: box
`
	if diff := cmp.Diff(open, doc.Export(false, false)); diff != "" {
		t.Errorf("Export (-want +got):\n%s", diff)
	}
	if got := doc.Export(false, true); strings.Count(got, "secret") != 9 || strings.Contains(got, "e*") {
		t.Errorf("private export:\n%s", got)
	}
	full := doc.Export(true, false)
	if strings.Contains(full, "secret") || !strings.Contains(full, "e*:\n        dhcp: true") {
		t.Errorf("full export:\n%s", full)
	}
	if got := Merge(WithDefaults()...).Export(false, false); got != "#cloud-config\n{}\n" {
		t.Errorf("export of nothing: %q", got)
	}
}

// TestFormatYAML checks that every text reads back as it was.
func TestFormatYAML(t *testing.T) {
	texts := []string{
		"", " ", "a", "true", "no", "12", "0644", "1.5", "1e3", "0x1f", "null", "~", "-", "- a", "? a", "a: b", "a:", ":a",
		"#a", "a #b", "a#b", "@a", "`a`", "%a", "&a", "*a", "!a", "|", ">", "{a}", "[a]", "'a'", "\"a\"", "a\\nb", "a\nb", "a\nb\n",
		"a\n\nb\n\n", " a\nb", "a \nb", "\na\nb", "a\n  b\n", "\ta\nb\n", "a\tb", "ü", "日本\n語\n", "\u2028", "\u0085", "\x00\x01",
		"\xff\xfe", "\ufeff", "😀", "=", "<<", ".", "...", "---", "a,b", "10.0.0.1", "2026-11-20", "12:30:45", "fd00::1", "\\", "a'b",
		"\r\n", "a\r\nb", "\u007f", "# a\nb\n", "a\n\tb\n", "a\n\t\tb\n\tc", "if x\n\t\nfi\n", "-\n-\n", "---\nb\n", "...\nb\n",
	}
	pos := Pos{}
	root := NewMap(pos)
	list := NewList(pos)
	for _, s := range texts {
		list.List = append(list.List, NewString(pos, s), NewMap(pos, Entry{Key: "k", Value: NewString(pos, s)}))
		if root.Child(s) == nil && !strings.ContainsAny(s, "\x00\xff\r") {
			root.Map = append(root.Map, Entry{Key: s, Value: NewString(pos, s)})
		}
	}
	root.Map = append(root.Map, Entry{Key: "list", Value: list})
	text := FormatYAML(root)
	layer, report := Parse("x", "x", []byte(text))
	if len(report) > 0 {
		t.Fatalf("%s\n%s", report, text)
	}
	again, ok := layer.Doc.Child("list"), true
	for i, n := range list.List {
		got, want := again.List[i], n
		if n.Kind == Map {
			got, want = got.Child("k"), n.Child("k")
		}
		if got == nil || got.Kind != String || got.Text != want.Text {
			t.Errorf("%q reads back as %+v", want.Text, got)
			ok = false
		}
	}
	for i, e := range root.Map[:len(root.Map)-1] {
		if got := layer.Doc.Map[i]; got.Key != e.Key || got.Value.Text != e.Value.Text {
			t.Errorf("%q: %q reads back as %q: %+v", e.Key, e.Value.Text, got.Key, got.Value)
			ok = false
		}
	}
	if !ok {
		t.Log(text)
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string][]string{
		"hostname":                                 {"hostname"},
		"rancher.network.dns.search":               {"rancher", "network", "dns", "search"},
		"rancher.sysctl.net.ipv4.ip_forward":       {"rancher", "sysctl", "net.ipv4.ip_forward"},
		"rancher.environment.A.B":                  {"rancher", "environment", "A.B"},
		"rancher.network.interfaces.eth0.dhcp":     {"rancher", "network", "interfaces", "eth0", "dhcp"},
		"rancher.network.interfaces.eth*.dhcp":     {"rancher", "network", "interfaces", "eth*", "dhcp"},
		"rancher.network.interfaces.eth0.100.mtu":  {"rancher", "network", "interfaces", "eth0.100", "mtu"},
		"rancher.network.interfaces.eth0.100":      {"rancher", "network", "interfaces", "eth0.100"},
		"rancher.network.interfaces.eth0.ipv4ll":   {"rancher", "network", "interfaces", "eth0", "ipv4ll"},
		"rancher.network.interfaces.eth0.nonsense": {"rancher", "network", "interfaces", "eth0", "nonsense"},
		"rancher.unknown.a.b":                      {"rancher", "unknown", "a", "b"},
		"rancher.services_include.a.b":             {"rancher", "services_include", "a.b"},
	} {
		if diff := cmp.Diff(want, SplitPath(path)); diff != "" {
			t.Errorf("SplitPath(%s) (-want +got):\n%s", path, diff)
		}
	}
}

// TestSchema asserts that every rule is about a key that exists and that
// every type of Config can be decoded.
func TestSchema(t *testing.T) {
	known := map[string]bool{}
	for _, p := range allPaths() {
		known[p] = true
	}
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, at string) {
		known[at] = true
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		switch {
		case typ == reflect.TypeFor[Command](), typ == reflect.TypeFor[Mount](), typ == reflect.TypeFor[Any]():
		case isSection(typ):
			for i := range typ.NumField() {
				name, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
				if name == "" {
					t.Errorf("%s.%s has no yaml tag", typ, typ.Field(i).Name)
				}
				if legacyNote(join(at, name)) != "" {
					t.Errorf("%s exists; take it off legacyNote", join(at, name))
				}
				walk(typ.Field(i).Type, join(at, name))
			}
		case typ.Kind() == reflect.Map:
			walk(typ.Elem(), join(at, "*"))
		case typ.Kind() == reflect.Slice:
			walk(typ.Elem(), at+"[]")
		case typ.Kind() == reflect.String || typ.Kind() == reflect.Bool || typ.Kind() == reflect.Int:
		default:
			t.Errorf("%s has type %s, which nothing decodes", at, typ)
		}
	}
	walk(reflect.TypeFor[Config](), "")
	for pattern := range rules(nil, time.Time{}) {
		if !known[pattern] {
			t.Errorf("a rule for %s, which is no key", pattern)
		}
	}
}
