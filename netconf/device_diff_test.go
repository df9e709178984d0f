package netconf_test

import (
	"net/netip"
	"testing"

	"github.com/pharos-os/pharos/netconf"
)

// TestDeviceDiffers: what makes a link another one, what can be changed, and
// what is no difference.
func TestDeviceDiffers(t *testing.T) {
	yes, no, four, five := true, false, 4, 5
	type device = netconf.Device
	vlan := func(d device) device { d.Kind = netconf.KindVLAN; return d }
	bond := func(options ...string) device {
		d := device{Kind: netconf.KindBond, Bond: map[string]string{}}
		for i := 0; i < len(options); i += 2 {
			d.Bond[options[i]] = options[i+1]
		}
		return d
	}
	bridge := func(b netconf.Bridge) device { return device{Kind: netconf.KindBridge, Bridge: b} }
	wireguard := func(w netconf.WireGuard) device { return device{Kind: netconf.KindWireGuard, WireGuard: w} }
	peers := func(list ...netconf.Peer) device {
		return wireguard(netconf.WireGuard{Peers: append([]netconf.Peer{}, list...)})
	}
	address := netip.MustParseAddr
	const none, change, recreate = "none", "change", "recreate"
	for _, c := range []struct {
		name       string
		want, have device
		result     string
	}{
		{"another kind", device{Kind: netconf.KindDummy}, device{Kind: netconf.KindBridge}, recreate},
		{"nothing asked", vlan(device{}), vlan(device{ID: 5, Parent: "eth0", Protocol: "802.1ad", Egress: map[uint32]uint32{1: 2}}), none},
		{"vlan number", vlan(device{ID: 5}), vlan(device{ID: 6}), recreate},
		{"vlan parent", vlan(device{Parent: "eth0"}), vlan(device{Parent: "eth1"}), recreate},
		{"vlan protocol", vlan(device{Protocol: "802.1ad"}), vlan(device{Protocol: "802.1q"}), recreate},
		{"vlan protocol's spelling", vlan(device{Protocol: "802.1Q"}), vlan(device{Protocol: "802.1q"}), none},
		{"vlan map", vlan(device{Egress: map[uint32]uint32{1: 2}}), vlan(device{Egress: map[uint32]uint32{1: 3}}), change},
		{"vlan map to 0", vlan(device{Ingress: map[uint32]uint32{1: 0}}), vlan(device{}), none},
		{"vlan map without one", vlan(device{Egress: map[uint32]uint32{}}), vlan(device{Egress: map[uint32]uint32{1: 3}}), change},
		{"bond mode", bond("mode", "802.3ad"), bond("mode", "active-backup"), recreate},
		{"bond mode's number", bond("mode", "4"), bond("mode", "802.3ad"), none},
		{"bond address", bond("fail_over_mac", "active"), bond("fail_over_mac", "none"), recreate},
		{"bond option", bond("miimon", "100"), bond("miimon", "0"), change},
		{"bond spellings", bond("miimon", "0100", "use_carrier", "yes", "lacp_rate", "1", "arp_ip_target", "10.0.0.1, 10.0.0.2"),
			bond("miimon", "100", "use_carrier", "on", "lacp_rate", "fast", "arp_ip_target", "10.0.0.2,10.0.0.1"), none},
		{"bond delay that is rounded", bond("miimon", "100", "updelay", "250"), bond("miimon", "100", "updelay", "200"), none},
		{"bond delay", bond("miimon", "100", "updelay", "300"), bond("miimon", "100", "updelay", "200"), change},
		{"bond primary", bond("primary", "eth0"), bond(), change},
		{"bridge", bridge(netconf.Bridge{STP: &yes}), bridge(netconf.Bridge{STP: &no, ForwardDelay: &four}), change},
		{"bridge delay", bridge(netconf.Bridge{ForwardDelay: &five}), bridge(netconf.Bridge{ForwardDelay: &four}), change},
		{"bridge unasked", bridge(netconf.Bridge{}), bridge(netconf.Bridge{STP: &no, ForwardDelay: &four, VLANFiltering: &yes}), none},
		{"macvlan mode", device{Kind: netconf.KindMacvlan, Mode: "bridge"}, device{Kind: netconf.KindMacvlan, Mode: "vepa"}, change},
		{"macvlan passthru", device{Kind: netconf.KindMacvlan, Mode: "bridge"}, device{Kind: netconf.KindMacvlan, Mode: "passthru"}, recreate},
		{"ipvlan mode", device{Kind: netconf.KindIPvlan, Mode: "l2"}, device{Kind: netconf.KindIPvlan, Mode: "l3"}, change},
		{"vxlan port", device{Kind: netconf.KindVXLAN, Port: 1}, device{Kind: netconf.KindVXLAN, Port: 4789}, recreate},
		{"vxlan default port", device{Kind: netconf.KindVXLAN}, device{Kind: netconf.KindVXLAN, Port: 4789}, none},
		{"vxlan far end", device{Kind: netconf.KindVXLAN, Remote: address("10.0.0.1")}, device{Kind: netconf.KindVXLAN, Remote: address("10.0.0.2")}, recreate},
		{"vrf table", device{Kind: netconf.KindVRF, Table: 7}, device{Kind: netconf.KindVRF, Table: 8}, recreate},
		{"wireguard key", wireguard(netconf.WireGuard{PrivateKey: "a"}), wireguard(netconf.WireGuard{PrivateKey: "b"}), change},
		{"wireguard key as the kernel clamps it", wireguard(netconf.WireGuard{PrivateKey: "//////////////////////////////////////////8="}),
			wireguard(netconf.WireGuard{PrivateKey: "+P///////////////////////////////////////38="}), none},
		{"wireguard peers unasked", wireguard(netconf.WireGuard{}), peers(netconf.Peer{PublicKey: "a"}), none},
		{"wireguard no peers", peers(), peers(netconf.Peer{PublicKey: "a"}), change},
		{"wireguard shared key no longer", peers(netconf.Peer{PublicKey: "a"}), peers(netconf.Peer{PublicKey: "a", PresharedKey: "s"}), change},
		{"wireguard the peer called", peers(netconf.Peer{PublicKey: "a"}), peers(netconf.Peer{PublicKey: "a", Endpoint: "192.0.2.1:5"}), none},
		{"wireguard networks", peers(netconf.Peer{PublicKey: "a", AllowedIPs: prefixes("10.0.0.1/8", "fd00::/64")}),
			peers(netconf.Peer{PublicKey: "a", AllowedIPs: prefixes("fd00::/64", "10.0.0.0/8")}), none},
		{"wireguard another network", peers(netconf.Peer{PublicKey: "a", AllowedIPs: prefixes("10.0.0.0/8")}),
			peers(netconf.Peer{PublicKey: "a", AllowedIPs: prefixes("10.0.0.0/9")}), change},
	} {
		got := none
		if c.want.Differs(c.have) {
			got = change
		}
		if c.want.Recreate(c.have) {
			if got == none {
				t.Errorf("%s: it has to be made again and does not differ", c.name)
			}
			got = recreate
		}
		if got != c.result {
			t.Errorf("%s: %s, want %s", c.name, got, c.result)
		}
	}
}

func TestHardwareDiffers(t *testing.T) {
	have := netconf.Hardware{RingRX: 256, Offloads: map[string]bool{
		"tx-tcp-segmentation": true, "tx-tcp6-segmentation": false, "rx-gro": true}}
	for _, c := range []struct {
		want    netconf.Hardware
		differs bool
	}{
		{netconf.Hardware{}, false},
		{netconf.Hardware{RingRX: 256}, false},
		{netconf.Hardware{RingTX: 256}, true},
		{netconf.Hardware{Offloads: map[string]bool{"gro": true}}, false},
		{netconf.Hardware{Offloads: map[string]bool{"rx-gro": false}}, true},
		{netconf.Hardware{Offloads: map[string]bool{"tso": true}}, true},
		{netconf.Hardware{Offloads: map[string]bool{"tcp-segmentation-offload": false}}, true},
		{netconf.Hardware{Offloads: map[string]bool{"lro": false}}, false}, // not there is off
		{netconf.Hardware{Offloads: map[string]bool{"lro": true}}, true},
	} {
		if got := c.want.Differs(have); got != c.differs {
			t.Errorf("%s: %v, want %v", c.want, got, c.differs)
		}
	}
}
