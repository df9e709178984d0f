package dhcp6_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp6"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/resolv"
	"github.com/pharos-os/pharos/netconf/rtnl"
)

// manage runs everything that rosd has of the network, in a real namespace,
// with eth0 and other links as told.
func manage(t *testing.T, spec netconf.LinkSpec, more ...netconf.LinkSpec) (m *netconf.Manager, etc string) {
	t.Helper()
	kernel, err := rtnl.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernel.Close() })
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	etc = filepath.Join(t.TempDir(), "etc")
	m = netconf.New(kernel, nil, resolv.New(etc, func(string) error { return nil }),
		netconf.Options{Log: log, DHCP6: dhcp6.New(dhcp6.Options{Log: log})})
	spec.Key, spec.Match.Name = "eth0", "eth0"
	m.Apply(netconf.Spec{Links: append(more, spec), DHCPTimeout: time.Minute})
	netconftest.Go(t, m.Run)
	return m, etc
}

// until waits for a state of eth0.
func until(t *testing.T, m *netconf.Manager, what string, holds func(netconf.LinkState) bool) (l netconf.LinkState) {
	t.Helper()
	netconftest.Within(t, 30*time.Second, what, func() (bool, <-chan struct{}) {
		s, changed := m.Watch()
		i := slices.IndexFunc(s.Links, func(l netconf.LinkState) bool { return l.Name == "eth0" })
		if i < 0 {
			return false, changed
		}
		l = s.Links[i]
		return holds(l), changed
	})
	return l
}

// settled tells whether the link has the address, and nobody else.
func settled(l netconf.LinkState, in string) bool {
	return slices.ContainsFunc(l.Addresses, func(a netconf.Address) bool {
		return a.Own && !a.Tentative && !a.Duplicate && netip.MustParsePrefix(in).Contains(a.Prefix.Addr())
	})
}

// TestRootManaged: nothing is configured but the link; a router says that
// there is DHCPv6, and what DHCPv6 says reaches the link and resolv.conf.
func TestRootManaged(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	peer.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", "srv0", "nodad")
	dnsmasq(t, peer, t.TempDir(), "--enable-ra", "--ra-param=srv0,5,600", "--dhcp-range=2001:db8::100,2001:db8::1ff,64,1h",
		"--dhcp-option=option6:dns-server,[2001:db8::53]", "--dhcp-option=option6:domain-search,a.example")
	m, etc := manage(t, netconf.LinkSpec{})
	l := until(t, m, "an address by DHCPv6", func(l netconf.LinkState) bool { return settled(l, "2001:db8::100/120") })
	if !l.Managed || l.Lease6 == nil {
		t.Errorf("managed %v, lease %v", l.Managed, l.Lease6)
	}
	text, err := os.ReadFile(filepath.Join(etc, "resolv.conf"))
	if err != nil || !strings.Contains(string(text), "search a.example\nnameserver 2001:db8::53\n") {
		t.Errorf("resolv.conf: %v\n%s", err, text)
	}
}

// TestRootDelegateFrom: another link has the first address of a delegated
// prefix, and a new one when the prefix changes.
func TestRootDelegateFrom(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	lease := func(p string) answer {
		return grants(na(address("2001:db8::5", time.Hour, time.Hour)), pd(prefix(p, time.Hour, time.Hour)))
	}
	s := newDelegating(t, lease("2001:db8:100::/56"))
	m, _ := manage(t, netconf.LinkSpec{DHCP6: netconf.ModeYes}, netconf.LinkSpec{Key: "lan", Match: netconf.Match{Name: "lan"},
		Make: &netconf.Device{Kind: netconf.KindBridge}, DelegateFrom: "eth0", DHCP6: netconf.ModeNo})
	lan := func(address string) func(netconf.LinkState) bool {
		return func(netconf.LinkState) bool {
			return slices.ContainsFunc(m.State().Links, func(l netconf.LinkState) bool {
				return l.Name == "lan" && l.Has(netip.MustParsePrefix(address))
			})
		}
	}
	until(t, m, "an address of the prefix on lan", lan("2001:db8:100::1/64"))
	s.set(func(p *dhcpv6.Message) [][]byte { // the server renumbers
		gone := prefix("2001:db8:100::/56", 0, 0)
		return grants(na(address("2001:db8::5", time.Hour, time.Hour)), pd(gone, prefix("2001:db8:200::/56", time.Hour, time.Hour)))(p)
	})
	if err := m.Renew("eth0"); err != nil {
		t.Fatal(err)
	}
	until(t, m, "an address of the new prefix on lan", lan("2001:db8:200::1/64"))
	if lan("2001:db8:100::1/64")(netconf.LinkState{}) {
		until(t, m, "the old one gone", func(l netconf.LinkState) bool { return !lan("2001:db8:100::1/64")(l) })
	}
}

// TestRootConflict: another machine has the address that is granted. The
// kernel finds out, the server is told, and the next address is used.
func TestRootConflict(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	declined := make(chan struct{}, 10)
	var told bool
	newDelegating(t, func(p *dhcpv6.Message) [][]byte {
		if p.MessageType == dhcpv6.MessageTypeDecline {
			told = true
			declined <- struct{}{}
			return always(statusCode(0, ""))(p)
		}
		if told {
			return grants(na(address("2001:db8::6", time.Hour, time.Hour)))(p)
		}
		return grants(na(address("2001:db8::5", time.Hour, time.Hour)))(p)
	})
	netconftest.Run(t, "ip", "addr", "add", "2001:db8::5/64", "dev", "srv0", "nodad")
	m, _ := manage(t, netconf.LinkSpec{DHCP6: netconf.ModeYes})
	l := until(t, m, "the second address", func(l netconf.LinkState) bool { return settled(l, "2001:db8::6/128") })
	if len(declined) != 1 {
		t.Errorf("declined %d times", len(declined))
	}
	for _, a := range l.Addresses {
		if a.Prefix.Addr() == netip.MustParseAddr("2001:db8::5") {
			t.Errorf("the link still has the duplicate: %+v", a)
		}
	}
}
