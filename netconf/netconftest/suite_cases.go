package netconftest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/netconf"
)

func testLoopback(t *testing.T, s *suite) {
	l := s.get(t, "lo")
	if !l.Loopback || l.Index != 1 {
		t.Errorf("lo: loopback %v, index %d", l.Loopback, l.Index)
	}
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.SetUp(l.LinkID))
	same(t, "addresses of lo", []string{"127.0.0.1/8", "::1/128"}, s.addrs(t, "lo"))
}

func testLink(t *testing.T, s *suite) {
	l := s.add(t, "l0")
	if l.Up || l.Carrier || l.MTU != 1500 || l.Loopback || len(l.MAC) != 17 {
		t.Errorf("fresh link: %+v", l)
	}
	ok(t, s.Kernel.SetMTU(l.LinkID, 1400))
	ok(t, s.Kernel.SetUp(l.LinkID))
	l = s.get(t, "l0")
	if !l.Up || l.MTU != 1400 {
		t.Errorf("after set up and MTU: %+v", l)
	}
	err := s.Kernel.SetMTU(l.LinkID, 10)
	if err == nil || !strings.Contains(err.Error(), "l0") || !strings.Contains(err.Error(), "10") {
		t.Errorf("MTU 10: error is %v; want one that names link and MTU", err)
	}
}

func testAddresses(t *testing.T, s *suite) {
	l := s.add(t, "a0")
	for _, p := range []string{"10.1.0.5/24", "10.1.0.6/32", "fd00:1::5/64"} {
		ok(t, s.Kernel.AddAddr(l.LinkID, prefix(p)))
		ok(t, s.Kernel.AddAddr(l.LinkID, prefix(p))) // again is no error
	}
	same(t, "after adding", []string{"10.1.0.5/24 own", "10.1.0.6/32 own", "fd00:1::5/64 own"}, s.addrs(t, "a0"))
	for range 2 { // again is no error
		ok(t, s.Kernel.DelAddr(l.LinkID, prefix("10.1.0.6/32")))
		ok(t, s.Kernel.DelAddr(l.LinkID, prefix("fd00:1::5/64")))
	}
	same(t, "after removing", []string{"10.1.0.5/24 own"}, s.addrs(t, "a0"))
}

// testSecondary holds the fake to a trap of Linux: an address goes with the
// first one of its subnet.
func testSecondary(t *testing.T, s *suite) {
	l := s.add(t, "s0")
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.2.0.5/24")))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.2.0.6/24")))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.3.0.6/24")))
	ok(t, s.Kernel.DelAddr(l.LinkID, prefix("10.2.0.5/24")))
	same(t, "addresses", []string{"10.3.0.6/24 own"}, s.addrs(t, "s0"))
}

func testRoutes(t *testing.T, s *suite) {
	l := s.add(t, "r0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.4.0.5/24")))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("fd00:4::5/64")))
	err := s.Kernel.AddRoute(defaultVia(l, "10.99.0.1", 50))
	if err == nil || !strings.Contains(err.Error(), "r0") || !strings.Contains(err.Error(), "10.99.0.1") {
		t.Errorf("gateway out of reach: error is %v; want one that names link and gateway", err)
	}
	subnet := netconf.Route{Link: l.LinkID, Dst: prefix("10.44.0.0/16"), Metric: 7}
	for _, r := range []netconf.Route{
		defaultVia(l, "10.4.0.1", 102), defaultVia(l, "fd00:4::1", 102), subnet,
		defaultVia(l, "10.4.0.1", 102), // again is no error
		defaultVia(l, "fd00:4::1", 102), subnet,
	} {
		ok(t, s.Kernel.AddRoute(r))
	}
	same(t, "routes", []string{"10.44.0.0/16 dev r0 metric 7",
		"default via 10.4.0.1 dev r0 metric 102", "default via fd00:4::1 dev r0 metric 102"}, s.routes(t, l))
	ok(t, s.Kernel.AddRoute(defaultVia(l, "10.4.0.2", 102)))
	ok(t, s.Kernel.AddRoute(defaultVia(l, "fd00:4::2", 102)))
	for range 2 { // again is no error
		ok(t, s.Kernel.DelRoute(subnet))
	}
	same(t, "replaced and removed", []string{
		"default via 10.4.0.2 dev r0 metric 102", "default via fd00:4::2 dev r0 metric 102"}, s.routes(t, l))
	ok(t, s.Kernel.DelRoute(defaultVia(l, "10.4.0.2", 102)))
	ok(t, s.Kernel.DelRoute(defaultVia(l, "fd00:4::2", 102)))
	same(t, "all removed", []string{}, s.routes(t, l))
}

func testOnLink(t *testing.T, s *suite) {
	l := s.add(t, "o0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.5.0.5/32")))
	r := defaultVia(l, "172.31.1.1", 102)
	r.OnLink = true
	ok(t, s.Kernel.AddRoute(r))
	same(t, "routes", []string{"default via 172.31.1.1 dev o0 metric 102 onlink"}, s.routes(t, l))
}

func testRouteSource(t *testing.T, s *suite) {
	l := s.add(t, "q0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.6.0.5/24")))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.7.0.5/24")))
	r := defaultVia(l, "10.6.0.1", 102)
	r.Source = netip.MustParseAddr("10.7.0.5")
	ok(t, s.Kernel.AddRoute(r))
	same(t, "routes", []string{"default via 10.6.0.1 dev q0 src 10.7.0.5 metric 102"}, s.routes(t, l))
	ok(t, s.Kernel.DelAddr(l.LinkID, prefix("10.7.0.5/24")))
	same(t, "routes after their source has gone", []string{}, s.routes(t, l))
	ok(t, s.Kernel.AddRoute(defaultVia(l, "10.6.0.1", 102)))
	ok(t, s.Kernel.DelAddr(l.LinkID, prefix("10.6.0.5/24")))
	same(t, "routes after the last address has gone", []string{}, s.routes(t, l))
}

func testForeign(t *testing.T, s *suite) {
	l := s.add(t, "f0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.AddForeignAddr("f0", prefix("10.8.0.5/24"))
	s.AddForeignRoute("f0", prefix("10.88.0.0/16"))
	same(t, "addresses", []string{"10.8.0.5/24"}, s.addrs(t, "f0"))
	same(t, "routes of ours", []string{}, s.routes(t, l))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.8.0.5/24")))
	same(t, "adding does not take ownership", []string{"10.8.0.5/24"}, s.addrs(t, "f0"))
}

// testGone: what is to be removed has gone with its link; what is to be added
// has nowhere to go.
func testGone(t *testing.T, s *suite) {
	l := s.add(t, "g0")
	s.DelLink("g0")
	ok(t, s.Kernel.DelAddr(l.LinkID, prefix("10.9.0.5/24")))
	ok(t, s.Kernel.DelRoute(defaultVia(l, "10.9.0.1", 102)))
	for what, err := range map[string]error{
		"up": s.Kernel.SetUp(l.LinkID), "address": s.Kernel.AddAddr(l.LinkID, prefix("10.9.0.5/24")),
	} {
		if err == nil || !strings.Contains(err.Error(), "g0") {
			t.Errorf("%s on a link that has gone: error is %v; want one that names it", what, err)
		}
	}
}
