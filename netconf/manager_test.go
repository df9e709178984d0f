package netconf_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

func TestStatic(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		synctest.Wait()
		b.calls("link set lo up") // and nothing else before the first Apply
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		b.calls("ipv6 eth0 accept-ra on privacy off", "link set eth0 up", "addr add 10.0.0.2/24 dev eth0", "route replace default via 10.0.0.1 dev eth0 metric 102")
		b.online(true)
		b.problems()
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		b.calls()
		b.configure(network(links{"eth0": static("10.0.1.2/24", "10.0.1.1")}))
		b.calls("addr add 10.0.1.2/24 dev eth0", "route replace default via 10.0.1.1 dev eth0 metric 102",
			"addr del 10.0.0.2/24 dev eth0")
	})
}

// TestStaticBesideDHCP: static addresses are there although DHCP is silent. An
// optional link is not waited for.
func TestStaticBesideDHCP(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		yes, silent := true, dynamic()
		b.configure(network(links{"eth0": silent, "eth1": static("10.0.0.2/24", "")}))
		b.online(false)
		if !b.link("eth1").Has(netip.MustParsePrefix("10.0.0.2/24")) {
			t.Error("a static address waits for DHCP")
		}
		silent.Optional = &yes
		b.configure(network(links{"eth0": silent, "eth1": static("10.0.0.2/24", "")}))
		b.online(true)
		b.pass(31 * time.Second)
		b.online(true)
		b.problems("eth0: no DHCP lease after 30 s, still trying")
		b.lease("eth0", "192.0.2.5/24")
		b.problems()
	})
}

func TestLease(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		synctest.Wait()
		b.configure(network(links{"eth*": dynamic()}))
		b.calls("link set lo up", "ipv6 eth0 accept-ra on privacy off", "ipv6 eth1 accept-ra on privacy off",
			"link set eth0 up", "link set eth1 up")
		b.online(false)
		if got, want := b.Online().String(), "network: waiting for a lease on eth0, a lease on eth1 (0 s)"; got != want {
			t.Errorf("condition says %q, want %q", got, want)
		}
		b.lease("eth0", "192.0.2.5/24")
		b.calls("addr add 192.0.2.5/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002")
		b.online(true)
		b.lease("eth0", "192.0.2.5/24") // renewed
		b.calls()
		b.lease("eth0", "192.0.2.6/24") // the first of a subnet takes the second along: it comes again
		b.calls("addr add 192.0.2.6/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002",
			"addr del 192.0.2.5/24 dev eth0",
			"addr add 192.0.2.6/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002")
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true, Message: "a server refused the address"})
		b.calls("route del default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002", "addr del 192.0.2.6/24 dev eth0")
		b.online(false)
		b.pass(31 * time.Second)
		b.problems("eth0: no DHCP lease after 30 s, still trying: a server refused the address",
			"eth1: no DHCP lease after 30 s, still trying")
	})
}

func TestLeaseOptions(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.kernel.Calls()
		b.lease("eth0", "192.0.2.5/32", func(l *netconf.Lease) {
			l.MTU = 1450
			l.Routers = addrs("192.0.2.77") // to be ignored: there are classless routes
			l.Routes = []netconf.LeaseRoute{
				{Dst: netip.MustParsePrefix("192.0.2.1/32")},
				{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1")}}
			l.DNS, l.Hostname, l.Domain = addrs("192.0.2.53"), "given", "example.org"
		})
		b.calls("link set eth0 mtu 1450", "addr add 192.0.2.5/32 dev eth0",
			"route replace 192.0.2.1/32 dev eth0 src 192.0.2.5 metric 1002",
			"route replace default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002")
		b.names.check(t, netconf.Names{Hostname: "given", Nameservers: addrs("192.0.2.53"), Search: []string{"example.org"}})
		b.Apply(netconf.Spec{Hostname: "mine", Nameservers: addrs("10.0.0.53"), Search: []string{"mine.example"},
			Links: []netconf.LinkSpec{{Key: "eth0", Match: netconf.Match{Name: "eth0"}, DHCP: true, MTU: 1400}}})
		synctest.Wait()
		b.calls("link set eth0 mtu 1400")
		b.names.check(t, netconf.Names{Hostname: "mine", Nameservers: addrs("10.0.0.53"), Search: []string{"mine.example"}})
	})
}

// TestHostileNames: what a lease says does not get into files unless it is a name.
func TestHostileNames(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) {
			l.Hostname, l.Domain = "box\n6.6.6.6 bank", "x\nnameserver 6.6.6.6"
			l.Search = []string{"good.example", "bad;", "-x", ""}
		})
		b.names.check(t, netconf.Names{Hostname: netconf.DefaultHostname, Search: []string{"good.example"}})
	})
}

func TestCarrier(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.Plug("eth0", false)
		b.configure(network(links{"eth0": dynamic()}))
		if b.leases.on("eth0") != nil {
			t.Error("a DHCP client runs without a carrier")
		}
		b.pass(11 * time.Second)
		b.problems("eth0: no carrier; is a cable plugged in?")
		b.kernel.Plug("eth0", true)
		synctest.Wait()
		b.problems()
		b.lease("eth0", "192.0.2.5/24")
		b.online(true)
		b.kernel.Calls()
		b.kernel.Plug("eth0", false)
		synctest.Wait()
		b.online(false)
		b.calls() // the address stays: it may still be good
		b.kernel.Plug("eth0", true)
		synctest.Wait()
		b.online(true)
		if p := b.leases.on("eth0").request.Previous; p == nil || p.Address.String() != "192.0.2.5/24" || p.Acquired.IsZero() {
			t.Errorf("the next client does not know the lease: %+v", p)
		}
	})
}
