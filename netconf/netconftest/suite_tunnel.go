package netconftest

import (
	"net/netip"
	"testing"

	"github.com/pharos-os/pharos/netconf"
)

func testVXLAN(t *testing.T, s *suite) {
	under := s.add(t, "vx0")
	ok(t, s.Kernel.SetUp(under.LinkID))
	group := netconf.Device{Kind: netconf.KindVXLAN, Parent: "vx0", ID: 42, Group: netip.MustParseAddr("239.1.1.1")}
	l := s.make(t, "vx1", group)
	if l.Device.Port != 4789 || l.Device.Parent != "vx0" || l.Device.Remote.IsValid() {
		t.Errorf("by a group: %+v", l.Device)
	}
	pair := netconf.Device{Kind: netconf.KindVXLAN, ID: 43, Port: 4790,
		Remote: netip.MustParseAddr("fd00::2"), Local: netip.MustParseAddr("fd00::1")}
	p := s.make(t, "vx2", pair)
	if p.Device.Parent != "" || p.Device.Group.IsValid() {
		t.Errorf("to one host: %+v", p.Device)
	}
	ok(t, s.Kernel.SetUp(p.LinkID))
	s.until(t, "a carrier", func() bool { return s.get(t, "vx2").Carrier })
	other := pair
	other.ID = 44
	if !other.Recreate(p.Device) {
		t.Error("another number does not need another link")
	}
	refused(t, "another number", s.Kernel.SetDevice(p.LinkID, other), "vx2")
	s.DelLink("vx0")
	if _, found := s.find(t, "vx1"); found {
		t.Error("it is still there without its parent")
	}
}

func testVRF(t *testing.T, s *suite) {
	vrf := s.make(t, "vf0", netconf.Device{Kind: netconf.KindVRF, Table: 77})
	ok(t, s.Kernel.SetUp(vrf.LinkID))
	l := s.add(t, "vf1")
	ok(t, s.Kernel.SetUp(l.LinkID))
	ok(t, s.Kernel.AddAddr(l.LinkID, prefix("10.41.0.5/24")))
	ok(t, s.Kernel.SetMaster(l.LinkID, vrf.LinkID))
	if l = s.get(t, "vf1"); l.Master != vrf.Index || !l.Up {
		t.Errorf("a member: %+v", l)
	}
	same(t, "its addresses", []string{"10.41.0.5/24 own"}, s.addrs(t, "vf1"))
	r := netconf.Route{Link: netconf.LinkID{Index: l.Index}, Dst: prefix("10.42.0.0/16"), Gateway: netip.MustParseAddr("10.41.0.1"), Table: 77}
	ok(t, s.Kernel.AddRoute(r))
	Compare(t, "its routes", []netconf.Route{r}, s.mine(t, "10.42.0.0/16"))
	refused(t, "another table", s.Kernel.SetDevice(vrf.LinkID, netconf.Device{Kind: netconf.KindVRF, Table: 78}), "vf0")
}

// Keys of the test, made by wg genkey and wg pubkey.
const (
	privateKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
	sharedKey  = "8bLJQfRhXfr7EVXzPlQc/M2dNCb6cvQjh6VdsFhT9nU="
	peerOne    = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
	peerTwo    = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
)

func testWireGuard(t *testing.T, s *suite) {
	want := netconf.Device{Kind: netconf.KindWireGuard, Port: 51820, WireGuard: netconf.WireGuard{
		PrivateKey: privateKey, FirewallMark: 7, Peers: []netconf.Peer{
			{PublicKey: peerOne, PresharedKey: sharedKey, Endpoint: "192.0.2.1:51820", AllowedIPs: []netip.Prefix{prefix("10.50.0.0/24"), prefix("fd00:50::/64")}, Keepalive: 25},
			{PublicKey: peerTwo, Endpoint: "[2001:db8::2]:51821", AllowedIPs: []netip.Prefix{prefix("10.51.0.0/24")}},
		}}}
	l := s.make(t, "wg0", want)
	ok(t, s.Kernel.SetUp(l.LinkID))
	s.until(t, "a carrier", func() bool { return s.get(t, "wg0").Carrier })
	step := func(what string, change func(*netconf.Device)) {
		t.Helper()
		want.WireGuard.Peers = append([]netconf.Peer(nil), want.WireGuard.Peers...)
		change(&want)
		if !want.Differs(s.get(t, "wg0").Device) {
			t.Errorf("%s is there already", what)
		}
		ok(t, s.Kernel.SetDevice(l.LinkID, want))
		if have := s.get(t, "wg0").Device; want.Differs(have) {
			t.Errorf("%s: is %+v, want %+v", what, have, want)
		}
	}
	step("no shared key", func(d *netconf.Device) { d.WireGuard.Peers[0].PresharedKey = "" })
	step("another endpoint", func(d *netconf.Device) { d.WireGuard.Peers[1].Endpoint = "192.0.2.2:51821" })
	step("another network", func(d *netconf.Device) {
		d.WireGuard.Peers[1].AllowedIPs = []netip.Prefix{prefix("10.52.0.0/24")}
	})
	step("no keepalive", func(d *netconf.Device) { d.WireGuard.Peers[0].Keepalive = 0 })
	all := want.WireGuard.Peers
	step("one peer less", func(d *netconf.Device) { d.WireGuard.Peers = d.WireGuard.Peers[:1] })
	step("that peer again", func(d *netconf.Device) { d.WireGuard.Peers = all })
	step("another port and mark", func(d *netconf.Device) { d.Port, d.WireGuard.FirewallMark = 51900, 8 })
	step("no peer", func(d *netconf.Device) { d.WireGuard.Peers = []netconf.Peer{} })
}
