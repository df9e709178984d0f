package netconf_test

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite golden files")
	m.Run()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func id(index int, name string) netconf.LinkID { return netconf.LinkID{Index: index, Name: name} }

func route(link netconf.LinkID, gateway string, metric int) netconf.Route {
	return netconf.Route{Link: link, Dst: netip.MustParsePrefix("0.0.0.0/0"),
		Gateway: netip.MustParseAddr(gateway), Metric: metric}
}

func own(list ...string) (out []netconf.Address) {
	for _, p := range prefixes(list...) {
		out = append(out, netconf.Address{Prefix: p, Own: true})
	}
	return out
}

func TestDiff(t *testing.T) {
	lo := netconf.Link{LinkID: id(1, "lo"), Loopback: true, Up: true, MTU: 65536}
	down := netconf.Link{LinkID: id(2, "eth0"), MTU: 1500}
	up := func(addresses ...netconf.Address) netconf.Link {
		return netconf.Link{LinkID: id(2, "eth0"), Up: true, MTU: 1500, Addresses: addresses}
	}
	static := netconf.Target{Link: id(2, "eth0"), MTU: 9000, Addresses: prefixes("10.0.0.2/24", "fd00::2/64"),
		Routes: []netconf.Route{route(id(2, "eth0"), "10.0.0.1", 102)}}
	for _, c := range []struct {
		name    string
		targets []netconf.Target
		links   []netconf.Link
		routes  []netconf.Route
	}{
		{"from nothing", []netconf.Target{static},
			[]netconf.Link{{LinkID: id(1, "lo"), Loopback: true, MTU: 65536}, down}, nil},
		{"nothing to do", []netconf.Target{static},
			[]netconf.Link{lo, {LinkID: id(2, "eth0"), Up: true, MTU: 9000, Addresses: own("fd00::2/64", "10.0.0.2/24")}},
			[]netconf.Route{route(id(2, ""), "10.0.0.1", 102)}},
		{"another address and gateway", []netconf.Target{{Link: id(2, "eth0"), Addresses: prefixes("10.0.1.2/24"),
			Routes: []netconf.Route{route(id(2, "eth0"), "10.0.1.1", 102)}}},
			[]netconf.Link{up(own("10.0.0.2/24")...)},
			[]netconf.Route{route(id(2, ""), "10.0.0.1", 102), route(id(2, ""), "10.0.0.1", 1002)}},
		{"keep until asked", []netconf.Target{{Link: id(2, "eth0"), Keep: true}},
			[]netconf.Link{up(own("10.0.0.2/24")...)}, []netconf.Route{route(id(2, ""), "10.0.0.1", 1002)}},
		{"foreign addresses stay", []netconf.Target{{Link: id(2, "eth0")}},
			[]netconf.Link{up(netconf.Address{Prefix: netip.MustParsePrefix("10.0.0.9/24")}),
				{LinkID: id(3, "docker0"), MTU: 1500, Addresses: []netconf.Address{{Prefix: netip.MustParsePrefix("172.17.0.1/16")}}}}, nil},
		{"foreign addresses go at a take-over", []netconf.Target{{Link: id(2, "eth0"), Flush: true, Addresses: prefixes("10.0.0.2/24")}},
			[]netconf.Link{up(netconf.Address{Prefix: netip.MustParsePrefix("10.0.0.9/24")}, netconf.Address{Prefix: netip.MustParsePrefix("10.0.0.2/24")},
				netconf.Address{Prefix: netip.MustParsePrefix("fd00::9/64")}, netconf.Address{Prefix: netip.MustParsePrefix("fe80::9/64")},
				netconf.Address{Prefix: netip.MustParsePrefix("2001:db8::9/64"), Kernel: true})}, nil},
		{"no longer managed", nil, []netconf.Link{up(own("10.0.0.2/24")...)},
			[]netconf.Route{route(id(2, ""), "10.0.0.1", 102)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, problems := netconf.Diff(netconf.Desired{Targets: c.targets}, netconf.Observed{Links: c.links, Routes: c.routes})
			if problems != nil {
				t.Error(problems)
			}
			golden(t, "plan-"+strings.ReplaceAll(c.name, " ", "-"), plan.String())
		})
	}
}

// TestApplyGoesOn: one refusal does not keep the rest from being done.
func TestApplyGoesOn(t *testing.T) {
	k := netconftest.NewKernel()
	eth0 := id(k.AddHardware("eth0", "", "02:00:00:00:00:01"), "eth0")
	refused := errors.New("refused")
	k.Refuse(func(call string) error {
		if strings.HasPrefix(call, "addr add 10.0.0.2/24") {
			return refused
		}
		return nil
	})
	plan := netconf.Plan{{Kind: netconf.OpSetUp, Link: eth0}, {Kind: netconf.OpAddAddr, Link: eth0, Addr: netip.MustParsePrefix("10.0.0.2/24")},
		{Kind: netconf.OpAddAddr, Link: eth0, Addr: netip.MustParsePrefix("10.0.0.3/24")}}
	var outcomes []error
	plan.Apply(k, func(_ netconf.Op, err error) { outcomes = append(outcomes, err) })
	if len(outcomes) != 3 || outcomes[0] != nil || !errors.Is(outcomes[1], refused) || outcomes[2] != nil {
		t.Errorf("got %v, want the second refused", outcomes)
	}
	links, err := k.Links()
	if err != nil || !links[1].Up || !links[1].Has(netip.MustParsePrefix("10.0.0.3/24")) {
		t.Errorf("%v: %+v", err, links[1])
	}
}
