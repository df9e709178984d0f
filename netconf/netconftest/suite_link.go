package netconftest

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

func testNames(t *testing.T, s *suite) {
	a, b := s.add(t, "na0"), s.add(t, "na1")
	ok(t, s.Kernel.SetUp(a.LinkID))
	ok(t, s.Kernel.SetName(a.LinkID, "na2"))
	ok(t, s.Kernel.SetName(a.LinkID, "na2")) // again is no error
	if l := s.get(t, "na2"); l.Index != a.Index {
		t.Errorf("na0 had index %d, na2 has %d", a.Index, l.Index)
	}
	refused(t, "a name that is taken", s.Kernel.SetName(b.LinkID, "na2"), "na1", "na2")
	refused(t, "a link that is there", s.Kernel.AddLink("na2", "k", netconf.Device{Kind: netconf.KindBridge}), "na2")
	ok(t, s.Kernel.SetName(a.LinkID, "na0"))
}

// testByName: a link that the plan has just made has no index yet.
func testByName(t *testing.T, s *suite) {
	s.add(t, "bn0")
	id := netconf.LinkID{Name: "bn0"}
	ok(t, s.Kernel.SetUp(id))
	ok(t, s.Kernel.SetMTU(id, 1400))
	ok(t, s.Kernel.SetIPv6(id, netconf.IPv6{}))
	ok(t, s.Kernel.AddAddr(id, prefix("10.20.0.5/24")))
	ok(t, s.Kernel.AddRoute(netconf.Route{Link: id, Dst: prefix("10.21.0.0/16"), Metric: 5}))
	l := s.get(t, "bn0")
	if !l.Up || l.MTU != 1400 {
		t.Errorf("%+v", l)
	}
	same(t, "addresses", []string{"10.20.0.5/24 own"}, s.addrs(t, "bn0"))
	same(t, "routes", []string{"10.21.0.0/16 dev bn0 metric 5"}, s.routes(t, l))
	ok(t, s.Kernel.DelAddr(id, prefix("10.20.0.5/24")))
	refused(t, "no such link", s.Kernel.SetUp(netconf.LinkID{Name: "bn9"}), "bn9")
	refused(t, "no such link", s.Kernel.AddAddr(netconf.LinkID{Name: "bn9"}, prefix("10.20.0.5/24")), "bn9")
}

func testMAC(t *testing.T, s *suite) {
	own := s.add(t, "ma0")
	l := own
	ok(t, s.Kernel.SetMAC(l.LinkID, "02:00:00:00:77:01"))
	if l = s.get(t, "ma0"); l.MAC != "02:00:00:00:77:01" {
		t.Errorf("MAC address is %s", l.MAC)
	}
	if l.PermMAC != "" && l.PermMAC != own.MAC {
		t.Errorf("its permanent address is %s, it was made with %s", l.PermMAC, own.MAC)
	}
	ok(t, s.Kernel.SetMTU(l.LinkID, 1400))
	// Both can be given back: what the link had is what was read.
	ok(t, s.Kernel.SetMAC(l.LinkID, own.MAC))
	ok(t, s.Kernel.SetMTU(l.LinkID, own.MTU))
	if l = s.get(t, "ma0"); l.MAC != own.MAC || l.MTU != own.MTU || l.PermMAC != own.PermMAC {
		t.Errorf("given back: %+v, want %+v", l, own)
	}
	refused(t, "a group's address", s.Kernel.SetMAC(l.LinkID, "01:00:5e:00:00:01"), "ma0", "01:00:5e:00:00:01")
}

// testDown: IPv4 addresses stay, IPv6 ones and routes go.
func testDown(t *testing.T, s *suite) {
	l := s.add(t, "dn0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.22.0.5/24")))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("fd00:22::5/64")))
	ok(t, s.Kernel.AddRoute(defaultVia(l, "10.22.0.1", 7)))
	ok(t, s.Kernel.SetDown(l.LinkID))
	ok(t, s.Kernel.SetDown(l.LinkID))
	if l = s.get(t, "dn0"); l.Up || l.Carrier {
		t.Errorf("set down: %+v", l)
	}
	same(t, "addresses", []string{"10.22.0.5/24 own"}, s.addrs(t, "dn0"))
	same(t, "routes", []string{}, s.routes(t, l))
	refused(t, "a route on a link that is down", s.Kernel.AddRoute(defaultVia(l, "10.22.0.1", 7)), "dn0", "10.22.0.1")
}

func testIPv6(t *testing.T, s *suite) {
	l := s.add(t, "si0")
	if !l.IPv6.Unset {
		t.Errorf("fresh link: %+v", l.IPv6)
	}
	for _, v := range []netconf.IPv6{{AcceptRA: true}, {Privacy: true}, {AcceptRA: true, Privacy: true}, {}} {
		ok(t, s.Kernel.SetIPv6(l.LinkID, v))
		if l = s.get(t, "si0"); l.IPv6 != v {
			t.Errorf("is %+v, want %+v", l.IPv6, v)
		}
	}
}

func testSolicitation(t *testing.T, s *suite) {
	l := s.add(t, "so0")
	refused(t, "solicitation on a link that is down", s.Kernel.Solicit(l.LinkID), "so0", "advertisement")
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.until(t, "a solicitation", func() bool { return s.Kernel.Solicit(l.LinkID) == nil })
	s.DelLink("so0")
	refused(t, "solicitation on a link that is gone", s.Kernel.Solicit(l.LinkID), "so0", "advertisement")
}

// rdnss is RFC 8106's option with one server, for 600 s.
func rdnss(server string) []byte {
	return slices.Concat([]byte{25, 3, 0, 0, 0, 0, 2, 88}, netip.MustParseAddr(server).AsSlice())
}

func testAdvertisement(t *testing.T, s *suite) {
	adverts, err := s.Kernel.Adverts(t.Context())
	ok(t, err)
	deaf, l := s.add(t, "ra0"), s.add(t, "ra1")
	ok(t, s.Kernel.SetIPv6(deaf.LinkID, netconf.IPv6{}))
	ok(t, s.Kernel.SetIPv6(l.LinkID, netconf.IPv6{AcceptRA: true}))
	ok(t, s.Kernel.SetUp(deaf.LinkID))
	ok(t, s.Kernel.SetUp(l.LinkID))
	var made netconf.Address
	s.until(t, "an address by an advertisement", func() bool {
		s.Advertise("ra0", true, true, prefix("fd00:23::/64"), rdnss("fd00::53"))
		s.Advertise("ra1", true, false, prefix("fd00:24::/64"), rdnss("fd00::54"))
		for _, a := range s.get(t, "ra1").Addresses {
			if prefix("fd00:24::/64").Contains(a.Prefix.Addr()) {
				made = a
				return !a.Tentative
			}
		}
		return false
	})
	if !made.Kernel || made.Own || made.Duplicate {
		t.Errorf("address by an advertisement: %+v", made)
	}
	if l = s.get(t, "ra1"); !l.Managed || l.OtherConfig {
		t.Errorf("advertised was M without O; link: %+v", l)
	}
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for seen := false; !seen; {
		select {
		case a := <-adverts:
			if a.Link != l.Index || !a.Router.IsLinkLocalUnicast() {
				t.Errorf("advert: %+v, want from link %d", a, l.Index)
			}
			seen = bytes.Equal(a.Options, rdnss("fd00::54")) // Linux passes other options, too
		case <-deadline.C:
			t.Fatal("no advert of a name server within 10 s")
		}
	}
	if deaf = s.get(t, "ra0"); deaf.Managed || len(s.addrs(t, "ra0")) > 0 {
		t.Errorf("a link that ignores advertisements has listened: %+v", deaf)
	}
	s.Advertise("ra1", false, true, prefix("fd00:24::/64"), nil)
	s.until(t, "O without M", func() bool { l := s.get(t, "ra1"); return !l.Managed && l.OtherConfig })
}

func testHardware(t *testing.T, s *suite) {
	l := s.add(t, "hw0")
	have, err := s.Kernel.Hardware(l.LinkID)
	ok(t, err)
	if _, there := have.Offloads["rx-gro"]; !there {
		t.Fatalf("no offload rx-gro: %+v", have)
	}
	for _, on := range []bool{false, true} {
		want := netconf.Hardware{Offloads: map[string]bool{"gro": on, "tx": on}}
		ok(t, s.Kernel.SetHardware(l.LinkID, want))
		if have, err = s.Kernel.Hardware(l.LinkID); err != nil || want.Differs(have) || have.Offloads["rx-gro"] != on {
			t.Errorf("%v: is %+v, want %+v", err, have, want)
		}
		ok(t, s.Kernel.SetHardware(l.LinkID, want)) // again is no error
	}
	refused(t, "an offload that nobody has", s.Kernel.SetHardware(l.LinkID, netconf.Hardware{Offloads: map[string]bool{"fcoe-mtu": true}}), "hw0")
	refused(t, "a ring that is too large", s.Kernel.SetHardware(l.LinkID, netconf.Hardware{RingRX: 1 << 30}), "hw0")
	ok(t, s.Kernel.SetHardware(l.LinkID, netconf.Hardware{Offloads: map[string]bool{"fcoe-mtu": false}}))
}
