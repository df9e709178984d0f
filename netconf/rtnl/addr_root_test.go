package rtnl_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

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
