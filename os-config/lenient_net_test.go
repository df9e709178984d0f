package osconfig

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestLinksThatNothingMakes: a machine whose network is on a bond or a VLAN is
// reachable all the same, and it is said how.
func TestLinksThatNothingMakes(t *testing.T) {
	tests := []struct{ name, links, dhcp, said string }{
		{"a bond of MAC addresses", "bond0: {type: bond, addresses: [192.0.2.1/24]}, 'mac=52:54:00:00:00:01': {bond: bond0}, 'mac=52:54:00:00:00:02': {}",
			"e* mac=52:54:00:00:00:01", "bond0: not carried out yet: no bond is made"},
		{"a bond of members", "bond0: {type: bond, members: [one, eth7], dhcp: true}, one: {match: 'mac=52:54:00:00:00:01'}",
			"bond0 e* one", "bond0: not carried out yet: no bond is made"},
		{"a VLAN by its link", "eth0: {dhcp: false}, v: {type: vlan, id: 5, link: eth0, address: 192.0.2.1/24}", "e* eth0", "v: not carried out yet: no vlan is made"},
		{"a VLAN of vlans", "eth0: {vlans: '5:v'}, v: {address: 192.0.2.1/24}", "e* eth0", "v: not carried out yet: no vlan is made"},
		{"a VLAN on a bond", "eth0: {bond: b0}, b0: {vlans: '5:v'}, v: {dhcp: true}", "e* eth0 v", "no vlan is made"},
		{"a way in besides", "eth0: {bond: b0}, b0: {dhcp: true}, eth1: {address: 192.0.2.1/24}", "b0", ""},
		{"no network wanted", "eth0: {dhcp: false}, dummy0: {type: dummy, address: 192.0.2.1/24}", "", ""},
		{"a bond without addresses", "eth0: {bond: b0}, b0: {mtu: 1400}", "", ""},
		{"a pattern that is there", "'e*': {mtu: 1400}, b0: {type: bond, members: [eth0], dhcp: true}", "b0 e*", "no bond is made"},
	}
	for _, tt := range tests {
		cfg, doc, report := DecodeLenient(mustParse(t, "x", "rancher: {network: {interfaces: {"+tt.links+"}}}\n"))
		report = append(report, KeepReachable(&cfg, doc)...)
		var dhcp []string
		for _, key := range slices.Sorted(maps.Keys(cfg.Rancher.Network.Interfaces)) {
			if l := cfg.Rancher.Network.Interfaces[key]; l.DHCP != nil && *l.DHCP {
				dhcp = append(dhcp, key)
			}
		}
		said := "for the machine to have a network"
		if got := strings.Join(dhcp, " "); got != tt.dhcp || report.HasErrors() ||
			strings.Contains(report.String(), said) != (tt.said != "") || !strings.Contains(report.String(), tt.said) {
			t.Errorf("%s: DHCP on %q, want %q\n%s", tt.name, got, tt.dhcp, report)
		}
		if _, more := Decode(doc); more.HasErrors() {
			t.Errorf("%s: %s", tt.name, more)
		}
	}
}
