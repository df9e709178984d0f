package netconf_test

import (
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestMatch(t *testing.T) {
	hardware := netconf.Link{LinkID: netconf.LinkID{Name: "eth0"}, MAC: "02:00:00:00:00:09", PermMAC: "aa:bb:cc:00:00:01",
		Driver: "virtio_net", Path: "pci-0000:00:03.0"}
	vlan := netconf.Link{LinkID: netconf.LinkID{Name: "eth0.5"}, Kind: "vlan", MAC: "aa:bb:cc:00:00:01"}
	bond := netconf.Link{LinkID: netconf.LinkID{Name: "bond0"}, Kind: "bond", MAC: "aa:bb:cc:00:00:01"}
	virtual := netconf.Link{LinkID: netconf.LinkID{Name: "eth1"}, Kind: "veth", MAC: "aa:bb:cc:00:00:02"}
	tunnel := netconf.Link{LinkID: netconf.LinkID{Name: "wg0"}, Kind: "wireguard"}
	docker := netconf.Link{LinkID: netconf.LinkID{Name: "docker0"}, Kind: "bridge", MAC: "aa:bb:cc:00:00:03"}
	container := netconf.Link{LinkID: netconf.LinkID{Name: "veth1234"}, Kind: "veth", MAC: "aa:bb:cc:00:00:04"}
	lo := netconf.Link{LinkID: netconf.LinkID{Name: "lo"}, Loopback: true}
	for _, c := range []struct {
		pattern string
		link    netconf.Link
		want    bool
	}{
		{"eth0", hardware, true}, {"eth0", virtual, false}, {"eth*", hardware, true}, {"eth?", vlan, false},
		{"mac=AA:BB:CC:00:00:01", hardware, true}, {"mac=02:00:00:00:00:09", hardware, false},
		{"mac=aabb.cc00.0001", hardware, true},
		{"mac=aa:bb:cc:00:00:01", vlan, false}, {"mac=aa:bb:cc:00:00:01", bond, false}, {"mac=aa:bb:cc:00:00:02", virtual, true},
		{"mac=aa:bb:*", hardware, true}, {"mac=AA-BB-*", hardware, true}, {"mac=aa-[a-c][0-9a-f]-*", hardware, true},
		{"mac=aa-[c-e]*", hardware, false}, {"mac=*", tunnel, false}, {"mac=*", vlan, false},
		{"driver=virtio_net", hardware, true}, {"driver=virtio*", hardware, true}, {"driver=*", virtual, false},
		{"path=pci-0000:00:03.0", hardware, true}, {"path=pci-*", hardware, true}, {"path=*", vlan, false},
		{"*", docker, false}, {"*", container, false}, {"mac=aa:bb:*", container, false}, {"docker0", docker, true},
		{"*", lo, false}, {"lo", lo, true},
	} {
		m, err := netconf.ParseMatch(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		}
		if got := m.Matches(c.link); got != c.want {
			t.Errorf("%s on %s (%s): %v, want %v", c.pattern, c.link.Name, c.link.MAC, got, c.want)
		}
	}
	for _, s := range []string{"", ".", "a/b", "a b", "a:b", "mac=", "mac=zz:*", "mac=52:54", "driver=", "path=[", "pci=1", "averyveryverylongname"} {
		if m, err := netconf.ParseMatch(s); err == nil {
			t.Errorf("%q is no match, got %+v", s, m)
		}
	}
}

// TestPrecedence: however the keys are written, the order is the same.
func TestPrecedence(t *testing.T) {
	want := []string{
		"mac=52:54:00:00:00:01", "eth0", "path=pci-0000:00:03.0", "path=pci-*", "driver=virtio_net", "driver=e1000", "driver=*",
		"mac=52:54:00:*", "mac=*", "eth*", "e*",
	}
	links := map[string]osconfig.Interface{}
	for _, key := range want {
		links[key] = osconfig.Interface{}
	}
	for range 20 {
		spec, errs := netconf.FromConfig(osconfig.Network{Interfaces: links})
		var got []string
		for _, l := range spec.Links {
			got = append(got, l.Key)
		}
		if d := cmp.Diff(want, got); d != "" || len(errs) > 0 {
			t.Fatalf("-want +got:\n%s\n%v", d, errs)
		}
	}
}

// FuzzInterfaceKey: a key that the validator takes is a match, and one that it
// refuses is none; no pattern is about the loopback link, nor about a link
// that has its hardware address from another.
func FuzzInterfaceKey(f *testing.F) {
	for _, s := range []string{"eth0", "eth*", "mac=AA-bb:*", "mac=[0-9]*", "driver=virtio_*", "driver=virtio_*/", "path=pci-0000:00:*", "e\\*", "mac=[", "a=b", "lo", "%d"} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, key string, seed uint64) {
		m, err := netconf.ParseMatch(key)
		spec, errs := netconf.FromConfig(osconfig.Network{Interfaces: map[string]osconfig.Interface{key: {}}})
		if (err == nil) != (len(errs) == 0) || (err == nil) != (len(spec.Links) == 1) {
			t.Fatalf("ParseMatch says %v, FromConfig %v and %d links", err, errs, len(spec.Links))
		}
		if err != nil && validKey(key) {
			t.Errorf("%q: the validator takes it, ParseMatch says that it %v", key, err)
		}
		if err != nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, 1))
		mac := make(net.HardwareAddr, 6)
		for i := range mac {
			mac[i] = byte(random.Uint32())
		}
		name := strings.TrimLeft(key, "*?[")
		if name != "lo" && m.Name == "" && m.Matches(netconf.Link{LinkID: netconf.LinkID{Name: "lo"}, Loopback: true, MAC: mac.String()}) {
			t.Errorf("%q matches the loopback link", key)
		}
		kinds := []string{"vlan", "bond", "bridge", "macvlan", "ipvlan"}
		made := netconf.Link{LinkID: netconf.LinkID{Name: name}, Kind: kinds[random.IntN(len(kinds))], MAC: mac.String()}
		if m.MAC != "" && m.Matches(made) {
			t.Errorf("%q matches a %s by the address that it has inherited", key, made.Kind)
		}
		if !slices.ContainsFunc([]string{m.MAC, m.Name, m.Path, m.Driver, m.Glob}, func(s string) bool { return s != "" }) {
			t.Errorf("%q matches by nothing", key)
		}
	})
}

// validKey tells whether a document with this interface is right.
func validKey(key string) bool {
	var pos osconfig.Pos
	doc := osconfig.NewMap(pos, osconfig.Entry{Key: key, Value: osconfig.NewMap(pos)})
	for _, section := range []string{"interfaces", "network", "rancher"} {
		doc = osconfig.NewMap(pos, osconfig.Entry{Key: section, Value: doc})
	}
	return !osconfig.Validate(osconfig.Merge(osconfig.Layer{Name: "test", Doc: doc})).HasErrors()
}
