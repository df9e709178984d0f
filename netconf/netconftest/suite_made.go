package netconftest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

func testDummy(t *testing.T, s *suite) {
	l := s.make(t, "du0", netconf.Device{Kind: netconf.KindDummy})
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.until(t, "a carrier", func() bool { return s.get(t, "du0").Carrier })
	ok(t, s.Kernel.SetMTU(l.LinkID, 9000))
	ok(t, s.Kernel.DelLink(l.LinkID))
	ok(t, s.Kernel.DelLink(l.LinkID)) // again is no error
	if _, found := s.find(t, "du0"); found {
		t.Error("it is still there")
	}
}

func testBridge(t *testing.T, s *suite) {
	l := s.make(t, "br0", netconf.Device{Kind: netconf.KindBridge})
	b := l.Device.Bridge
	if b.STP == nil || *b.STP || b.ForwardDelay == nil || *b.ForwardDelay != 15 || b.VLANFiltering == nil || *b.VLANFiltering {
		t.Errorf("what the kernel chooses: %+v", b)
	}
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.until(t, "a carrier before the first member", func() bool { return s.get(t, "br0").Carrier })
	on, off, delay, none := true, false, 4, 0
	for _, b := range []netconf.Bridge{{STP: &on, ForwardDelay: &delay}, {STP: &off, ForwardDelay: &none}, {STP: &on, ForwardDelay: &delay}} {
		want := netconf.Device{Kind: netconf.KindBridge, Bridge: b}
		if !want.Differs(s.get(t, "br0").Device) {
			t.Errorf("%s is there already", want)
		}
		ok(t, s.Kernel.SetDevice(l.LinkID, want))
		if have := s.get(t, "br0").Device; want.Differs(have) || *have.Bridge.STP != (b.STP == &on) {
			t.Errorf("is %s, want %s", have, want)
		}
		if !s.get(t, "br0").Up {
			t.Error("it went down")
		}
	}
	refused(t, "a delay that spanning trees do not have",
		s.Kernel.SetDevice(l.LinkID, netconf.Device{Kind: netconf.KindBridge, Bridge: netconf.Bridge{ForwardDelay: &none}}), "br0")
}

func testBridgeVLANs(t *testing.T, s *suite) {
	l := s.make(t, "bv0", netconf.Device{Kind: netconf.KindBridge})
	on, off := true, false
	for _, filtering := range []*bool{&on, &off} {
		want := netconf.Device{Kind: netconf.KindBridge, Bridge: netconf.Bridge{VLANFiltering: filtering}}
		err := s.Kernel.SetDevice(l.LinkID, want)
		if errors.Is(err, unix.EOPNOTSUPP) {
			lacking(t, "VLANs in bridges", err)
		}
		ok(t, err)
		if have := s.get(t, "bv0").Device; want.Differs(have) {
			t.Errorf("is %s, want %s", have, want)
		}
	}
}

// bridge makes one that forwards at once.
func (s *suite) bridge(t *testing.T, name string) netconf.Link {
	t.Helper()
	none := 0
	l := s.make(t, name, netconf.Device{Kind: netconf.KindBridge, Bridge: netconf.Bridge{ForwardDelay: &none}})
	ok(t, s.Kernel.SetUp(l.LinkID))
	return l
}

func testBridgeMembers(t *testing.T, s *suite) {
	br := s.bridge(t, "bm0")
	a, b := s.add(t, "bm1"), s.add(t, "bm2")
	for _, l := range []netconf.Link{a, b} {
		ok(t, s.Kernel.SetUp(l.LinkID))
		ok(t, s.Kernel.SetMaster(l.LinkID, netconf.LinkID{Name: "bm0"}))
		ok(t, s.Kernel.SetMaster(l.LinkID, br.LinkID)) // again is no error
		if l = s.get(t, l.Name); l.Master != br.Index || !l.Up {
			t.Errorf("a member: %+v", l)
		}
	}
	carrier := func() bool { return s.get(t, "bm0").Carrier }
	s.until(t, "a carrier", carrier)
	s.Plug("bm1", false)
	s.until(t, "the member's loss", func() bool { return !s.get(t, "bm1").Carrier })
	s.until(t, "still a carrier by the other member", carrier)
	s.Plug("bm2", false)
	s.until(t, "no carrier without any", func() bool { return !carrier() })
	s.Plug("bm1", true)
	s.until(t, "a carrier again", carrier)
	ok(t, s.Kernel.SetMTU(a.LinkID, 1400))
	s.until(t, "the smallest member's MTU", func() bool { return s.get(t, "bm0").MTU == 1400 })
	ok(t, s.Kernel.SetMAC(br.LinkID, "02:00:00:00:78:01"))
	ok(t, s.Kernel.SetMaster(a.LinkID, netconf.LinkID{}))
	ok(t, s.Kernel.SetMaster(a.LinkID, netconf.LinkID{})) // again is no error
	ok(t, s.Kernel.SetMaster(b.LinkID, netconf.LinkID{}))
	s.until(t, "no carrier without members", func() bool { return !carrier() })
	if l := s.get(t, "bm0"); l.MAC != "02:00:00:00:78:01" || s.get(t, "bm1").Master != 0 {
		t.Errorf("an address that was set does not follow members: %+v", l)
	}
	refused(t, "a master that is none", s.Kernel.SetMaster(a.LinkID, b.LinkID), "bm1", "bm2")
	refused(t, "a bridge in a bridge", s.Kernel.SetMaster(s.bridge(t, "bm3").LinkID, br.LinkID), "bm3", "bm0")
	refused(t, "a master that is not there", s.Kernel.SetMaster(a.LinkID, netconf.LinkID{Name: "bm9"}), "bm1", "bm9")
	ok(t, s.Kernel.SetMaster(a.LinkID, br.LinkID))
	ok(t, s.Kernel.DelLink(br.LinkID))
	if l := s.get(t, "bm1"); l.Master != 0 || !l.Up {
		t.Errorf("a member whose bridge has gone: %+v", l)
	}
}

func testMacvlan(t *testing.T, s *suite) {
	parent := s.add(t, "mv0")
	ok(t, s.Kernel.SetUp(parent.LinkID))
	l := s.make(t, "mv1", netconf.Device{Kind: netconf.KindMacvlan, Parent: "mv0", Mode: "bridge"})
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.until(t, "a carrier", func() bool { return s.get(t, "mv1").Carrier })
	s.Plug("mv0", false)
	s.until(t, "no carrier without the parent's", func() bool { return !s.get(t, "mv1").Carrier })
	ok(t, s.Kernel.SetDevice(l.LinkID, netconf.Device{Kind: netconf.KindMacvlan, Parent: "mv0", Mode: "private"}))
	if d := s.get(t, "mv1").Device; d.Mode != "private" || d.Parent != "mv0" {
		t.Errorf("is %s", d)
	}
	refused(t, "a mode that only a new link has",
		s.Kernel.SetDevice(l.LinkID, netconf.Device{Kind: netconf.KindMacvlan, Mode: "passthru"}), "mv1")
	refused(t, "a larger MTU than the parent's", s.Kernel.SetMTU(l.LinkID, 9000), "mv1", "9000")
	if l.MAC == parent.MAC {
		t.Errorf("it has its parent's address %s", l.MAC)
	}
	br := s.bridge(t, "mv3")
	member := s.add(t, "mv4")
	ok(t, s.Kernel.SetMaster(member.LinkID, br.LinkID))
	refused(t, "a macvlan on a bridge's member", s.Kernel.AddLink("mv5", "k", netconf.Device{Kind: netconf.KindMacvlan, Parent: "mv4"}), "mv5")
	s.DelLink("mv0")
	if _, found := s.find(t, "mv1"); found {
		t.Error("it is still there without its parent")
	}
}

func testIPvlan(t *testing.T, s *suite) {
	parent := s.add(t, "iv0")
	ok(t, s.Kernel.SetUp(parent.LinkID))
	l := s.make(t, "iv1", netconf.Device{Kind: netconf.KindIPvlan, Parent: "iv0", Mode: "l2"})
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.until(t, "a carrier", func() bool { return s.get(t, "iv1").Carrier })
	ok(t, s.Kernel.SetDevice(l.LinkID, netconf.Device{Kind: netconf.KindIPvlan, Parent: "iv0", Mode: "l3"}))
	if d := s.get(t, "iv1").Device; d.Mode != "l3" || d.Parent != "iv0" {
		t.Errorf("is %s", d)
	}
}
