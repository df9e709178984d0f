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

// inherit lets one manager after the other run on a machine with eth0. The
// first function sees the last of them, in virtual time.
func inherit(t *testing.T, run func(t *testing.T, next func() *box), modify ...func(*netconf.Options)) {
	synctest.Test(t, func(t *testing.T) {
		k := netconftest.NewKernel()
		k.AddHardware("eth0", "", "02:00:00:00:00:01")
		var b *box
		names := &writer{}
		next := func() *box {
			if b != nil {
				b.stop()
				b.names.mu.Lock()
				names.last = b.names.last // the files stay
				b.names.mu.Unlock()
			}
			b = newBox(t, k, modify...)
			b.names.mu.Lock()
			b.names.last = names.last
			b.names.mu.Unlock()
			synctest.Wait()
			k.Calls()
			return b
		}
		run(t, next)
		b.stop()
	})
}

// TestRestartNames: what a lease brought outlasts the manager, and ends with
// the lease when no server answers the next one.
func TestRestartNames(t *testing.T) {
	s := &shelf{}
	inherit(t, func(t *testing.T, next func() *box) {
		b := next()
		b.apply(byName("eth0", withDHCP))
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) { l.DNS, l.Hostname = addrs("192.0.2.53"), "given" })
		b.pass(10 * time.Minute)
		given := netconf.Names{Hostname: "given", Nameservers: addrs("192.0.2.53")}

		b = next()
		b.apply(byName("eth0", withDHCP))
		b.names.check(t, given)
		if l := b.link("eth0"); l.Lease != nil || l.Adopted == nil || l.Adopted.Hostname != "given" {
			t.Errorf("the state has the leases %+v and %+v", l.Lease, l.Adopted)
		}
		b.pass(49 * time.Minute) // in vain
		b.calls()
		b.names.check(t, given)
		b.online(true)
		b.pass(2 * time.Minute)
		b.calls("route del default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002", "addr del 192.0.2.5/24 dev eth0")
		b.names.check(t, netconf.Names{Hostname: "pharos"})
		b.online(false)
		b.problems("eth0: no DHCP lease after 30 s, still trying")
		b.pass(24 * time.Hour)
		b.calls()
	}, func(o *netconf.Options) { o.Leases = s })
}

// TestRestartUnkept: nobody knows what came with the address. The names stay
// until somebody says, or has had the time to.
func TestRestartUnkept(t *testing.T) {
	inherit(t, func(t *testing.T, next func() *box) {
		given := netconf.Names{Hostname: "given", Nameservers: addrs("192.0.2.53")}
		lease := func(b *box, server string) {
			b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) { l.DNS, l.Hostname = addrs(server), "given" })
		}
		b := next()
		b.apply(byName("eth0", withDHCP))
		lease(b, "192.0.2.53")
		b = next()
		b.apply(byName("eth0", withDHCP))
		b.names.check(t, given)
		lease(b, "192.0.2.54")
		b.names.check(t, netconf.Names{Hostname: "given", Nameservers: addrs("192.0.2.54")})
		b = next()
		b.apply(byName("eth0", withDHCP))
		b.pass(29 * time.Second)
		b.names.check(t, netconf.Names{Hostname: "given", Nameservers: addrs("192.0.2.54")})
		b.pass(2 * time.Second)
		b.names.check(t, netconf.Names{Hostname: "pharos"})
		if !b.link("eth0").Has(netip.MustParsePrefix("192.0.2.5/24")) {
			t.Error("an address that may still be good is gone")
		}
	})
}

// TestRestartAdvertised: name servers of router advertisements, which the
// kernel does not keep, stay until the next one, which is asked for.
func TestRestartAdvertised(t *testing.T) {
	inherit(t, func(t *testing.T, next func() *box) {
		global := netip.MustParsePrefix("2001:db8::77/64")
		tell := func(b *box, server string) {
			b.kernel.Advertise("eth0", false, false, netip.MustParseAddr("fe80::1"), option(200, server), global)
			synctest.Wait()
		}
		b := next()
		b.apply(byName("eth0"))
		tell(b, "2001:db8::53")
		if d := cmp.Diff([]string(nil), b.kernel.Solicited()); d != "" {
			t.Errorf("the kernel asks itself when a link gets up (-want +got):\n%s", d)
		}
		b = next()
		b.apply(byName("eth0"))
		if d := cmp.Diff([]string{"eth0"}, b.kernel.Solicited()); d != "" {
			t.Errorf("routers are asked on (-want +got):\n%s", d)
		}
		b.names.check(t, netconf.Names{Hostname: "pharos", Nameservers: addrs("2001:db8::53")})
		tell(b, "2001:db8::54")
		b.names.check(t, netconf.Names{Hostname: "pharos", Nameservers: addrs("2001:db8::54")})
		b = next()
		b.apply(byName("eth0"))
		b.pass(31 * time.Second)
		b.names.check(t, netconf.Names{Hostname: "pharos"})
		b = next() // there are others meanwhile
		b.apply(byName("eth0", func(s *netconf.LinkSpec) { s.Nameservers = addrs("10.0.0.53") }))
		b.names.check(t, netconf.Names{Hostname: "pharos", Nameservers: addrs("10.0.0.53")})
		b = next()
		no := false
		b.apply(byName("eth0", func(s *netconf.LinkSpec) { s.AcceptRA = &no }))
		b.kernel.Solicited()
		b.apply(byName("eth0")) // nothing else would make the kernel ask
		if d := cmp.Diff([]string{"eth0"}, b.kernel.Solicited()); d != "" {
			t.Errorf("routers that count again are asked on (-want +got):\n%s", d)
		}
	})
}

// TestSharedMAC: a link and a VLAN on it have a lease each.
func TestSharedMAC(t *testing.T) {
	s := &shelf{}
	inherit(t, func(t *testing.T, next func() *box) {
		spec := []netconf.LinkSpec{byName("eth0", withDHCP), byName("eth0.7", withDHCP, made(netconf.Device{Kind: netconf.KindVLAN, Parent: "eth0", ID: 7}))}
		b := next()
		b.apply(spec...)
		b.lease("eth0", "192.0.2.5/24")
		b.lease("eth0.7", "198.51.100.5/24")
		b.kernel.Remove("eth0.7")
		b = next()
		b.apply(spec...)
		for name, want := range map[string]string{"eth0": "192.0.2.5/24", "eth0.7": "198.51.100.5/24"} {
			if p := b.leases.on(name).request.Previous; p == nil || p.Address.String() != want {
				t.Errorf("%s asks for %+v, not %s", name, p, want)
			}
		}
	}, func(o *netconf.Options) { o.Leases = s })
}
