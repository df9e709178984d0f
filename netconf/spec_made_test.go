package netconf_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// section reads a section as it is written, without the validator's help.
func section(t *testing.T, text string) osconfig.Network {
	t.Helper()
	layer, report := osconfig.Parse("test", "test", []byte("rancher: {network: {"+text+"}}\n"))
	if report.HasErrors() {
		t.Fatal(report)
	}
	cfg, _ := osconfig.Decode(osconfig.Merge(layer))
	return cfg.Rancher.Network
}

// brief says of each link its key, what it is and what it belongs to.
func brief(spec netconf.Spec) string {
	var out []string
	for _, l := range spec.Links {
		s := l.Key
		if l.Make != nil {
			s += ":" + l.Make.Kind
			if l.Make.Parent != "" {
				s += "@" + l.Make.Parent
			}
			if l.Match.Name != l.Key {
				s += "(" + l.Match.Name + ")"
			}
		}
		if l.Master != "" {
			s += ">" + l.Master
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestMadeLinks(t *testing.T) {
	const key = "bZWhxfYAyZO9gO7hyjRAxohW8Yi0v3EiZDPfKayYnLA="
	for _, c := range []struct{ name, text, want, errs string }{
		{"a bond that no entry is about", "interfaces: {eth0: {bond: bond0}}", "bond0:bond eth0>bond0", ""},
		{"a bridge that no entry is about", "interfaces: {eth0: {bridge: br0}}", "br0:bridge eth0>br0", ""},
		{"a bond by another's set_name", "interfaces: {up: {set_name: bond0, bond_opts: {mode: 1}}, eth0: {bond: bond0}}", "eth0>up up:bond(bond0)", ""},
		{"VLANs of a renamed link", "interfaces: {lan: {match: 'mac=52:54:00:00:00:01', set_name: lan0, vlans: '5,6:six'}}",
			"lan lan0.5:vlan@lan six:vlan@lan", ""},
		{"a VLAN of a link by its address", "interfaces: {'mac=52:54:00:00:00:01': {vlans: '5,6'}, eth0.5: {dhcp: true}}",
			"mac=52:54:00:00:00:01 eth0.5:vlan@mac=52:54:00:00:00:01 vlan6:vlan@mac=52:54:00:00:00:01", ""},
		{"VLANs of a pattern", "interfaces: {'eth*': {vlans: '5'}, eth0.5: {}, eth1.5: {}, wan.5: {}}",
			"eth0.5:vlan@eth0 eth1.5:vlan@eth1 wan.5 eth* eth0 eth1", ""},
		{"a VLAN of a pattern that nothing names", "interfaces: {'eth*': {vlans: '5'}}", "eth*", "is on no link of a known name"},
		{"a link below keeps its pattern", "interfaces: {'e*': {dhcp: true}, v: {type: vlan, id: 5, link: eth0}}", "v:vlan@eth0 e* eth0", ""},
		{"members without entries", "interfaces: {'e*': {dhcp: true}, b: {type: bond, members: [eth0, 'mac=52:*']}, r: {type: vrf, table: 9, members: [eth7]}}",
			"b:bond eth0>b eth7>r r:vrf mac=52:*>b e*", ""},
		{"a loop", "interfaces: {a: {type: vlan, link: b, id: 1}, b: {type: vlan, link: a, id: 2}}", "a:vlan@b", `"a" is on this link itself`},
		{"a bridge in itself", "interfaces: {a: {bridge: b}, b: {bridge: a}}", "a:bridge b:bridge>a", "is made of this link itself"},
		{"two masters", "interfaces: {eth0: {bond: b, bridge: r}}", "b:bond eth0>b r:bridge", "is part of b already"},
		{"an address on a member", "interfaces: {eth0: {bond: b, address: 10.0.0.1/8, dhcp: true}}", "b:bond eth0>b", "is part of b: dhcp, address belongs there"},
		{"a kind and another", "interfaces: {x: {type: dummy}, eth0: {bond: x}}", "eth0 x:dummy", "is a dummy, as interfaces.x says"},
		{"a VLAN without a number", "interfaces: {v: {type: vlan, link: eth0}}", "eth0", "is a vlan and lacks its id"},
		{"a pattern that is made", "interfaces: {'b*': {type: bond}}", "", "its key or set_name has to be its name"},
		{"a name that is too long", "interfaces: {averylongname00: {vlans: '100'}}", "averylongname00", "is longer than a link name can be"},
		{"WireGuard without its key", "interfaces: {w: {type: wireguard}}", "", "private_key is not a key"},
		{"two peers of one key", "interfaces: {w: {type: wireguard, private_key: " + key + ", peers: [{public_key: " + key + "}, {public_key: " + key + "}]}}",
			"w:wireguard", "has the public_key of a peer before it"},
		{"a Wi-Fi network that is not there", "interfaces: {wlan0: {wifi_network: home}}", "wlan0", "is not in wifi_networks"},
		{"an option of another mode", "interfaces: {b: {bond_opts: {mode: 1, packets_per_slave: 2}}}", "b:bond", "does not go with mode active-backup"},
		{"ARP in a mode that watches by miimon", "interfaces: {b: {bond_opts: {mode: 4, arp_missed_max: 3}}}", "b:bond", "does not go with mode 802.3ad"},
		{"ARP beside miimon", "interfaces: {b: {bond_opts: {mode: 1, arp_validate: all}}}", "b:bond", "does not go with miimon"},
		{"delays without miimon", "interfaces: {b: {bond_opts: {mode: 1, miimon: 0, updelay: 200}}}", "b:bond", "has no effect without miimon"},
		{"one option twice", "interfaces: {b: {bond_opts: {mode: 1, num_grat_arp: 3, num_unsol_na: 5}}}", "b:bond", "is another name of num_grat_arp"},
		{"bond options", "interfaces: {b: {bond_opts: {mode: 9}}}", "b:bond", "is not one of: balance-rr"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec, errs := netconf.FromConfig(section(t, c.text))
			if got := brief(spec); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			var texts []string
			for _, err := range errs {
				texts = append(texts, err.Error())
			}
			if said := strings.Join(texts, "\n"); len(errs) > 1 || (c.errs == "") != (said == "") || !strings.Contains(said, c.errs) || strings.Contains(said, key) {
				t.Errorf("errors %q, want %q", said, c.errs)
			}
			hangsTogether(t, spec)
		})
	}
}

// TestBondsThatNothingIsSaidOf: such a bond works with every switch, and every
// bond notices a cable that is cut.
func TestBondsThatNothingIsSaidOf(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"interfaces: {eth0: {bond: b}}":                                       {"mode": "active-backup", "miimon": "100"},
		"interfaces: {b: {bond_opts: {mode: 4, lacp_rate: 1}}}":               {"mode": "802.3ad", "lacp_rate": "fast", "miimon": "100"},
		"interfaces: {b: {bond_opts: {miimon: 0, all_slaves_active: 'yes'}}}": {"mode": "balance-rr", "miimon": "0", "all_slaves_active": "on"},
		"interfaces: {b: {bond_opts: {mode: 1, primary: lan}}, lan: {match: 'mac=52:54:00:00:00:01', set_name: lan0, bond: b}}": {
			"mode": "active-backup", "miimon": "100", "primary": "lan0"},
		// The kernel refuses a bond for a delay of 0 without miimon, and takes an arp_validate of 0 with it.
		"interfaces: {b: {bond_opts: {mode: 1, miimon: 0, updelay: 0}}}":           {"mode": "active-backup", "miimon": "0"},
		"interfaces: {b: {bond_opts: {mode: 1, arp_validate: 0, downdelay: 200}}}": {"mode": "active-backup", "miimon": "100", "arp_validate": "none", "downdelay": "200"},
		"interfaces: {b: {bond_opts: {arp_interval: 100, arp_ip_target: '10.0.0.1, 10.0.0.2'}}}": {
			"mode": "balance-rr", "arp_interval": "100", "arp_ip_target": "10.0.0.1,10.0.0.2"},
	} {
		spec, errs := netconf.FromConfig(section(t, text))
		for _, l := range spec.Links {
			if l.Key != "b" {
				continue
			}
			if d := cmp.Diff(want, l.Make.Bond); d != "" || len(errs) > 0 {
				t.Errorf("%s: -want +got:\n%s%v", text, d, errs)
			}
		}
	}
}

// TestMemberOfVRFByPattern: a link in a VRF has the routes that the pattern for
// it says, in the VRF's table; other links have them where they were.
func TestMemberOfVRFByPattern(t *testing.T) {
	spec, errs := netconf.FromConfig(section(t, "interfaces: {'e*': {address: 10.0.0.2/24, routes: [{to: 10.9.0.0/16, via: 10.0.0.1}]}, "+
		"r: {type: vrf, table: 9, members: [eth7]}}"))
	tables := map[string]int{}
	for _, l := range spec.Links {
		for _, r := range l.Routes {
			tables[l.Key] = r.Table
		}
	}
	if d := cmp.Diff(map[string]int{"e*": 0, "eth7": 9}, tables); d != "" || len(errs) > 0 {
		t.Errorf("-want +got:\n%s%v", d, errs)
	}
}

// TestDHCPArgs: what RancherOS tells dhcpcd is told to the DHCP client here,
// and dhcp_options win over it.
func TestDHCPArgs(t *testing.T) {
	for args, want := range map[string]netconf.DHCPOptions{
		"dhcpcd -MA4":                           {IgnoreMTU: true},
		"/sbin/dhcpcd -h box -i some -I 01:02":  {Hostname: "box", VendorClass: "some", ClientID: []byte{1, 2}},
		"dhcpcd -4hbox --clientid=ab -G":        {Hostname: "box", ClientID: []byte("\x00ab"), IgnoreRoutes: true},
		"dhcpcd --nohook resolv.conf -t 30":     {IgnoreDNS: true, IgnoreDomains: true},
		"dhcpcd -O ntp_servers,domain_search":   {IgnoreNTP: true, IgnoreDomains: true},
		"dhcpcd --vendorclassid x -O host_name": {VendorClass: "x", IgnoreHostname: true},
		"udhcpc -h box":                         {},
		"-h":                                    {},
		"":                                      {},
	} {
		spec, errs := netconf.FromConfig(osconfig.Network{Interfaces: links{"eth0": {DHCPArgs: args}}})
		if d := cmp.Diff(want, spec.Links[0].DHCPOptions); d != "" || len(errs) > 0 {
			t.Errorf("%s: -want +got:\n%s%v", args, d, errs)
		}
	}
	spec, _ := netconf.FromConfig(osconfig.Network{Interfaces: links{"eth0": {
		DHCPArgs: "dhcpcd -h box -i class", DHCPOptions: osconfig.DHCPOptions{Hostname: "other", ClientID: "text"}}}})
	want := netconf.DHCPOptions{Hostname: "other", VendorClass: "class", ClientID: []byte("text")}
	if d := cmp.Diff(want, spec.Links[0].DHCPOptions); d != "" {
		t.Error(d)
	}
}

// TestCommandVectors: a text is split as a shell does it, and nothing is expanded.
func TestCommandVectors(t *testing.T) {
	spec, errs := netconf.FromConfig(osconfig.Network{PreCmds: []osconfig.Command{
		{Shell: `echo "a b" 'c $d' e\ f ""  $iface`}, {Args: []string{"a b", ""}}, {Shell: "x 'y"}, {},
	}})
	want := [][]string{{"echo", "a b", "c $d", "e f", "", "$iface"}, {"a b", ""}}
	if d := cmp.Diff(want, spec.PreCmds); d != "" || len(errs) != 1 || !strings.Contains(errs[0].Error(), "pre_cmds[2]") {
		t.Errorf("%s%v", d, errs)
	}
}

// TestVRFMembers: the routes of a VRF and of its members are in its table.
func TestVRFMembers(t *testing.T) {
	spec, errs := netconf.FromConfig(section(t, `interfaces: {'eth*': {dhcp: true}, eth1: {address: 10.1.0.2/24, routes: [{to: 10.9.0.0/16, via: 10.1.0.1}, {to: 10.8.0.0/16, via: 10.1.0.1, table: 5}]},
  red: {type: vrf, table: 1001, members: [eth0, eth1], routes: [{to: default, type: unreachable}]}}`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := map[string][]int{}
	for _, l := range spec.Links {
		for _, r := range l.Routes {
			got[l.Key] = append(got[l.Key], r.Table)
		}
		if l.Key == "eth0" && (!l.DHCP || l.Master != "red") {
			t.Errorf("a member is not configured as its pattern says: %+v", l)
		}
	}
	if d := cmp.Diff(map[string][]int{"eth1": {1001, 5}, "red": {1001}}, got); d != "" {
		t.Error(d)
	}
}
