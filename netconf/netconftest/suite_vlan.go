package netconftest

import (
	"maps"
	"testing"

	"github.com/pharos-os/pharos/netconf"
)

// testVLAN: a VLAN goes up and down with its parent, and away with it.
func testVLAN(t *testing.T, s *suite) {
	parent := s.add(t, "vl0")
	device := netconf.Device{Kind: netconf.KindVLAN, Parent: "vl0", ID: 100}
	l := s.make(t, "vl1", device)
	if d := l.Device; d.Parent != "vl0" || d.ID != 100 || d.Protocol != "802.1q" || l.MAC != parent.MAC || l.MTU != 1500 || l.PermMAC != "" {
		t.Errorf("fresh: %+v", l)
	}
	refused(t, "up while the parent is down", s.Kernel.SetUp(l.LinkID), "vl1")
	refused(t, "the same number twice", s.Kernel.AddLink("vl2", "k", device), "vl2")
	refused(t, "a parent that is not there",
		s.Kernel.AddLink("vl3", "k", netconf.Device{Kind: netconf.KindVLAN, Parent: "vl9", ID: 5}), "vl3", "vl9")
	ok(t, s.Kernel.SetUp(parent.LinkID))
	ok(t, s.Kernel.SetUp(l.LinkID))
	carrier := func() bool { return s.get(t, "vl1").Carrier }
	s.until(t, "a carrier", carrier)
	s.Plug("vl0", false)
	s.until(t, "no carrier without the parent's", func() bool { return !carrier() })
	s.Plug("vl0", true)
	s.until(t, "a carrier again", carrier)
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.60.0.5/24")))
	ok(t, s.Kernel.SetDown(parent.LinkID))
	if s.get(t, "vl1").Up {
		t.Error("it is up while its parent is down")
	}
	ok(t, s.Kernel.SetUp(parent.LinkID))
	if !s.get(t, "vl1").Up {
		t.Error("it is down while its parent is up again")
	}
	refused(t, "a larger MTU than the parent's", s.Kernel.SetMTU(l.LinkID, 9000), "vl1", "9000")
	ok(t, s.Kernel.SetMTU(parent.LinkID, 9000))
	ok(t, s.Kernel.SetMTU(l.LinkID, 8000))
	ok(t, s.Kernel.SetMTU(parent.LinkID, 1400))
	if l = s.get(t, "vl1"); l.MTU != 1400 {
		t.Errorf("MTU is %d when the parent's is 1400", l.MTU)
	}
	ok(t, s.Kernel.SetName(parent.LinkID, "vl7"))
	if l = s.get(t, "vl1"); l.Device.Parent != "vl7" {
		t.Errorf("parent is %s when it was renamed to vl7", l.Device.Parent)
	}
	refused(t, "another number", s.Kernel.SetDevice(l.LinkID, netconf.Device{Kind: netconf.KindVLAN, Parent: "vl7", ID: 101}), "vl1")
	s.DelLink("vl7")
	if _, found := s.find(t, "vl1"); found {
		t.Error("it is still there without its parent")
	}
	ok(t, s.Kernel.DelLink(l.LinkID))
}

func testVLANPriorities(t *testing.T, s *suite) {
	s.add(t, "vq0")
	want := netconf.Device{Kind: netconf.KindVLAN, Parent: "vq0", ID: 7,
		Egress: map[uint32]uint32{0: 1, 5: 6, 1000: 7}, Ingress: map[uint32]uint32{1: 10, 7: 70}}
	l := s.make(t, "vq1", want)
	for _, change := range []func(){
		func() { want.Egress = map[uint32]uint32{0: 2, 1000: 7} },
		func() { want.Ingress = map[uint32]uint32{7: 71, 2: 20} },
		func() { want.Egress, want.Ingress = map[uint32]uint32{}, map[uint32]uint32{3: 0} },
	} {
		want.Egress, want.Ingress = maps.Clone(want.Egress), maps.Clone(want.Ingress)
		change()
		if !want.Differs(s.get(t, "vq1").Device) {
			t.Errorf("%s is there already", want)
		}
		ok(t, s.Kernel.SetDevice(l.LinkID, want))
		if have := s.get(t, "vq1").Device; want.Differs(have) {
			t.Errorf("is %s, want %s", have, want)
		}
	}
}

// testVLANStacked: 802.1ad outside, 802.1Q inside, and a bridge on top.
func testVLANStacked(t *testing.T, s *suite) {
	parent := s.add(t, "vs0")
	ok(t, s.Kernel.SetUp(parent.LinkID))
	outer := s.make(t, "vs1", netconf.Device{Kind: netconf.KindVLAN, Parent: "vs0", ID: 10, Protocol: "802.1ad"})
	ok(t, s.Kernel.SetUp(outer.LinkID))
	inner := s.make(t, "vs2", netconf.Device{Kind: netconf.KindVLAN, Parent: "vs1", ID: 10})
	ok(t, s.Kernel.SetUp(inner.LinkID))
	br := s.bridge(t, "vs3")
	ok(t, s.Kernel.SetMaster(inner.LinkID, br.LinkID))
	carrier := func() bool { return s.get(t, "vs3").Carrier }
	s.until(t, "a carrier of the bridge on top", carrier)
	s.Plug("vs0", false)
	s.until(t, "no carrier without the cable", func() bool { return !carrier() })
	s.Plug("vs0", true)
	s.until(t, "a carrier again", carrier)
	ok(t, s.Kernel.DelLink(outer.LinkID))
	if _, found := s.find(t, "vs2"); found {
		t.Error("the inner one is still there")
	}
	s.until(t, "no carrier without members", func() bool { return !carrier() })
}
