package netconftest

import (
	"testing"

	"github.com/pharos-os/pharos/netconf"
)

func bond(options ...string) netconf.Device {
	d := netconf.Device{Kind: netconf.KindBond, Bond: make(map[string]string)}
	for i := 0; i < len(options); i += 2 {
		d.Bond[options[i]] = options[i+1]
	}
	return d
}

// testBond: links get into a bond while they are down, come up with its
// address, and give it their carrier.
func testBond(t *testing.T, s *suite) {
	device := bond("mode", "active-backup", "miimon", "50")
	b := s.make(t, "bo0", device)
	ok(t, s.Kernel.SetUp(b.LinkID))
	one, two := s.add(t, "bo1"), s.add(t, "bo2")
	ok(t, s.Kernel.SetUp(one.LinkID))
	refused(t, "a member that is up", s.Kernel.SetMaster(one.LinkID, b.LinkID), "bo1", "bo0")
	ok(t, s.Kernel.SetDown(one.LinkID))
	carrier := func() bool { return s.get(t, "bo0").Carrier }
	if carrier() {
		t.Error("a carrier without members")
	}
	for _, l := range []netconf.Link{one, two} {
		ok(t, s.Kernel.SetMaster(l.LinkID, netconf.LinkID{Name: "bo0"}))
		if l = s.get(t, l.Name); l.Master != b.Index || !l.Up || l.MAC != one.MAC {
			t.Errorf("a member: %+v; want it up with the address %s", l, one.MAC)
		}
	}
	if b = s.get(t, "bo0"); b.MAC != one.MAC {
		t.Errorf("address is %s, want the first member's, %s", b.MAC, one.MAC)
	}
	s.until(t, "a carrier", carrier)
	s.Plug("bo1", false)
	s.until(t, "the first member's loss", func() bool { return !s.get(t, "bo1").Carrier })
	s.until(t, "the other member to be the active one", func() bool { return s.get(t, "bo2").Carrier && carrier() })
	s.Plug("bo2", false)
	s.until(t, "no carrier without any", func() bool { return !carrier() })
	s.Plug("bo1", true)
	s.until(t, "a carrier again", carrier)
	ok(t, s.Kernel.SetMTU(b.LinkID, 1400))
	for _, name := range []string{"bo0", "bo1", "bo2"} {
		if l := s.get(t, name); l.MTU != 1400 {
			t.Errorf("%s: MTU is %d when the bond's was set to 1400", name, l.MTU)
		}
	}
	ok(t, s.Kernel.SetMAC(b.LinkID, "02:00:00:00:79:01"))
	s.until(t, "the address of all members", func() bool {
		return s.get(t, "bo1").MAC == "02:00:00:00:79:01" && s.get(t, "bo2").MAC == "02:00:00:00:79:01"
	})
	ok(t, s.Kernel.SetMaster(two.LinkID, netconf.LinkID{}))
	if l := s.get(t, "bo2"); l.Master != 0 || l.MAC != two.MAC || l.MTU != 1500 {
		t.Errorf("taken out: %+v, want its own address %s and MTU", l, two.MAC)
	}
	ok(t, s.Kernel.DelLink(b.LinkID))
	if l := s.get(t, "bo1"); l.Master != 0 || l.MAC != one.MAC || l.Up {
		t.Errorf("member of a bond that has gone: %+v, want it down with its own address %s", l, one.MAC)
	}
}

func testBondOptions(t *testing.T, s *suite) {
	b := s.make(t, "bp0", bond("mode", "1", "miimon", "100", "updelay", "200", "fail_over_mac", "0", "num_grat_arp", "3",
		"arp_validate", "none", "use_carrier", "yes", "primary_reselect", "better", "xmit_hash_policy", "layer2"))
	ok(t, s.Kernel.SetUp(b.LinkID))
	for _, name := range []string{"bp1", "bp2"} {
		l := s.add(t, name)
		ok(t, s.Kernel.SetMaster(l.LinkID, b.LinkID))
	}
	change := func(list ...netconf.Device) {
		t.Helper()
		for _, want := range list {
			if !want.Differs(s.get(t, "bp0").Device) {
				t.Errorf("%s is there already", want)
			}
			ok(t, s.Kernel.SetDevice(b.LinkID, want))
			l := s.get(t, "bp0")
			if want.Differs(l.Device) {
				t.Errorf("is %s, want %s", l.Device, want)
			}
			if !l.Up {
				t.Errorf("%s set it down", want)
			}
			ok(t, s.Kernel.SetDevice(b.LinkID, want)) // again is no error
		}
	}
	change(bond("miimon", "60"), bond("updelay", "0", "downdelay", "120"), bond("primary", "bp2", "primary_reselect", "always"),
		bond("num_unsol_na", "5"), bond("all_slaves_active", "on"), bond("min_links", "1"), bond("resend_igmp", "7"))
	active := bond("active_slave", "bp1") // first both have to be up
	s.until(t, "bp1 can be the active member", func() bool { return s.Kernel.SetDevice(b.LinkID, active) == nil })
	if have := s.get(t, "bp0").Device; active.Differs(have) {
		t.Errorf("is %s, want %s", have, active)
	}
	s.Plug("bp1", false) // the bond now has another one; that is no difference
	s.until(t, "the member's loss", func() bool { return !s.get(t, "bp1").Carrier })
	ok(t, s.Kernel.SetDevice(b.LinkID, active))
	if have := s.get(t, "bp0").Device; active.Differs(have) {
		t.Errorf("is %s, want %s", have, active)
	}
	change(bond("miimon", "0"), bond("arp_interval", "500", "arp_ip_target", "192.0.2.1, 192.0.2.2"),
		bond("arp_all_targets", "all"), bond("arp_missed_max", "4"))
	refused(t, "another mode", s.Kernel.SetDevice(b.LinkID, bond("mode", "802.3ad")), "bp0")
	refused(t, "an option of another mode", s.Kernel.SetDevice(b.LinkID, bond("lacp_rate", "fast")), "bp0")
	refused(t, "a value that is none", s.Kernel.SetDevice(b.LinkID, bond("primary_reselect", "often")), "bp0", "primary_reselect")
	ok(t, s.Kernel.SetDevice(b.LinkID, bond("primary", "bp9"))) // counts once there is such a member
	if !bond("primary", "bp9").Differs(s.get(t, "bp0").Device) {
		t.Error("a link that is not there is primary")
	}
}

func testBondLACP(t *testing.T, s *suite) {
	b := s.make(t, "bl0", bond("mode", "802.3ad", "miimon", "100", "lacp_rate", "fast", "xmit_hash_policy", "layer3+4",
		"ad_select", "bandwidth", "ad_actor_sys_prio", "1000", "ad_user_port_key", "17", "ad_actor_system", "02:00:00:00:7A:01"))
	l := s.add(t, "bl1")
	ok(t, s.Kernel.SetMaster(l.LinkID, b.LinkID))
	ok(t, s.Kernel.SetUp(b.LinkID))
	for _, want := range []netconf.Device{
		bond("lacp_rate", "slow"), bond("ad_select", "count", "lacp_rate", "1"), bond("xmit_hash_policy", "encap3+4"),
		bond("lacp_active", "off"), bond("min_links", "2"),
	} {
		ok(t, s.Kernel.SetDevice(b.LinkID, want))
		if l := s.get(t, "bl0"); want.Differs(l.Device) || !l.Up {
			t.Errorf("up %v, is %s, want %s", l.Up, l.Device, want)
		}
	}
	if s.get(t, "bl1").Master != b.Index {
		t.Error("the member has gone")
	}
}
