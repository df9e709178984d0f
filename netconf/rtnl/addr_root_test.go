package rtnl_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootLifetime: an address that the kernel removes by itself says when.
func TestRootLifetime(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn := open(t)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for text, valid := range map[string]int{"192.0.2.7/24": 600, "2001:db8::7/64": 600, "192.0.2.8/24": 0} {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		a.ValidLft, a.PreferedLft = valid, valid
		if err := netlink.AddrAdd(lo, a); err != nil {
			t.Fatal(err)
		}
	}
	links, err := conn.Links()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, a := range links[0].Addresses {
		left := time.Until(a.Until)
		switch a.Prefix {
		case netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64"):
			if seen++; left < 590*time.Second || left > 600*time.Second {
				t.Errorf("%s ends in %s", a.Prefix, left)
			}
		case netip.MustParsePrefix("192.0.2.8/24"):
			if seen++; !a.Until.IsZero() {
				t.Errorf("%s ends in %s", a.Prefix, left)
			}
		}
	}
	if seen != 3 {
		t.Errorf("%+v", links[0].Addresses)
	}
}

// TestRootProbed: a machine that has IPv6 alone is online when the kernel uses
// its address, and no earlier.
func TestRootProbed(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	netconftest.Real(t).AddLink("eth0")
	m := netconf.New(open(t), nil, discard{}, netconf.Options{})
	netconftest.Go(t, m.Run)
	address := netip.MustParsePrefix("fd00::2/64")
	m.Apply(netconf.Spec{Links: []netconf.LinkSpec{{Key: "eth0", Match: netconf.Match{Name: "eth0"}, Addresses: []netip.Prefix{address}}}})
	netconftest.Within(t, 10*time.Second, "online", func() (bool, <-chan struct{}) {
		s, changed := m.Watch()
		for _, l := range s.Links {
			for _, a := range l.Addresses {
				if s.Online && a.Prefix == address && a.Tentative {
					t.Error("online with an address that is still being probed")
				}
			}
		}
		return s.Online, changed
	})
}
