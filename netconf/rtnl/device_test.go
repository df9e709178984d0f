package rtnl

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// TestDeviceMessages: what is written about a link is read as the same.
func TestDeviceMessages(t *testing.T) {
	yes, no, delay := true, false, 4
	names := map[int]string{7: "eth0", 8: "eth1"}
	index := func(name string) (int, error) {
		for i, n := range names {
			if n == name {
				return i, nil
			}
		}
		return 0, unix.ENODEV
	}
	for _, d := range []netconf.Device{
		{Kind: netconf.KindVLAN, Parent: "eth0", ID: 4094, Protocol: "802.1ad",
			Egress: map[uint32]uint32{0: 1, 70000: 7}, Ingress: map[uint32]uint32{7: 70000}},
		{Kind: netconf.KindVLAN, Parent: "eth0", ID: 1, Protocol: "802.1q"},
		{Kind: netconf.KindBridge, Bridge: netconf.Bridge{STP: &yes, ForwardDelay: &delay, VLANFiltering: &no}},
		{Kind: netconf.KindMacvlan, Parent: "eth0", Mode: "private"},
		{Kind: netconf.KindIPvlan, Parent: "eth0", Mode: "l3s"},
		{Kind: netconf.KindVXLAN, Parent: "eth0", ID: 1 << 23, Port: 4789, Group: netip.MustParseAddr("ff05::1"), Local: netip.MustParseAddr("fd00::1")},
		{Kind: netconf.KindVXLAN, Parent: "eth0", ID: 1, Port: 1, Remote: netip.MustParseAddr("10.0.0.1")},
		{Kind: netconf.KindVRF, Table: 70000},
		{Kind: netconf.KindDummy},
		{Kind: netconf.KindBond, Bond: map[string]string{"mode": "802.3ad", "miimon": "100", "lacp_rate": "fast", "xmit_hash_policy": "vlan+srcmac",
			"ad_select": "count", "ad_actor_sys_prio": "65535", "ad_user_port_key": "1023", "ad_actor_system": "02:00:00:00:00:01",
			"lacp_active": "off", "min_links": "2", "num_grat_arp": "3", "num_unsol_na": "3", "resend_igmp": "255", "peer_notif_delay": "200"}},
		{Kind: netconf.KindBond, Bond: map[string]string{"mode": "active-backup", "primary": "eth1", "active_slave": "eth0",
			"arp_interval": "1000", "arp_ip_target": "10.0.0.1,10.0.0.2", "ns_ip6_target": "fd00::1", "arp_validate": "filter_backup", "arp_all_targets": "all",
			"fail_over_mac": "follow", "primary_reselect": "failure", "all_slaves_active": "on", "use_carrier": "on", "arp_missed_max": "9"}},
		{Kind: netconf.KindBond, Bond: map[string]string{"mode": "balance-tlb", "tlb_dynamic_lb": "off", "lp_interval": "9", "packets_per_slave": "0",
			"updelay": "200", "downdelay": "100"}},
	} {
		info, data := linkInfo(d.Kind)
		if err := encode(data, d, netconf.Device{}, 7, index); err != nil {
			t.Errorf("%s: %v", d, err)
			continue
		}
		a := parse(info.Serialize()).nested(unix.IFLA_LINKINFO)
		got := decode(&found{Link: netconf.Link{Kind: a.text(unix.IFLA_INFO_KIND)}, parent: 7, info: a.nested(unix.IFLA_INFO_DATA)}, names)
		if diff := cmp.Diff(d, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d, diff)
		}
	}
	for _, d := range []netconf.Device{
		{Kind: netconf.KindMacvlan, Mode: "l2"}, {Kind: netconf.KindVLAN, Protocol: "802.1x"},
		{Kind: netconf.KindBond, Bond: map[string]string{"color": "red"}}, {Kind: netconf.KindBond, Bond: map[string]string{"mode": "fast"}},
		{Kind: netconf.KindBond, Bond: map[string]string{"arp_ip_target": "gateway"}},
	} {
		_, data := linkInfo(d.Kind)
		if err := encode(data, d, netconf.Device{}, 0, index); err == nil {
			t.Errorf("%s: no error", d)
		}
	}
}

// TestBondChanges: only what differs is sent; some of it needs the bond down,
// and a primary link that is not there is left out.
func TestBondChanges(t *testing.T) {
	have := map[string]string{"mode": "802.3ad", "miimon": "100", "lacp_rate": "slow", "xmit_hash_policy": "layer2"}
	want := map[string]string{"mode": "4", "miimon": "100", "lacp_rate": "1", "xmit_hash_policy": "layer3+4"}
	var got []string
	for _, o := range bondChanges(want, have) {
		name := o.name
		if o.down {
			name += " while down"
		}
		got = append(got, name)
	}
	if d := cmp.Diff([]string{"xmit_hash_policy", "lacp_rate while down"}, got); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	_, data := linkInfo(netconf.KindBond)
	missing := func(string) (int, error) { return 0, errors.Join(errors.New("eth9"), unix.ENODEV) }
	if err := encodeBond(data, map[string]string{"primary": "eth9"}, nil, missing); err != nil || len(data.Serialize()) != unix.SizeofRtAttr {
		t.Errorf("%v: %x", err, data.Serialize())
	}
}
