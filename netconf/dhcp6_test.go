package netconf_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func granted(list ...string) (out []netconf.Granted) {
	for _, p := range prefixes(list...) {
		out = append(out, netconf.Granted{Prefix: p, Preferred: time.Hour, Valid: 2 * time.Hour})
	}
	return out
}

func with6(mode netconf.Mode) func(*netconf.LinkSpec) {
	return func(s *netconf.LinkSpec) { s.DHCP6 = mode }
}

// TestDHCP6Modes: clients run as routers say, or as the configuration does.
func TestDHCP6Modes(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		no := false
		b.kernel.AddHardware("eth2", "", "02:00:00:00:00:03")
		b.kernel.AddHardware("eth3", "", "02:00:00:00:00:04")
		b.apply(byName("eth0"), byName("eth1", with6(netconf.ModeYes)), byName("eth2", with6(netconf.ModeNo)),
			byName("eth3", func(s *netconf.LinkSpec) { s.AcceptRA = &no }))
		runs := func(want ...string) {
			t.Helper()
			var got []string
			for _, name := range []string{"eth0", "eth1", "eth2", "eth3"} {
				if c := six.on(name); c != nil && c.request.Stateless {
					got = append(got, name+" stateless")
				} else if c != nil {
					got = append(got, name)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("clients (-want +got):\n%s", d)
			}
		}
		advertise := func(managed, other bool) {
			for _, name := range []string{"eth0", "eth1", "eth2", "eth3"} {
				b.kernel.Advertise(name, managed, other, netip.MustParseAddr("fe80::1"), nil)
			}
			synctest.Wait()
		}
		runs("eth1")
		advertise(false, true)
		runs("eth0 stateless", "eth1")
		advertise(true, true)
		runs("eth0", "eth1")
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: &netconf.Lease6{
			Addresses: granted("2001:db8::5/128"), DNS: addrs("2001:db8::53"), Search: []string{"six.example"}, Acquired: time.Now()}})
		if !b.link("eth0").Has(netip.MustParsePrefix("2001:db8::5/128")) {
			t.Error("the address is not there")
		}
		b.names.check(t, netconf.Names{Hostname: "pharos", Nameservers: addrs("2001:db8::53"), Search: []string{"six.example"}})
		b.kernel.SetAddr("eth0", netconf.Address{Prefix: netip.MustParsePrefix("2001:db8::5/128"), Own: true, Duplicate: true})
		synctest.Wait()
		select {
		case a := <-six.on("eth0").request.Declined:
			if a.String() != "2001:db8::5" {
				t.Errorf("declined %s", a)
			}
		default:
			t.Error("an address that somebody else has is not declined")
		}
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseInit})
		if b.link("eth0").Has(netip.MustParsePrefix("2001:db8::5/128")) {
			t.Error("the address is still there without its lease")
		}
		advertise(false, false)
		runs("eth1")
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestRoutersDisagree: of two routers one has addresses by DHCPv6 and the other
// only the rest. The address does not come and go with their advertisements.
func TestRoutersDisagree(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0"))
		advertise := func(managed bool) {
			b.kernel.Advertise("eth0", managed, !managed, netip.MustParseAddr("fe80::1"), nil)
			synctest.Wait()
		}
		advertise(true)
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: &netconf.Lease6{Addresses: granted("2001:db8::5/128"), Acquired: time.Now()}})
		client := six.on("eth0")
		advertise(false)
		advertise(true)
		advertise(false)
		if six.on("eth0") != client {
			t.Error("the client that keeps the address has ended")
		}
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseInit}) // the server ends it
		if c := six.on("eth0"); c == nil || !c.request.Stateless {
			t.Error("the router that has spoken last does not count although there is no address")
		}
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestStatelessEnds: name servers of a stateless lease go when nobody looks
// after it any longer and its time is over, not before.
func TestStatelessEnds(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0"))
		advertise := func(other bool) {
			b.kernel.Advertise("eth0", false, other, netip.MustParseAddr("fe80::1"), nil)
			synctest.Wait()
		}
		advertise(true)
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound,
			Lease: &netconf.Lease6{DNS: addrs("2001:db8::53"), Acquired: time.Now(), T1: time.Hour}})
		b.pass(2 * time.Hour)
		want := netconf.Names{Hostname: "pharos", Nameservers: addrs("2001:db8::53")}
		b.names.check(t, want) // its client renews it
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound,
			Lease: &netconf.Lease6{DNS: addrs("2001:db8::53"), Acquired: time.Now(), T1: time.Hour}})
		advertise(false)
		b.pass(59 * time.Minute)
		b.names.check(t, want)
		b.pass(2 * time.Minute)
		b.names.check(t, netconf.Names{Hostname: "pharos"})
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestDelegation: links get subnets of another link's delegated prefix.
func TestDelegation(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		from := func(s *netconf.LinkSpec) { s.DelegateFrom = "eth0" }
		spec := b.apply(byName("eth0", withDHCP), byName("br0", made(netconf.Device{Kind: netconf.KindBridge}), from), byName("eth1", from))
		b.lease("eth0", "192.0.2.5/24")
		b.online(true) // nobody has to have IPv6
		if c := six.on("eth0"); c == nil || !c.request.Delegate || c.request.Stateless {
			t.Fatalf("no prefix is asked for: %+v", c)
		}
		if d := cmp.Diff([]string{"a prefix that is delegated to eth0"}, b.link("br0").Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		lease := &netconf.Lease6{Prefixes: granted("2001:db8:0:fff0::/60"), Acquired: time.Now()}
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: lease})
		if got := b.link("br0").Delegated.String(); got != "2001:db8:0:fff0::1/64" || !b.link("br0").Has(netip.MustParsePrefix(got)) {
			t.Errorf("br0 has %s of %v", got, b.link("br0").Addresses)
		}
		if got := b.link("eth1").Delegated.String(); got != "2001:db8:0:fff1::1/64" {
			t.Errorf("eth1 has %s", got)
		}
		b.same(spec)
		small := &netconf.Lease6{Prefixes: granted("2001:db8:0:1::/64"), Acquired: time.Now()}
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: small})
		b.problems("interfaces.eth1: the prefix 2001:db8:0:1::/64 that is delegated to eth0 has no room for it")
		if b.link("eth1").Delegated.IsValid() {
			t.Error("a /64 serves two links")
		}
		b.kernel.Plug("eth0", false)
		b.pass(3 * time.Hour) // the lease is over, and nobody can renew it
		if got := b.link("br0"); got.Delegated.IsValid() || got.Has(netip.MustParsePrefix("2001:db8:0:1::1/64")) {
			t.Error("the address outlives its prefix")
		}
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestIPv6Only: with nothing but router advertisements the machine is online,
// although DHCP is asked in vain.
func TestIPv6Only(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP))
		b.kernel.Advertise("eth0", false, false, netip.MustParseAddr("fe80::1"), nil, netip.MustParsePrefix("2001:db8::77/64"))
		synctest.Wait()
		b.online(false)
		b.pass(31 * time.Second)
		b.online(true)
	})
}

// option is a neighbour discovery option of RFC 8106 with one server.
func option(life byte, server string) []byte {
	a := netip.MustParseAddr(server).As16()
	return append([]byte{25, 3, 0, 0, 0, 0, 0, life}, a[:]...)
}

// TestAdvertisedServers: name servers of advertisements last as long as they
// say.
func TestAdvertisedServers(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", func(s *netconf.LinkSpec) { s.Nameservers = addrs("10.0.0.53") }), byName("eth1"))
		tell := func(name string, options ...byte) {
			b.kernel.Advertise(name, false, false, netip.MustParseAddr("fe80::1"), options)
			synctest.Wait()
		}
		tell("eth1", option(100, "2001:db8::53")...)
		tell("eth0", append(option(50, "fe80::53"), 31, 2, 0, 0, 0, 0, 0, 60, 1, 'a', 0, 0, 0, 0, 0, 0)...)
		tell("eth1", 25, 9, 9) // broken
		b.names.check(t, netconf.Names{Hostname: "pharos", Search: []string{"a"},
			Nameservers: []netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("fe80::53%eth0"), netip.MustParseAddr("2001:db8::53")}})
		b.pass(51 * time.Second)
		b.names.check(t, netconf.Names{Hostname: "pharos", Search: []string{"a"}, Nameservers: addrs("10.0.0.53", "2001:db8::53")})
		tell("eth1", option(0, "2001:db8::53")...) // withdrawn
		b.pass(10 * time.Second)
		b.names.check(t, netconf.Names{Hostname: "pharos", Nameservers: addrs("10.0.0.53")})
		for i := range byte(40) { // somebody floods
			a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: i + 1})
			tell("eth0", option(200, a.String())...)
		}
		if n := len(b.link("eth0").RDNSS); n != 16 {
			t.Errorf("%d servers are kept", n)
		}
	})
}

// TestRestart6: addresses of DHCPv6 and of delegated prefixes outlast the
// manager, until the next one knows better or has asked for long enough.
func TestRestart6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		six := &leases6{}
		use := func(o *netconf.Options) { o.DHCP6 = six }
		k := netconftest.NewKernel()
		k.AddHardware("eth0", "", "02:00:00:00:00:01")
		k.AddHardware("eth1", "", "02:00:00:00:00:02")
		links := []netconf.LinkSpec{byName("eth0", with6(netconf.ModeYes)), byName("eth1", func(s *netconf.LinkSpec) { s.DelegateFrom = "eth0" })}
		lease := &netconf.Lease6{Addresses: granted("2001:db8::5/128"), Prefixes: granted("2001:db8:1::/56"), Acquired: time.Now()}
		bound := netconf.Lease6Status{State: netconf.LeaseBound, Lease: lease}
		b := newBox(t, k, use)
		b.apply(links...)
		b.online(false)
		b.pass(31 * time.Second)
		b.problems("eth0: no DHCPv6 lease after 30 s, still trying")
		six.tell(t, "eth0", bound)
		b.online(true)
		b.stop()
		k.Calls()

		b = newBox(t, k, use)
		b.apply(links...)
		b.calls()
		b.online(true)
		six.tell(t, "eth0", bound)
		b.calls()
		b.stop()

		b = newBox(t, k, use)
		defer b.stop()
		b.apply(links...)
		b.pass(31 * time.Second)
		b.calls("addr del 2001:db8::5/128 dev eth0", "addr del 2001:db8:1::1/64 dev eth1")
		b.online(false)
	})
}

// TestDeclinedAgain: a server that grants the address again that somebody else
// has hears of it again.
func TestDeclinedAgain(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", with6(netconf.ModeYes)))
		for i := range 3 {
			six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: &netconf.Lease6{Addresses: granted("2001:db8::5/128"), Acquired: time.Now()}})
			for range 2 { // nobody is told twice
				b.kernel.SetAddr("eth0", netconf.Address{Prefix: netip.MustParsePrefix("2001:db8::5/128"), Own: true, Duplicate: true})
				synctest.Wait()
			}
			if n := len(six.on("eth0").request.Declined); n != 1 {
				t.Fatalf("grant %d: %d addresses are declined", i+1, n)
			}
			<-six.on("eth0").request.Declined
			six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseInit})
		}
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestDuplicate: an address that somebody else has is a problem, also the one
// that the kernel has made.
func TestDuplicate(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		b.apply(byName("eth0", at("fd00::2/64")))
		b.kernel.SetAddr("eth0", netconf.Address{Prefix: netip.MustParsePrefix("fd00::2/64"), Own: true, Duplicate: true})
		synctest.Wait()
		b.problems("eth0: somebody else has the address fd00::2")
		b.kernel.SetAddr("eth1", netconf.Address{Prefix: netip.MustParsePrefix("fe80::5/64"), Kernel: true, Duplicate: true}) // a clone
		b.apply(byName("eth0"), byName("eth1"))
		b.problems("eth1: somebody else has the address fe80::5")
	})
}
