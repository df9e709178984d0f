package netconf_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// comparers lets go-cmp look at netip's types.
func comparers() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestFromConfig(t *testing.T) {
	yes, no := true, false
	type interfaces = map[string]osconfig.Interface
	for _, c := range []struct {
		name   string
		config osconfig.Network
		want   netconf.Spec
		errs   []string
	}{
		{name: "empty", want: netconf.Spec{DHCPTimeout: 30 * time.Second, Links: []netconf.LinkSpec{
			{Key: "eth*", Match: netconf.Match{Glob: "eth*"}, DHCP: true},
			{Key: "en*", Match: netconf.Match{Glob: "en*"}, DHCP: true}}}},
		{name: "precedence", config: osconfig.Network{DHCPTimeout: 5, Interfaces: interfaces{
			"e*": {DHCP: &yes}, "eth*": {DHCP: &no}, "eth0": {DHCP: &yes}, "mac=AA-BB-CC-00-11-22": {},
			"lan": {Match: "mac=aa:bb:*"}}},
			want: netconf.Spec{DHCPTimeout: 5 * time.Second, Links: []netconf.LinkSpec{
				{Key: "mac=AA-BB-CC-00-11-22", Match: netconf.Match{MAC: "aa:bb:cc:00:11:22"}},
				{Key: "eth0", Match: netconf.Match{Name: "eth0"}, DHCP: true},
				{Key: "lan", Match: netconf.Match{MAC: "aa:bb:*"}},
				{Key: "eth*", Match: netconf.Match{Glob: "eth*"}},
				{Key: "e*", Match: netconf.Match{Glob: "e*"}, DHCP: true}}}},
		{name: "static", config: osconfig.Network{
			DNS: osconfig.DNS{Nameservers: []string{"10.0.0.53", "fd00::53", "10.0.0.53"}, Search: []string{"example.org."}},
			Interfaces: interfaces{"eth0": {Address: "10.0.0.2/24", Addresses: []string{"fd00::2/64", "10.0.0.2/24"},
				Gateway: "10.0.0.1", GatewayIPv6: "fe80::1", MTU: 9000}}},
			want: netconf.Spec{DHCPTimeout: 30 * time.Second, Nameservers: addrs("10.0.0.53", "fd00::53"),
				Search: []string{"example.org"},
				Links: []netconf.LinkSpec{{Key: "eth0", Match: netconf.Match{Name: "eth0"},
					Addresses: prefixes("10.0.0.2/24", "fd00::2/64"), Gateways: addrs("10.0.0.1", "fe80::1"), MTU: 9000}}}},
		{name: "bad values are left out", config: osconfig.Network{DHCPTimeout: -1,
			DNS: osconfig.DNS{Nameservers: []string{"dns.example"}, Search: []string{"a b", "good"}},
			Interfaces: interfaces{
				"eth0":    {Addresses: []string{"10.0.0.2", "10.0.0.3/24", "nonsense"}, Gateway: "0.0.0.0", MTU: 20},
				"mac=xyz": {}, "et[h": {}, "averyveryverylongname": {}}},
			want: netconf.Spec{DHCPTimeout: 30 * time.Second, Search: []string{"good"}, Links: []netconf.LinkSpec{
				{Key: "eth0", Match: netconf.Match{Name: "eth0"}, Addresses: prefixes("10.0.0.3/24")}}},
			errs: []string{
				`rancher.network.dhcp_timeout: "-1" is negative`,
				`rancher.network.dns.nameservers[0]: "dns.example" is not the address of a host`,
				`rancher.network.dns.search[0]: "a b" is not a domain name`,
				`rancher.network.interfaces.averyveryverylongname: "averyveryverylongname" is longer than a link name can be, 15 bytes`,
				`rancher.network.interfaces.et[h: "et[h" is not a pattern`,
				`rancher.network.interfaces.eth0.mtu: "20" is not between 68 and 65536 bytes`,
				`rancher.network.interfaces.eth0.address: "10.0.0.2" lacks its prefix length: write 10.0.0.2/24 or whatever it is`,
				`rancher.network.interfaces.eth0.address: "nonsense" is not an address with a prefix length`,
				`rancher.network.interfaces.eth0.gateway: "0.0.0.0" is not the address of a host`,
				`rancher.network.interfaces.mac=xyz: "mac=xyz" is not a hardware address`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, errs := netconf.FromConfig(c.config)
			if d := cmp.Diff(c.want, got, comparers()); d != "" {
				t.Errorf("spec (-want +got):\n%s", d)
			}
			var texts []string
			for _, err := range errs {
				texts = append(texts, err.Error())
			}
			if d := cmp.Diff(c.errs, texts); d != "" {
				t.Errorf("errors (-want +got):\n%s", d)
			}
		})
	}
}

// TestKeysOfWireGuard: a key that is written otherwise, with a line break or
// with bits that say nothing, is the same to the kernel and becomes the same
// here: compared with the kernel's it does not differ.
func TestKeysOfWireGuard(t *testing.T) {
	const one, other = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=", "TrMvSoP4jYQlY6RI\nzBgbssQqY3vxI2Pi+y71lOWWXX1="
	spec, errs := netconf.FromConfig(network(links{"wg0": {Type: "wireguard", PrivateKey: other,
		Peers: []osconfig.WireGuardPeer{{PublicKey: other, PresharedKey: other}, {PublicKey: one}}}}))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "has the public_key of a peer before it") {
		t.Errorf("the same key twice: %v", errs)
	}
	want := netconf.WireGuard{PrivateKey: one, Peers: []netconf.Peer{{PublicKey: one, PresharedKey: one}}}
	if d := cmp.Diff(want, spec.Links[0].Make.WireGuard, comparers()); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}
