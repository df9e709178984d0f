package dhcp6_test

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootLease goes through a lease's life with dnsmasq: granted, renewed,
// declined, confirmed after a restart of the client, and refused after the
// network was renumbered.
func TestRootLease(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := cable(t)
	peer.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", "srv0", "nodad")
	dir := t.TempDir()
	stop := dnsmasq(t, peer, dir, "--dhcp-range=2001:db8::100,2001:db8::1ff,64,1h",
		"--dhcp-option=option6:dns-server,[2001:db8::53]", "--dhcp-option=option6:domain-search,a.example,b.example",
		"--dhcp-option=option6:sntp-server,[2001:db8::31]", "--dhcp-option=option6:ntp-server,[2001:db8::123]")
	began := time.Now()
	c := run(t, netconf.Lease6Request{Hostname: "box"})
	first := c.until(t, "bound", isBound).Lease
	t.Logf("bound after %v", time.Since(began))
	netconftest.Compare(t, "lease", &netconf.Lease6{Server: first.Server, Addresses: first.Addresses, DNS: addrs("2001:db8::53"),
		Search: []string{"a.example", "b.example"}, NTP: first.NTP, Acquired: first.Acquired,
		T1: first.T1, T2: first.T2}, first)
	if len(first.Addresses) != 1 || !netip.MustParsePrefix("2001:db8::100/120").Contains(first.Addresses[0].Prefix.Addr()) ||
		first.Addresses[0].Valid != time.Hour {
		t.Errorf("addresses %v", first.Addresses)
	}
	if len(first.NTP) != 1 || first.T1 < 25*time.Minute || first.T1 > 30*time.Minute {
		t.Errorf("time servers %v, T1 %v", first.NTP, first.T1)
	}
	if got := hex.EncodeToString(first.Server); got != "000200000001010203" { // DUID-EN, as dnsmasq was told
		t.Errorf("server %s", got)
	}
	c.renew <- struct{}{}
	renewed := c.until(t, "renewed", func(s netconf.Lease6Status) bool { return isBound(s) && s.Lease.Acquired.After(first.Acquired) }).Lease
	if renewed.Addresses[0] != first.Addresses[0] {
		t.Errorf("renewed %v, was %v", renewed.Addresses, first.Addresses)
	}
	bad := renewed.Addresses[0].Prefix.Addr()
	c.declined <- bad
	other := c.until(t, "another address", isBound).Lease
	if other.Addresses[0].Prefix.Addr() == bad {
		t.Errorf("%v again, which was declined", bad)
	}
	c.stop()

	c = run(t, netconf.Lease6Request{Previous: other})
	c.until(t, "confirming", func(s netconf.Lease6Status) bool { return s.State == netconf.LeaseInitReboot && s.Attempt == 1 })
	if s := c.until(t, "confirmed", isBound); s.Lease != other || s.Message != "" {
		t.Errorf("after CONFIRM: %q, %+v", s.Message, s.Lease)
	}
	c.stop()

	stop()
	peer.Run(t, "ip", "addr", "del", "2001:db8::1/64", "dev", "srv0")
	peer.Run(t, "ip", "addr", "add", "2001:db8:7::1/64", "dev", "srv0", "nodad")
	dnsmasq(t, peer, t.TempDir(), "--dhcp-range=2001:db8:7::100,2001:db8:7::1ff,64,1h")
	c = run(t, netconf.Lease6Request{Previous: other})
	if s := c.until(t, "the lease is gone", func(s netconf.Lease6Status) bool { return s.Lease == nil }); s.State != netconf.LeaseInit {
		t.Errorf("state %s", s.State)
	}
	if a := c.until(t, "bound again", isBound).Lease.Addresses[0].Prefix; !netip.MustParsePrefix("2001:db8:7::/64").Contains(a.Addr()) {
		t.Errorf("address %v", a)
	}
}

// TestRootStateless: with nothing but options to give.
func TestRootStateless(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := cable(t)
	peer.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", "srv0", "nodad")
	dnsmasq(t, peer, t.TempDir(), "--enable-ra", "--dhcp-range=2001:db8::,ra-stateless,64",
		"--dhcp-option=option6:dns-server,[2001:db8::53]", "--dhcp-option=option6:information-refresh-time,7200")
	c := run(t, netconf.Lease6Request{Stateless: true})
	l := c.until(t, "bound", isBound).Lease
	netconftest.Compare(t, "lease", &netconf.Lease6{Server: l.Server, DNS: addrs("2001:db8::53"), Acquired: l.Acquired, T1: 2 * time.Hour}, l)
}

// TestRootLate: the server appears when the client has long been asking.
func TestRootLate(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := cable(t)
	peer.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", "srv0", "nodad")
	c := run(t, netconf.Lease6Request{})
	s := c.until(t, "nothing to send from", func(s netconf.Lease6Status) bool { return s.Message != "" })
	if s.Attempt != 0 {
		t.Errorf("sent before there was an address to send from: %+v", s)
	}
	c.until(t, "nobody there", func(s netconf.Lease6Status) bool { return s.Attempt == 2 && s.Message == "nobody answers" })
	dnsmasq(t, peer, t.TempDir(), "--dhcp-range=2001:db8::100,2001:db8::1ff,64,1h")
	c.until(t, "bound", isBound)
}

// TestRootDelegation: prefixes, renewal and expiry within seconds. The server
// is this test's own: dnsmasq neither delegates nor grants so little time.
func TestRootDelegation(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	short := grants(na(address("2001:db8::5", 4*time.Second, 6*time.Second)), pd(prefix("2001:db8:1::/56", 4*time.Second, 6*time.Second)))
	s := newDelegating(t, short)
	c := run(t, netconf.Lease6Request{Delegate: true})
	first := c.until(t, "bound", isBound).Lease
	netconftest.Compare(t, "granted", []netconf.Granted{granted("2001:db8::5", 4*time.Second, 6*time.Second),
		granted("2001:db8:1::/56", 4*time.Second, 6*time.Second)}, slices.Concat(first.Addresses, first.Prefixes))
	netconftest.Compare(t, "messages", []string{"SOLICIT", "REQUEST"}, s.take())
	second := c.until(t, "renewed", func(s netconf.Lease6Status) bool { return isBound(s) && s.Lease != first }).Lease
	if d := second.Acquired.Sub(first.Acquired); d < 2900*time.Millisecond || d > 6*time.Second {
		t.Errorf("renewed after %v, not at T1, 3 s", d)
	}
	netconftest.Compare(t, "messages", []string{"RENEW"}, s.take())
	s.set(only(dhcpv6.MessageTypeSolicit, short))
	gone := c.until(t, "expired", func(s netconf.Lease6Status) bool { return s.Lease == nil })
	if d := time.Since(second.Acquired); d < 6*time.Second || d > 12*time.Second || gone.State != netconf.LeaseInit {
		t.Errorf("state %s after %v", gone.State, d)
	}
	if got := s.take(); len(got) < 2 || got[0] != "RENEW" || got[1] != "REBIND" {
		t.Errorf("messages %q", got)
	}
	s.set(short)
	c.until(t, "bound again", isBound)
}

// TestRootForeigners: what is sent from the wrong side of the link does not
// reach the client's socket.
func TestRootForeigners(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	hear := make(chan *dhcpv6.Message, 10)
	newDelegating(t, func(p *dhcpv6.Message) [][]byte { hear <- p; return nil })
	netconftest.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
	c := run(t, netconf.Lease6Request{})
	p := <-hear
	conn, err := net.Dial("udp6", "[2001:db8::1]:546")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(reply(p, dhcpv6.MessageTypeReply, rapid(), na(address("2001:db8::666", time.Hour, time.Hour))))
	<-hear // the next SOLICIT: the answer would have been read by now
	c.stop()
	for len(c.reports) > 0 {
		if s := <-c.reports; s.Lease != nil {
			t.Errorf("a lease from beyond the link: %+v", s.Lease)
		}
	}
}
