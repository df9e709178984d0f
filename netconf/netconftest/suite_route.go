package netconftest

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	"github.com/pharos-os/pharos/netconf"
)

// mine lists our routes to destinations below one prefix, in order.
func (s *suite) mine(t *testing.T, below string) []netconf.Route {
	t.Helper()
	routes, err := s.Kernel.Routes()
	ok(t, err)
	routes = slices.DeleteFunc(routes, func(r netconf.Route) bool { return !prefix(below).Overlaps(r.Dst) || r.Dst.Bits() == 0 })
	for i := range routes {
		routes[i].Link.Name = ""
	}
	slices.SortFunc(routes, func(a, b netconf.Route) int {
		return cmp.Or(a.Dst.Compare(b.Dst), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Metric, b.Metric))
	})
	return routes
}

// testRouteKinds: each kind of route is reported as Route.Normal has it.
func testRouteKinds(t *testing.T, s *suite) {
	l := s.add(t, "rk0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.30.0.5/24")))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("fd00:30::5/64")))
	s.until(t, "the end of duplicate address detection: no route has a tentative source", func() bool {
		return !slices.ContainsFunc(s.get(t, "rk0").Addresses, func(a netconf.Address) bool { return a.Tentative })
	})
	at := netconf.LinkID{Index: l.Index}
	via, via6 := netip.MustParseAddr("10.30.0.1"), netip.MustParseAddr("fd00:30::1")
	for below, routes := range map[string][]netconf.Route{
		"10.31.0.0/16": {
			{Link: at, Dst: prefix("10.31.1.0/24"), Metric: 1},
			{Link: at, Dst: prefix("10.31.2.0/24"), Gateway: via, MTU: 1300},
			{Link: at, Dst: prefix("10.31.3.0/24"), Scope: "host"},
			{Link: at, Dst: prefix("10.31.4.0/24"), Gateway: via, Source: netip.MustParseAddr("10.30.0.5"), Table: 300, Metric: 7},
			{Dst: prefix("10.31.5.0/24"), Type: "blackhole", Metric: 3},
			{Dst: prefix("10.31.6.0/24"), Type: "unreachable", Table: 9},
			{Dst: prefix("10.31.7.0/24"), Type: "prohibit"},
			{Link: at, Dst: prefix("10.31.8.0/24"), Gateway: via, Table: 254, Scope: "global", Type: "unicast"},
			{Link: at, Dst: prefix("10.31.9.0/24"), Scope: "link"},
		},
		"fd00:31::/32": {
			{Link: at, Dst: prefix("fd00:31:1::/48"), Metric: 1},
			{Link: at, Dst: prefix("fd00:31:2::/48"), Gateway: via6, MTU: 1300},
			{Link: at, Dst: prefix("fd00:31:4::/48"), Gateway: via6, Source: netip.MustParseAddr("fd00:30::5"), Table: 300, Metric: 7},
			{Dst: prefix("fd00:31:5::/48"), Type: "blackhole", Metric: 3},
			{Dst: prefix("fd00:31:6::/48"), Type: "unreachable", Table: 9},
			{Dst: prefix("fd00:31:7::/48"), Type: "prohibit"},
		},
	} {
		var want []netconf.Route
		for range 2 { // again is no error
			for _, r := range routes {
				ok(t, s.Kernel.AddRoute(r))
			}
		}
		for _, r := range routes {
			want = append(want, r.Normal())
		}
		Compare(t, "added", want, s.mine(t, below))
		for range 2 {
			for _, r := range routes {
				ok(t, s.Kernel.DelRoute(r))
			}
		}
		Compare(t, "removed", nil, s.mine(t, below))
	}
}

// testTables: the same destination in several tables and with several metrics
// is several routes.
func testTables(t *testing.T, s *suite) {
	l := s.add(t, "tb0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	var want []netconf.Route
	for _, table := range []int{0, 77, 1000} {
		for _, metric := range []int{1, 2} {
			want = append(want, netconf.Route{Link: netconf.LinkID{Index: l.Index}, Dst: prefix("10.32.0.0/16"), Table: table, Metric: metric})
		}
	}
	for _, r := range want {
		ok(t, s.Kernel.AddRoute(r))
	}
	Compare(t, "added", want, s.mine(t, "10.32.0.0/16"))
	ok(t, s.Kernel.DelRoute(want[2]))
	Compare(t, "one removed", slices.Delete(slices.Clone(want), 2, 3), s.mine(t, "10.32.0.0/16"))
	want[5].MTU = 1280 // takes the place of the one that is there
	ok(t, s.Kernel.AddRoute(want[5]))
	Compare(t, "one replaced", slices.Delete(slices.Clone(want), 2, 3), s.mine(t, "10.32.0.0/16"))
	ok(t, s.Kernel.SetDown(l.LinkID))
	Compare(t, "after the link went down", nil, s.mine(t, "10.32.0.0/16"))
}

func testRules(t *testing.T, s *suite) {
	want := []netconf.Rule{
		{From: prefix("10.33.0.0/16"), Table: 300, Priority: 1001},
		{To: prefix("10.34.0.0/16"), Mark: 7, Table: 70, Priority: 1002},
		{IIF: "lo", OIF: "missing0", Table: 254, Priority: 1003},
		{From: prefix("fd00:33::/64"), To: prefix("fd00:34::/64"), Table: 300, Priority: 1001, IPv6: true},
	}
	have := func() []netconf.Rule {
		rules, err := s.Kernel.Rules()
		ok(t, err)
		return rules
	}
	if len(have()) > 0 {
		t.Fatalf("rules of ours in a fresh namespace: %v", have())
	}
	for range 2 {
		for _, r := range want {
			ok(t, s.Kernel.AddRule(r))
		}
	}
	if !slices.Equal(want, have()) {
		t.Errorf("rules are %v, want %v", have(), want)
	}
	refused(t, "a rule without a table", s.Kernel.AddRule(netconf.Rule{From: prefix("10.35.0.0/16"), Priority: 5}), "10.35.0.0/16")
	for range 2 {
		for _, r := range want {
			ok(t, s.Kernel.DelRule(r))
		}
	}
	if len(have()) > 0 {
		t.Errorf("rules are still %v", have())
	}
}

// testLostRoute: somebody removes a route of ours, which is to be seen.
func testLostRoute(t *testing.T, s *suite) {
	l := s.add(t, "lr0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	r := netconf.Route{Link: l.LinkID, Dst: prefix("10.36.0.0/16"), Metric: 5}
	ok(t, s.Kernel.AddRoute(r))
	signal, err := s.Kernel.Subscribe(t.Context())
	ok(t, err)
	s.RemoveRoute(r.Dst)
	wait(t, signal, "route removed", func() bool { return len(s.mine(t, "10.36.0.0/16")) == 0 })
}
