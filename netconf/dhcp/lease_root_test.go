package dhcp_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func TestRootLease(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	s := newServer(t, peer, "srv0", "192.0.2.1/24")
	s.start(t, "--dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,1h",
		"--dhcp-option=option:dns-server,192.0.2.53", "--dhcp-option=option:domain-search,a.example,b.example",
		"--dhcp-option=option:domain-name,example.org", "--dhcp-option=option:mtu,1450",
		"--dhcp-option=option:ntp-server,192.0.2.123", "--dhcp-option=12,box",
		"--dhcp-option=121,198.51.100.0/24,192.0.2.7,0.0.0.0/0,192.0.2.9")
	began := time.Now()
	m := boot(t, dhcpOn("eth*"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := m.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("online after %v", time.Since(began))
	l := m.until(t, "eth0", "bound", bound)
	want := &netconf.Lease{
		Address: l.Lease.Address, Server: netip.MustParseAddr("192.0.2.1"),
		Routers: l.Lease.Routers, Domain: "example.org", Search: []string{"a.example", "b.example"},
		DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, NTP: []netip.Addr{netip.MustParseAddr("192.0.2.123")},
		Hostname: "box", MTU: 1450,
		Routes: []netconf.LeaseRoute{
			{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: netip.MustParseAddr("192.0.2.7")},
			{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.9")}},
		Acquired: l.Lease.Acquired, Duration: time.Hour, T1: l.Lease.T1, T2: l.Lease.T2,
	}
	netconftest.Compare(t, "lease", want, l.Lease)
	if !netip.MustParsePrefix("192.0.2.48/28").Contains(l.Lease.Address.Addr()) || l.Lease.Address.Bits() != 24 {
		t.Errorf("address %v is not from the range", l.Lease.Address)
	}
	if l.MTU != 1450 || l.Source != "dhcp" || len(l.Gateways) != 1 || l.Gateways[0].String() != "192.0.2.9" {
		t.Errorf("link: MTU %d, source %s, gateways %v", l.MTU, l.Source, l.Gateways)
	}
	routes := netconftest.Run(t, "ip", "-4", "route")
	for _, want := range []string{"default via 192.0.2.9 dev eth0 proto 80 src ", "198.51.100.0/24 via 192.0.2.7 dev eth0 proto 80"} {
		if !strings.Contains(routes, want) {
			t.Errorf("ip route lacks %q:\n%s", want, routes)
		}
	}
	text, err := os.ReadFile(filepath.Join(m.etc, "resolv.conf"))
	if err != nil || !strings.Contains(string(text), "search a.example b.example\nnameserver 192.0.2.53\n") {
		t.Errorf("resolv.conf: %v\n%s", err, text)
	}
	if s := m.State(); s.Names.Hostname != "box" || len(s.Problems) > 0 || len(s.Waiting) > 0 || s.OnlineSince.IsZero() {
		t.Errorf("state: %+v", s)
	}
}

// TestRootRenew renews by unicast at T1; then the server is away until after
// T2, so that the client asks everyone.
func TestRootRenew(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	s := newServer(t, peer, "srv0", "192.0.2.1/24")
	options := []string{"--dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,2m",
		"--dhcp-option=option:T1,3", "--dhcp-option=option:T2,5"}
	s.start(t, options...)
	m := boot(t, dhcpOn("eth0"))
	first := m.until(t, "eth0", "bound", bound).Lease
	renewed := m.until(t, "eth0", "renewed", func(l netconf.LinkState) bool {
		return bound(l) && l.Lease.Acquired.After(first.Acquired)
	}).Lease
	if renewed.Address != first.Address {
		t.Errorf("renewed as %v, was %v", renewed.Address, first.Address)
	}
	s.stop()
	m.until(t, "eth0", "rebinding", func(l netconf.LinkState) bool { return l.LeaseState == netconf.LeaseRebinding })
	if l, _ := m.link("eth0"); !l.Has(first.Address) || l.Lease == nil {
		t.Errorf("the address went before the lease was over")
	}
	s.start(t, options...)
	again := m.until(t, "eth0", "rebound", func(l netconf.LinkState) bool {
		return bound(l) && l.Lease.Acquired.After(renewed.Acquired)
	}).Lease
	if again.Address != first.Address {
		t.Errorf("rebound as %v, was %v", again.Address, first.Address)
	}
}

// TestRootRefused: the server comes back with another network and refuses
// what it gave; the old address must go and a new one come.
func TestRootRefused(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	s := newServer(t, peer, "srv0", "192.0.2.1/24")
	s.start(t, "--dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,2m", "--dhcp-option=option:T1,3", "--dhcp-option=option:T2,4")
	m := boot(t, dhcpOn("eth0"))
	first := m.until(t, "eth0", "bound", bound).Lease
	s.forget()
	peer.Run(t, "ip", "addr", "flush", "dev", "srv0")
	peer.Run(t, "ip", "addr", "add", "198.51.100.1/24", "dev", "srv0")
	s.start(t, "--dhcp-range=198.51.100.50,198.51.100.60,255.255.255.0,1h")
	l := m.until(t, "eth0", "bound to the other network", func(l netconf.LinkState) bool {
		return bound(l) && l.Lease.Server.String() == "198.51.100.1"
	})
	if l.Has(first.Address) {
		t.Errorf("the refused address %v is still there: %v", first.Address, l.Addresses)
	}
}

// TestRootLateServer: nobody answers at first; then a server comes.
func TestRootLateServer(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	s := newServer(t, peer, "srv0", "192.0.2.1/24")
	config := dhcpOn("eth0")
	config.DHCPTimeout = 1
	m := boot(t, config)
	netconftest.Within(t, 20*time.Second, "a problem that names link and timeout", func() (bool, <-chan struct{}) {
		st, changed := m.Watch()
		return len(st.Problems) == 1 && strings.HasPrefix(st.Problems[0], "eth0: no DHCP lease after 1 s, still trying"), changed
	})
	if text := m.Online().String(); !strings.HasPrefix(text, "network: waiting for a lease on eth0 (") {
		t.Errorf("condition says %q", text)
	}
	s.start(t, "--dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,1h", "--dhcp-rapid-commit")
	m.until(t, "eth0", "bound", bound)
	if p := m.Problems(); len(p) > 0 {
		t.Errorf("problems after the lease: %q", p)
	}
}

// TestRootTwoLinks: two links, two networks, two default routes; one cable is
// pulled and put back in; then the manager is restarted and adopts what is
// there.
func TestRootTwoLinks(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	for i, net := range []string{"192.0.2", "198.51.100"} {
		far := fmt.Sprintf("srv%d", i)
		peer.Cable(t, fmt.Sprintf("eth%d", i), far)
		newServer(t, peer, far, net+".1/24").start(t, fmt.Sprintf("--dhcp-range=%s.50,%s.60,255.255.255.0,1h", net, net))
	}
	m := boot(t, dhcpOn("eth*"))
	a := m.until(t, "eth0", "bound", bound)
	b := m.until(t, "eth1", "bound", bound)
	if len(a.Gateways) != 1 || len(b.Gateways) != 1 || a.Gateways[0] == b.Gateways[0] {
		t.Errorf("gateways: %v and %v, want one each", a.Gateways, b.Gateways)
	}
	peer.Run(t, "ip", "link", "set", "srv1", "down")
	m.until(t, "eth1", "no carrier", func(l netconf.LinkState) bool { return !l.Carrier })
	peer.Run(t, "ip", "link", "set", "srv1", "up")
	again := m.until(t, "eth1", "confirmed", func(l netconf.LinkState) bool {
		return bound(l) && l.Lease.Acquired.After(b.Lease.Acquired)
	})
	if again.Lease.Address != b.Lease.Address {
		t.Errorf("eth1 has %v, had %v", again.Lease.Address, b.Lease.Address)
	}
	m.stop()
	m = boot(t, dhcpOn("eth*"))
	l := m.until(t, "eth0", "adopted and confirmed", bound)
	if l.Lease.Address != a.Lease.Address {
		t.Errorf("eth0 has %v after a restart, had %v", l.Lease.Address, a.Lease.Address)
	}
}
