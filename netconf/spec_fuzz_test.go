package netconf_test

import (
	"testing"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// FuzzFromConfig: whatever a section says, what comes out of it hangs
// together: a link that others belong to is made, none is made of itself, and
// no name is one that the kernel refuses.
func FuzzFromConfig(f *testing.F) {
	for _, s := range []string{
		"interfaces: {eth0: {bond: bond0, vlans: '5,6:x'}, bond0: {bridge: br0}, br0: {bridge: true, members: [x]}}",
		"interfaces: {a: {type: vlan, link: b, id: 5}, b: {type: vlan, link: a, id: 5}, 'e*': {vlans: '7'}, eth0.7: {}, 'mac=52:*': {vlans: '8'}}",
		"interfaces: {w: {type: wireguard, private_key: x, peers: [{public_key: y, allowed_ips: [1.2.3.4]}]}, v: {type: vxlan, id: 1, group: 239.1.1.1}, r: {type: vrf, table: 9, members: [eth0]}, 'eth*': {dhcp: true, dhcp_args: dhcpcd -I x -O routers}}",
		"rules: [{from: 10.0.0.0/8, to: 'fd00::/8', table: 5}, {mark: 3, table: 7}]\npre_cmds: ['a \"b c', [x]]\ninterfaces: {e: {routes: [{to: default, via: 'fe80::1%e'}], wifi_network: w, mac_address: x}}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, _ := osconfig.ParseTree("test", "x", data)
		if doc == nil {
			return
		}
		at := osconfig.NewMap(doc.Pos, osconfig.Entry{Key: "rancher", Value: osconfig.NewMap(doc.Pos, osconfig.Entry{Key: "network", Value: doc})})
		// As it is, with values that the validator refuses, and as at boot.
		strict, _ := osconfig.Decode(osconfig.Merge(osconfig.Layer{Name: "test", Doc: at}))
		soft, _, _ := osconfig.DecodeLenient(osconfig.Layer{Name: "test", Doc: at})
		for _, c := range []osconfig.Config{strict, soft} {
			spec, _ := netconf.FromConfig(c.Rancher.Network)
			hangsTogether(t, spec)
		}
	})
}

func hangsTogether(t *testing.T, spec netconf.Spec) {
	t.Helper()
	byKey := map[string]netconf.LinkSpec{}
	for _, l := range spec.Links {
		if _, twice := byKey[l.Key]; twice {
			t.Fatalf("%s stands there twice", l.Key)
		}
		byKey[l.Key] = l
	}
	members := map[string][]string{}
	for _, l := range spec.Links {
		if l.Master != "" {
			members[l.Master] = append(members[l.Master], l.Key)
			if m := byKey[l.Master]; m.Make == nil || m.Make.Kind != netconf.KindVRF && (l.DHCP || len(l.Addresses) > 0) {
				t.Errorf("%s belongs to %s: %+v", l.Key, l.Master, m.Make)
			}
		}
		for _, name := range []string{l.Match.Name, l.SetName} {
			if len(name) > 15 {
				t.Errorf("%s has the name %s", l.Key, name)
			}
		}
		if l.Make != nil && (l.Match.Name == "" || l.Match.Name == "lo" || l.SetName != "") {
			t.Errorf("%s is made as %+v, %q", l.Key, l.Match, l.SetName)
		}
	}
	const active, done = 1, 2
	state := map[string]int{}
	var visit func(string)
	visit = func(key string) {
		switch state[key] {
		case active:
			t.Fatalf("%s is made of itself", key)
		case done:
			return
		}
		state[key] = active
		if l, ok := byKey[key]; ok && l.Make != nil && l.Make.Parent != "" {
			visit(l.Make.Parent)
		}
		for _, m := range members[key] {
			visit(m)
		}
		state[key] = done
	}
	for key := range byKey {
		visit(key)
	}
}
