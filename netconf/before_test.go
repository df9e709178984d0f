package netconf_test

import (
	"testing"
	"testing/synctest"

	"github.com/pharos-os/pharos/netconf"
)

func sized(mtu int) func(*netconf.LinkSpec) { return func(s *netconf.LinkSpec) { s.MTU = mtu } }

// TestGiveBack: a link gets its MTU and hardware address back when nobody asks
// for another one any more.
func TestGiveBack(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		mac := func(s *netconf.LinkSpec) { s.MAC = "02:00:00:00:00:77" }
		second := func(s *netconf.LinkSpec) { s.MAC = "02:00:00:00:00:78" }
		b.apply(byName("eth0", sized(9000), mac), byName("eth1"))
		b.apply(byName("eth0", sized(1400), second), byName("eth1"))
		b.kernel.Calls()
		spec := b.apply(byName("eth0"), byName("eth1"))
		b.calls("link set eth0 down", "link set eth0 address 02:00:00:00:00:01", "link set eth0 mtu 1500", "link set eth0 up")
		b.same(spec)
		if err := b.kernel.SetMTU(id(2, "eth0"), 1300); err != nil { // by hand
			t.Fatal(err)
		}
		synctest.Wait()
		b.same(spec)
	})
}

// TestGiveBackOfLease: the MTU of a lease goes with it when another one has
// none, not while there is no lease.
func TestGiveBackOfLease(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP))
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) { l.MTU = 1400 })
		b.kernel.Calls()
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true})
		b.calls("route del default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002", "addr del 192.0.2.5/24 dev eth0")
		b.lease("eth0", "192.0.2.6/24")
		b.calls("link set eth0 mtu 1500", "addr add 192.0.2.6/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002")
		b.lease("eth0", "192.0.2.6/24", func(l *netconf.Lease) { l.MTU = 1400 })
		b.kernel.Calls()
		ignore := func(s *netconf.LinkSpec) { s.DHCPOptions.IgnoreMTU = true }
		b.same(b.apply(byName("eth0", withDHCP, ignore)))
		if mtu := b.link("eth0").MTU; mtu != 1500 {
			t.Errorf("MTU %d although the lease's does not count", mtu)
		}
	})
}

// TestGiveBackOfMembers: what a bond gives its members is not theirs, and what
// follows others is left alone.
func TestGiveBackOfMembers(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		bond := made(netconf.Device{Kind: netconf.KindBond, Bond: map[string]string{"mode": "active-backup"}})
		bridge := made(netconf.Device{Kind: netconf.KindBridge})
		b.same(b.apply(byName("bond0", bond, sized(9000)), byName("br0", bridge, sized(1400)), byName("eth0", sized(1400)), byName("eth1", in("br0"))))
		b.same(b.apply(byName("bond0", bond, sized(9000)), byName("br0", bridge, sized(1300)), byName("eth0", in("bond0")), byName("eth1", in("br0"), sized(1300))))
		if mtu := b.link("eth0").MTU; mtu != 9000 {
			t.Errorf("a bond's member has MTU %d", mtu)
		}
		b.same(b.apply(byName("bond0", bond), byName("br0", bridge), byName("eth0", in("bond0")), byName("eth1", in("br0"))))
		for name, want := range map[string]int{"eth1": 1500, "br0": 1300} {
			if mtu := b.link(name).MTU; mtu != want {
				t.Errorf("%s has MTU %d, want %d", name, mtu, want)
			}
		}
		b.problems()
		vlan := made(netconf.Device{Kind: netconf.KindVLAN, Parent: "eth0", ID: 7})
		b.same(b.apply(byName("eth0"), byName("eth0.7", vlan)))
		b.same(b.apply(byName("eth0"), byName("eth0.7", vlan, sized(1300))))
		b.same(b.apply(byName("eth0", sized(1400)), byName("eth0.7", vlan))) // 1500 would be too large
		b.problems()
	})
}
