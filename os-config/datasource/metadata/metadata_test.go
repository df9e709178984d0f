package metadata

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestHostname(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		" web-1.example.com other ":    "web-1",
		"my_web":                       "my-web",
		"-a-":                          "a",
		"10.0.0.5":                     "ip-10-0-0-5",
		"2001:db8::5":                  "ip-2001-db8--5",
		"Büro":                         "B-ro",
		strings.Repeat("a", 70):        strings.Repeat("a", 63),
		".":                            "",
		strings.Repeat("a", 62) + "_b": strings.Repeat("a", 62),
	} {
		got := Hostname(in)
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		layer := osconfig.NewLayer("x", "x", osconfig.NewMap(osconfig.Pos{}, osconfig.Entry{Key: "hostname", Value: osconfig.NewString(osconfig.Pos{}, got)}))
		if report := osconfig.Validate(osconfig.Merge(layer)); got != "" && report.HasErrors() {
			t.Errorf("%q: %s", in, report)
		}
	}
}

func TestPrefix(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"10.0.0.5", "255.255.252.0"}:            "10.0.0.5/22",
		{"10.0.0.5/24", "255.255.0.0"}:           "10.0.0.5/24",
		{"10.0.0.5", "8"}:                        "10.0.0.5/8",
		{" 10.0.0.5 ", ""}:                       "10.0.0.5/32",
		{"2001:db8::1", "ffff:ffff:ffff:ffff::"}: "2001:db8::1/64",
		{"2001:db8::1", ""}:                      "2001:db8::1/128",
		{"10.0.0.5", "255.0.255.0"}:              "",
		{"10.0.0.5", "ffff::"}:                   "",
		{"10.0.0.5", "33"}:                       "",
		{"10.0.0.5", "-1"}:                       "",
		{"fe80::1%eth0", "64"}:                   "",
		{"::ffff:10.0.0.5", "120"}:               "",
		{"nonsense", "24"}:                       "",
	} {
		p, ok := Prefix(in[0], in[1])
		if got := p.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%v: %s, %t, want %q", in, got, ok, want)
		}
	}
}

func TestTextAndLines(t *testing.T) {
	for in, want := range map[string]Text{`"a "`: "a", `12`: "12", `4520031799277581759`: "4520031799277581759", `true`: "true", `null`: "", `{"a": 1}`: "", `[1]`: ""} {
		var got Text
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]Lines{
		`"a\n\n b "`:                              {"a", "b"},
		`["a", "b\nc", 1, null]`:                  {"a", "b", "c"},
		`{"y": "b", "x": ["a"], "z": {"u": "c"}}`: {"a", "b", "c"},
		`null`: nil, `1`: nil,
	} {
		var got Lines
		if err := json.Unmarshal([]byte(in), &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

// TestJSONErrors: an error says where, never what.
func TestJSONErrors(t *testing.T) {
	for _, in := range []string{`{"password": "hunter2`, `hunter2`, `"hunter2"`, ``, `[]`, `12345678`} {
		var v struct{ Password map[string]int }
		err := JSON("http://x/y", []byte(in), &v)
		if err == nil || !strings.HasPrefix(err.Error(), "http://x/y: ") || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "1234") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestToken(t *testing.T) {
	for in, ok := range map[string]bool{"AQAE==\n": true, "": false, "a b": false, "a\r\nX: y": false, "\x00": false, strings.Repeat("a", 5000): false} {
		if _, err := Token([]byte(in)); (err == nil) != ok {
			t.Errorf("%.20q: %v", in, err)
		}
	}
}

// TestNetwork: what cannot be right is left out and reported, each once.
func TestNetwork(t *testing.T) {
	n := NewNetwork("http://x")
	l := n.ByMAC("52-54-00-AA-BB-01")
	l.UseDHCP()
	l.Add("192.0.2.5", "24")
	l.Add("192.0.2.5", "255.255.255.0")
	l.Add("192.0.2.300", "24")
	l.Add("0.0.0.0", "0")
	l.Via("192.0.2.1")
	l.Via("192.0.2.2")
	l.Via("fe80::1")
	l.Via("gateway")
	l.Route("10.1.2.3", "255.0.0.0", "192.0.2.1")
	l.Route("0.0.0.0", "0.0.0.0", "192.0.2.9")
	l.Route("10.0.0.0", "8", "2001:db8::1")
	l.Size("0")
	l.Size("1450")
	l.Size("12")
	n.ByMAC("nonsense").Add("192.0.2.6", "24")
	n.DNS("192.0.2.53", " 192.0.2.53", "x")
	n.Search("example.com.", "example.com", "", "example/0")
	node, report := n.Section()
	want := `dns:
  nameservers:
    - 192.0.2.53
  search:
    - example.com
interfaces:
  mac=52:54:00:aa:bb:01:
    dhcp: true
    addresses:
      - 192.0.2.5/24
    gateway: 192.0.2.1
    gateway_ipv6: fe80::1
    routes:
      - to: 10.0.0.0/8
        via: 192.0.2.1
    mtu: 1450
`
	if d := cmp.Diff(want, osconfig.FormatYAML(node)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(report) != 8 || report.HasErrors() {
		t.Errorf("%d problems:\n%s", len(report), report)
	}
	if node, report := NewNetwork("x").Section(); node != nil || report != nil {
		t.Errorf("%v, %v", node, report)
	}
}

func TestJoin(t *testing.T) {
	section := func(keys ...string) *osconfig.Node {
		n := NewNetwork("x")
		for _, k := range keys {
			n.Named(k).UseDHCP()
		}
		node, _ := n.Section()
		return node
	}
	dns := NewNetwork("x")
	dns.DNS("192.0.2.53")
	servers, _ := dns.Section()
	for name, c := range map[string][2]*osconfig.Node{
		"both": {section("a"), section("a", "b")}, "first": {section("a", "b"), nil}, "second": {nil, section("a", "b")}, "none before": {servers, section("a", "b")},
	} {
		got := Join(c[0], c[1]).Child("interfaces")
		if got == nil || len(got.Map) != 2 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Join(nil, nil) != nil {
		t.Error("something of nothing")
	}
}

// TestDeepLines: lists in lists are read as far as anybody has them, and do
// not cost more than they are long.
func TestDeepLines(t *testing.T) {
	for depth, want := range map[int]int{0: 1, 1: 1, maxDepth: 1, maxDepth + 1: 0, 9000: 0} {
		text := strings.Repeat("[", depth) + `"[a\"["` + strings.Repeat("]", depth)
		var v struct {
			Keys Lines `json:"keys"`
			Name Text  `json:"name"`
		}
		if err := JSON("x", []byte(`{"keys": `+text+`, "name": "n"}`), &v); err != nil || len(v.Keys) != want || v.Name != "n" {
			t.Errorf("%d: %v, %q", depth, err, v)
		}
	}
}

// A gateway that is the machine itself leads nowhere, in whatever order the
// two are said.
func TestOwnGateway(t *testing.T) {
	n := NewNetwork("http://x")
	l := n.Named("eth0")
	l.Via("192.0.2.5")
	l.Via("2001:db8::1")
	l.Add("192.0.2.5", "24")
	l.Add("2001:db8::5", "64")
	node, report := n.Section()
	const want = "interfaces:\n  eth0:\n    addresses:\n      - 192.0.2.5/24\n      - \"2001:db8::5/64\"\n    gateway_ipv6: \"2001:db8::1\"\n"
	if got := osconfig.FormatYAML(node); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	if text := report.String(); !strings.Contains(text, "the gateway 192.0.2.5 is left out: that is the link's own address") {
		t.Errorf("reported: %s", text)
	}
}

// TestContradiction: what links say against each other costs that, and no
// more; found by fuzzing OpenStack's bonds.
func TestContradiction(t *testing.T) {
	n := NewNetwork("http://x")
	leg := n.ByMAC("52:54:00:aa:bb:01")
	leg.Bond = "bond0"
	leg.UseDHCP()
	bond := n.Named("bond0")
	bond.Type = "bond"
	bond.Add("192.0.2.5", "24")
	section, report := n.Section()
	const want = `interfaces:
  bond0:
    type: bond
    addresses:
      - 192.0.2.5/24
  mac=52:54:00:aa:bb:01:
    bond: bond0
`
	if diff := cmp.Diff(want, osconfig.FormatYAML(section)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	const say = "mac=52:54:00:aa:bb:01.dhcp: this link is part of bond0; put it there; left out"
	if len(report) != 1 || report.HasErrors() || !strings.Contains(report.String(), say) {
		t.Errorf("%s, want one warning: %s", report, say)
	}
}
