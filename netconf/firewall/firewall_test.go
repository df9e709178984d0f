package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestFromConfig(t *testing.T) {
	spec, errs := FromConfig(osconfig.Firewall{
		Policy: "drop", PublishedPorts: true,
		Allow: []osconfig.FirewallRule{
			{Ports: osconfig.Texts{"22", "8000-8080"}, From: osconfig.Texts{"192.0.2.7", "2001:db8::1/64"}, Interface: "eth*"},
			{Protocol: "icmp"},
			{Ports: osconfig.Texts{"80-22"}},
			{Ports: osconfig.Texts{"0"}},
			{Ports: osconfig.Texts{"65536"}},
			{Protocol: "icmp", Ports: osconfig.Texts{"8"}},
			{Protocol: "sctp"},
			{From: osconfig.Texts{"192.0.2.0/24", "nowhere"}},
			{Interface: "mac=52:54:00:00:00:01"},
			{Interface: "e*0"},
			{Interface: "longer-than-a-name"},
		},
	})
	want := []string{
		"firewall policy drop, also for published container ports",
		"firewall allow tcp 22, 8000-8080 from 192.0.2.7/32, 2001:db8::/64 on eth*",
		"firewall allow icmp",
	}
	if d := cmp.Diff(want, spec.Lines()); d != "" {
		t.Error(d)
	}
	if len(errs) != 9 {
		t.Errorf("%d problems, want 9: %v", len(errs), errs)
	}
	for i, err := range errs {
		if s := err.Error(); !strings.HasPrefix(s, "rancher.network.firewall.allow[") || !strings.HasSuffix(s, "; the rule is left out") {
			t.Errorf("problem %d: %s", i, s)
		}
	}
	if spec, errs := FromConfig(osconfig.Firewall{Policy: "deny", Allow: []osconfig.FirewallRule{{}}}); spec.Policy != Off || len(errs) != 1 {
		t.Errorf("a policy that is none: %v, %v", spec, errs)
	}
	spec, errs = FromConfig(osconfig.Firewall{Allow: []osconfig.FirewallRule{{Ports: osconfig.Texts{"22"}}}})
	if d := cmp.Diff([]string{"firewall off"}, spec.Lines()); d != "" || errs != nil {
		t.Errorf("without a policy: %s, %v", d, errs)
	}
}

// rules prints what the kernel would get, a line each.
func rules(spec Spec) []string {
	out := []string{}
	for _, c := range compile(spec) {
		for _, r := range c.rules {
			out = append(out, c.name+": "+r.String())
		}
	}
	return out
}

func TestCompile(t *testing.T) {
	if d := cmp.Diff([]string{}, rules(Spec{Allow: []Rule{{Protocol: "tcp"}}})); d != "" {
		t.Errorf("off: %s", d)
	}
	prefix := netip.MustParsePrefix
	got := rules(Spec{Policy: Drop, PublishedPorts: true, Allow: []Rule{
		{
			Protocol: "tcp", Interface: "eth0", Ports: []PortRange{{443, 443}, {80, 90}, {85, 99}, {100, 100}},
			From: []netip.Prefix{prefix("2001:db8::/32"), prefix("10.1.0.0/16"), prefix("10.0.0.0/8"), prefix("192.0.2.0/24"), prefix("10.0.0.0/8")},
		},
		{Protocol: "any", Interface: "docker*"},
	}})
	skip := len(always()) // the next
	want := []string{
		"input: ct state invalid drop",
		`input: meta nfproto ipv4 iifname "eth0" meta l4proto tcp tcp dport { 80-100, 443 } ip saddr { 10.0.0.0/8, 192.0.2.0/24 } accept`,
		`input: meta nfproto ipv6 iifname "eth0" meta l4proto tcp tcp dport { 80-100, 443 } ip6 saddr { 2001:db8::/32 } accept`,
		`input: iifname "docker*" accept`,
		"published: ct state established,related accept",
		"published: ct status ! dnat accept",
		`published: meta nfproto ipv4 iifname "eth0" meta l4proto tcp ct original proto-dst { 80-100, 443 } ip saddr { 10.0.0.0/8, 192.0.2.0/24 } accept`,
		`published: meta nfproto ipv6 iifname "eth0" meta l4proto tcp ct original proto-dst { 80-100, 443 } ip6 saddr { 2001:db8::/32 } accept`,
		`published: iifname "docker*" accept`,
		"published: ct status dnat drop",
	}
	if d := cmp.Diff(want, got[skip:]); d != "" {
		t.Error(d)
	}
	for _, s := range rules(Spec{Policy: Accept, PublishedPorts: true}) {
		if strings.HasSuffix(s, "drop") {
			t.Errorf("policy accept: %s", s)
		}
	}
}

func TestGuardRules(t *testing.T) {
	lines := func(own ...string) []string {
		var out []string
		for _, c := range guard(own).chains {
			if c.policy != nftables.ChainPolicyDrop {
				t.Errorf("policy of %s is %d", c.name, c.policy)
			}
			for _, r := range c.rules {
				out = append(out, r.String())
			}
		}
		return out
	}
	if d := cmp.Diff([]string{`meta iifkind "bridge" accept`, `meta oifkind "bridge" accept`}, lines()); d != "" {
		t.Error(d)
	}
	want := []string{
		`iifname "br-lan" oifname "br-lan" accept`,
		`iifname "br0" oifname "br0" accept`,
		`meta iifkind "bridge" iifname != "br-lan" iifname != "br0" accept`,
		`meta oifkind "bridge" oifname != "br-lan" oifname != "br0" accept`,
	}
	if d := cmp.Diff(want, lines("br-lan", "br0")); d != "" {
		t.Error(d)
	}
}

// TestMarks: what changes the rules changes every mark.
func TestMarks(t *testing.T) {
	base := Spec{Policy: Drop, Allow: []Rule{{Protocol: "tcp", Ports: []PortRange{{22, 22}}}}}
	have := func(spec Spec) map[string][]string {
		out := map[string][]string{}
		for _, c := range compile(spec) {
			out[c.name] = c.marks(compile(spec))
		}
		return out
	}
	if !same(have(base), compile(base)) {
		t.Error("the same is not the same")
	}
	for _, other := range []Spec{
		{},
		{Policy: Drop},
		{Policy: Accept, Allow: base.Allow},
		{Policy: Drop, Allow: base.Allow, PublishedPorts: true},
		{Policy: Drop, Allow: []Rule{{Protocol: "tcp", Ports: []PortRange{{23, 23}}}}},
		{Policy: Drop, Allow: []Rule{{Protocol: "udp", Ports: []PortRange{{22, 22}}}}},
		{Policy: Drop, Allow: []Rule{{Protocol: "tcp", Ports: []PortRange{{22, 22}}, Interface: "eth0"}}},
	} {
		if same(have(base), compile(other)) || same(have(other), compile(base)) {
			t.Errorf("%v is taken for %v", other, base)
		}
	}
}

func TestLast(t *testing.T) {
	for s, want := range map[string]string{
		"10.0.0.0/8": "10.255.255.255", "192.0.2.7/32": "192.0.2.7", "0.0.0.0/0": "255.255.255.255",
		"2001:db8::/33": "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
	} {
		if got := last(netip.MustParsePrefix(s)); got.String() != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}
