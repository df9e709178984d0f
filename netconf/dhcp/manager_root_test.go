package dhcp_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootFlap: when the cable is back, the lease is asked for again at once,
// without looking for servers first; the address stays meanwhile. Then somebody
// asks for a renewal.
func TestRootFlap(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer, s := serverOn(t)
	give := behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 3600}
	s.behave(t, give)
	m := boot(t, dhcpOn("eth0"))
	first := m.until(t, "eth0", "bound", bound).Lease
	peer.Run(t, "ip", "link", "set", "srv0", "down")
	m.until(t, "eth0", "no carrier", func(l netconf.LinkState) bool { return !l.Carrier })
	s.behave(t, give)
	if l, _ := m.link("eth0"); !l.Has(first.Address) {
		t.Errorf("without a carrier the address is gone: %v", l.Addresses)
	}
	began := time.Now()
	peer.Run(t, "ip", "link", "set", "srv0", "up")
	second := m.until(t, "eth0", "confirmed", func(l netconf.LinkState) bool { return bound(l) && l.Lease != first }).Lease
	t.Logf("confirmed %v after the cable was plugged in", time.Since(began))
	if heard := s.behave(t, give); len(heard) < 2 || heard[0] != "REQUEST 192.0.2.50 broadcast" {
		t.Errorf("the server heard %q", heard)
	}
	if err := m.Renew("eth0"); err != nil {
		t.Fatal(err)
	}
	m.until(t, "eth0", "renewed", func(l netconf.LinkState) bool { return bound(l) && l.Lease != second })
	if heard := s.until(t, "REQUEST"); heard[0] != "REQUEST <nil> unicast" {
		t.Errorf("the server heard %q", heard)
	}
}

// TestRootConflict: an address that another host has is taken from the link
// again, and the state says whose it is.
func TestRootConflict(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer, s := serverOn(t)
	peer.Run(t, "ip", "link", "set", "srv0", "address", "02:00:00:00:00:ee")
	peer.Run(t, "ip", "link", "set", "lo", "up")
	peer.Run(t, "ip", "addr", "add", "192.0.2.50/32", "dev", "lo")
	s.behave(t, behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 3600})
	m := boot(t, dhcpOn("eth0"))
	l := m.until(t, "eth0", "the conflict", func(l netconf.LinkState) bool {
		return strings.HasPrefix(l.Message, "192.0.2.50 is in use by 02:00:00:00:00:ee")
	})
	heard := s.until(t, "DECLINE")
	if last := heard[len(heard)-1]; last != "DECLINE 192.0.2.50 broadcast" {
		t.Errorf("the server heard %q", last)
	}
	if l.Lease != nil {
		t.Errorf("the lease is still there: %+v", l.Lease)
	}
	m.until(t, "eth0", "the address is gone", func(l netconf.LinkState) bool { return !l.Has(netip.MustParsePrefix("192.0.2.50/24")) })
	s.behave(t, behaviour{Server: "192.0.2.1", Give: "192.0.2.60", Lease: 3600})
	m.until(t, "eth0", "another address", func(l netconf.LinkState) bool {
		return bound(l) && l.Lease.Address == netip.MustParsePrefix("192.0.2.60/24")
	})
}
