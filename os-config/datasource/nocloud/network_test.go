package nocloud

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

// network decodes what becomes of a network-config.
func network(t *testing.T, text string) (osconfig.Network, osconfig.Report) {
	t.Helper()
	doc, bad := osconfig.ParseTree("metadata", "network-config", []byte(text))
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	node, report := Network(doc)
	cfg, wrong := osconfig.Decode(osconfig.Merge(datasource.Result{Network: node}.Metadata("metadata")))
	if wrong.HasErrors() {
		t.Errorf("no valid configuration:\n%s", wrong)
	}
	return cfg.Rancher.Network, report
}

func TestNetworkWhole(t *testing.T) {
	yes, no, delay := true, false, 4
	tests := []struct {
		name, text string
		want       osconfig.Network
	}{
		// After the examples of netplan's documentation.
		{"version 2: bond, VLAN, bridge", `
version: 2
ethernets:
  eno1: {}
  eno2: {optional: true}
  eno3: {}
bonds:
  bond0:
    interfaces: [eno1, eno2]
    addresses: [192.168.93.2/24]
    parameters: {mode: 802.3ad, lacp-rate: fast, mii-monitor-interval: 100, transmit-hash-policy: layer3+4, arp-ip-targets: [10.0.0.1, 10.0.0.2]}
vlans:
  bond0.100: {id: 100, link: bond0, dhcp4: yes, dhcp4-overrides: {use-dns: false, route-metric: 200, hostname: box}}
bridges:
  br0: {interfaces: [eno3], macaddress: "52:54:00:11:22:33", parameters: {stp: false, forward-delay: 4}, accept-ra: off}
`, osconfig.Network{Interfaces: map[string]osconfig.Interface{
			"eno1": {}, "eno3": {}, "eno2": {Optional: &yes},
			"bond0": {Type: "bond", Members: []string{"eno1", "eno2"}, Addresses: []string{"192.168.93.2/24"}, BondOpts: map[string]string{
				"mode": "802.3ad", "lacp_rate": "fast", "miimon": "100", "xmit_hash_policy": "layer3+4", "arp_ip_target": "10.0.0.1,10.0.0.2"}},
			"bond0.100": {Type: "vlan", ID: 100, Link: "bond0", DHCP: &yes, Metric: 200, DHCPOptions: osconfig.DHCPOptions{UseDNS: &no, Hostname: "box"}},
			"br0":       {Type: "bridge", Members: []string{"eno3"}, MACAddress: "52:54:00:11:22:33", STP: &no, ForwardDelay: &delay, AcceptRA: &no},
		}}},
		{"version 2: routes and rules", `
version: 2
ethernets:
  eno1:
    match: {driver: e1000}
    addresses: [10.100.1.38/24, 10.100.1.39/24]
    link-local: [ipv4, ipv6]
    ipv6-privacy: true
    routes:
      - {to: default, via: 10.100.1.1, on-link: true, metric: 50}
      - {to: default, via: 10.100.1.2, metric: 3333}
      - {to: 10.0.0.0/8, via: 10.100.1.9, from: 10.100.1.38, table: 101, mtu: 1400}
      - {to: 192.168.7.1, scope: link}
      - {to: 10.9.0.0/16, type: blackhole}
    routing-policy: [{from: 10.100.1.38, table: 101, priority: 10}]
`, osconfig.Network{
			Interfaces: map[string]osconfig.Interface{"eno1": {
				Match: "driver=e1000", Addresses: []string{"10.100.1.38/24", "10.100.1.39/24"}, IPv4LL: true, IPv6Privacy: &yes,
				Gateway: "10.100.1.1", Metric: 50,
				Routes: []osconfig.Route{
					{To: "default", Via: "10.100.1.2", Metric: 3333},
					{To: "10.0.0.0/8", Via: "10.100.1.9", From: "10.100.1.38", Table: 101, MTU: 1400},
					{To: "192.168.7.1/32", Scope: "link"},
					{To: "10.9.0.0/16", Type: "blackhole"},
				}}},
			Rules: []osconfig.RouteRule{{From: "10.100.1.38", Table: 101, Priority: 10}},
		}},
		// After the examples of cloud-init's documentation.
		{"version 1: bond, VLAN, bridge, route", `
version: 1
config:
  - {type: physical, name: interface0, mac_address: "00:11:22:33:44:55"}
  - {type: physical, name: eth1, mac_address: "00:11:22:33:44:66", accept-ra: false}
  - type: bond
    name: bond0
    bond_interfaces: [interface0, eth1]
    params: {bond-mode: active-backup, bond_miimon: 100}
    subnets: [{type: static, address: 192.168.23.14/27, gateway: 192.168.23.1, metric: 7}]
  - {type: vlan, name: bond0.101, vlan_link: bond0, vlan_id: 101, mtu: 1500, subnets: [{type: dhcp6}]}
  - {type: bridge, name: br0, bridge_interfaces: [bond0.101], params: {bridge_stp: 'off', bridge_fd: 4}}
  - {type: route, destination: 192.168.24.0/24, gateway: 192.168.23.9, metric: 3}
  - {type: physical, name: free, mac_address: "00:11:22:33:44:77", subnets: [{type: static, address: 10.0.0.2, netmask: 255.0.0.0, routes: [{network: 0.0.0.0, netmask: 0.0.0.0, gateway: 10.0.0.1}, {network: 10.2.0.0, netmask: 255.255.0.0, gateway: 10.0.0.3}]}]}
`, osconfig.Network{Interfaces: map[string]osconfig.Interface{
			"interface0": {Match: "mac=00:11:22:33:44:55", SetName: "interface0"},
			"eth1":       {Match: "mac=00:11:22:33:44:66", SetName: "eth1", AcceptRA: &no},
			"bond0": {Type: "bond", Members: []string{"interface0", "eth1"}, Addresses: []string{"192.168.23.14/27"}, Gateway: "192.168.23.1", Metric: 7,
				BondOpts: map[string]string{"mode": "active-backup", "miimon": "100"}, Routes: []osconfig.Route{{To: "192.168.24.0/24", Via: "192.168.23.9", Metric: 3}}},
			"bond0.101":             {Type: "vlan", ID: 101, Link: "bond0", MTU: 1500, DHCP6: &yes},
			"br0":                   {Type: "bridge", Members: []string{"bond0.101"}, STP: &no, ForwardDelay: &delay},
			"mac=00:11:22:33:44:77": {Addresses: []string{"10.0.0.2/8"}, Gateway: "10.0.0.1", Routes: []osconfig.Route{{To: "10.2.0.0/16", Via: "10.0.0.3"}}},
		}}},
		{"disabled", "network: {config: disabled}\n", osconfig.Network{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, report := network(t, tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" || len(report) > 0 {
				t.Errorf("%s-want +got:\n%s", report, diff)
			}
		})
	}
}

// TestNetworkSays: what has no effect is named, with its line.
func TestNetworkSays(t *testing.T) {
	_, report := network(t, `version: 2
ethernets:
  e0:
    dhcp4: true
    openvswitch: {}
    match: {}
wifis:
  wl0: {access-points: {x: {password: secret-word, band: 5GHz}, y: {password: secret-word}}}
tunnels: {t: {mode: sit, key: secret-word}}
modems: {}
`)
	for _, want := range []string{":5:18: warning: openvswitch", ":6:12: warning: an empty match", ":8:58: warning: the access point's band", ":8:65: warning: a second access point",
		":9:14: warning: a tunnel of mode sit", ":10:9: warning: modems"} {
		if !strings.Contains(report.String(), "network-config"+want) {
			t.Errorf("%q is not in\n%s", want, report)
		}
	}
	if strings.Contains(report.String(), "secret-word") {
		t.Error("a secret is repeated")
	}
	_, report = network(t, "version: 1\nconfig:\n  - {type: route, destination: 10.0.0.0/8, gateway: 192.0.2.1}\n")
	if !strings.Contains(report.String(), "a route by a gateway in none of the networks") {
		t.Errorf("%s", report)
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add([]byte("version: 2\nethernets: {a: {match: {macaddress: x}, routes: [{to: default, via: 1.2.3.4}], dhcp4-overrides: {use-dns: no}}}\nbonds: {b: {interfaces: [a], parameters: {mode: 1}}}\n"))
	f.Add([]byte("version: 2\nvlans: {v: {id: 5, link: b}}\nvrfs: {r: {table: 5, interfaces: [a], routing-policy: [{from: 1.2.3.4}]}}\ntunnels: {w: {mode: wireguard, key: x, peers: [{keys: {public: y}}]}, t: {mode: vxlan, id: 1, remote: 239.1.1.1}}\nwifis: {l: {access-points: {x: {auth: {method: tls}}}}}\n"))
	f.Add([]byte("version: 1\nconfig: [{type: bond, name: b, bond_interfaces: [a], subnets: [{type: static, address: 1.2.3.4/8, routes: [{network: 0.0.0.0}]}]}, {type: route}]\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if doc, _ := osconfig.ParseTree("metadata", "network-config", data); doc != nil {
			node, _ := Network(doc)
			cfg, _, _ := osconfig.DecodeLenient(datasource.Result{Network: node}.Metadata("metadata"))
			netconf.FromConfig(cfg.Rancher.Network)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("instance-id: a\npublic-keys: {0: {openssh-key: x}}\n"), []byte("version: 1\nconfig: []\n"))
	f.Fuzz(func(_ *testing.T, meta, network []byte) {
		out := source{name: func(s string) string { return s }}.parse(map[string][]byte{metaData: meta, networkConfig: network, vendorData: meta})
		osconfig.DecodeLenient(out.Metadata("metadata"))
	})
}

// TestNetworkSubnets: a link of version 1 has the first gateway of its
// subnets, what becomes of others is said, and a text may hold several name
// servers.
func TestNetworkSubnets(t *testing.T) {
	got, report := network(t, `
version: 1
config:
  - type: physical
    name: eth0
    subnets:
      - {type: static, address: 10.0.0.2/24, gateway: 10.0.0.1, dns_nameservers: 10.0.0.53 10.0.0.54}
      - {type: static, address: 10.1.0.2/24, gateway: 10.1.0.1, dns_search: [a.example b.example, c.example]}
      - {type: static, address: 10.0.0.3/24, gateway: 10.0.0.1}
      - {type: static6, address: "2001:db8::2/64", gateway: "2001:db8::1"}
      - {type: static6, address: "2001:db8:1::2/64", gateway: "2001:db8:1::1"}
`)
	want := osconfig.Network{Interfaces: map[string]osconfig.Interface{"eth0": {
		Addresses: []string{"10.0.0.2/24", "10.1.0.2/24", "10.0.0.3/24", "2001:db8::2/64", "2001:db8:1::2/64"},
		Gateway:   "10.0.0.1", GatewayIPv6: "2001:db8::1",
		DNS: osconfig.DNS{
			Nameservers: []string{"10.0.0.53", "10.0.0.54"}, Search: []string{"a.example", "b.example", "c.example"},
		},
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	var lines []int
	for _, p := range report {
		if strings.Contains(p.Text, "a second gateway of a link in network-config is not supported") {
			lines = append(lines, p.Line)
		}
	}
	if d := cmp.Diff([]int{8, 11}, lines); d != "" || len(report) != 2 {
		t.Errorf("lines of gateways that are left out, -want +got:\n%s%s", d, report)
	}
}
