package netconf_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
)

// TestLeaseCache: a lease is asked for again after the machine has started
// anew, unless a server has refused it.
func TestLeaseCache(t *testing.T) {
	s := &shelf{}
	kept := func(o *netconf.Options) { o.Leases = s }
	boot := func(run func(*testing.T, *box)) { inBox(t, run, kept) }
	boot(func(_ *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP))
		b.lease("eth0", "192.0.2.5/24")
	})
	boot(func(t *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP))
		if p := b.leases.on("eth0").request.Previous; p == nil || p.Address.String() != "192.0.2.5/24" {
			t.Fatalf("the client is to ask for %+v", p)
		}
		if b.link("eth0").Has(netip.MustParsePrefix("192.0.2.5/24")) {
			t.Error("a lease that nobody has confirmed is used")
		}
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true, Message: "refused"})
	})
	boot(func(t *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP))
		if p := b.leases.on("eth0").request.Previous; p != nil {
			t.Errorf("the client is to ask for what was refused: %+v", p)
		}
	})
}

func TestRenew(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP, with6(netconf.ModeYes)), byName("eth1", at("10.0.0.2/24")))
		if err := b.Renew("eth0"); err != nil {
			t.Fatal(err)
		}
		if len(b.leases.on("eth0").request.Renew) != 1 || len(six.on("eth0").request.Renew) != 1 {
			t.Error("a client was not told")
		}
		if err := b.Renew("eth0"); err != nil {
			t.Error("again, while it is pending:", err)
		}
		for name, want := range map[string]string{
			"eth1": "renew eth1: no DHCP client runs on it", "eth9": "renew eth9: no link of that name is configured",
		} {
			if err := b.Renew(name); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		b.stop()
		if err := b.Renew("eth0"); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("got %v", err)
		}
		if _, err := b.PlanFor(netconf.Spec{}); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("got %v", err)
		}
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestPulledCable: name servers that a pulled cable led to are asked last. The
// rest stays as it is.
func TestPulledCable(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP), byName("eth1", withDHCP))
		for i, name := range []string{"eth0", "eth1"} {
			b.lease(name, []string{"192.0.2.5/24", "198.51.100.5/24"}[i], func(l *netconf.Lease) {
				l.DNS, l.Hostname, l.Domain = l.Routers, "of-"+name, name+".example"
			})
		}
		want := netconf.Names{Hostname: "of-eth0", Nameservers: addrs("192.0.2.1", "198.51.100.1"), Search: []string{"eth0.example", "eth1.example"}}
		b.names.check(t, want)
		b.kernel.Plug("eth0", false)
		synctest.Wait()
		pulled := want
		pulled.Nameservers = addrs("198.51.100.1", "192.0.2.1")
		b.names.check(t, pulled)
		b.kernel.Plug("eth0", true)
		synctest.Wait()
		b.names.check(t, want)
	})
}

// TestRenamedMachine: servers are told the machine's new name, and the leases
// are used meanwhile.
func TestRenamedMachine(t *testing.T) {
	six := &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		own := func(s *netconf.LinkSpec) { s.DHCPOptions.Hostname = "other" }
		spec := netconf.Spec{Hostname: "one", Links: []netconf.LinkSpec{byName("eth0", withDHCP, with6(netconf.ModeYes)), byName("eth1", withDHCP, own)}}
		b.Apply(spec)
		synctest.Wait()
		b.lease("eth0", "192.0.2.5/24")
		six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: &netconf.Lease6{Addresses: granted("2001:db8::5/128"), Acquired: time.Now()}})
		other := b.leases.on("eth1")
		b.kernel.Calls()
		spec.Hostname = "two"
		b.Apply(spec)
		synctest.Wait()
		v4, v6 := b.leases.on("eth0").request, six.on("eth0").request
		if v4.Hostname != "two" || v6.Hostname != "two" || v4.Previous == nil || v6.Previous == nil {
			t.Errorf("the requests are %+v and %+v", v4, v6)
		}
		if b.leases.on("eth1") != other {
			t.Error("a client that tells another name has begun anew")
		}
		b.calls()
	}, func(o *netconf.Options) { o.DHCP6 = six })
}

// TestLinkLocal4: an address is claimed while there is no other.
func TestLinkLocal4(t *testing.T) {
	c := &claims{}
	inBox(t, func(t *testing.T, b *box) {
		ll := func(s *netconf.LinkSpec) { s.IPv4LL = true }
		b.apply(byName("eth0", withDHCP, ll), byName("eth1", ll))
		for _, name := range []string{"eth0", "eth1"} {
			c.on(name)(netip.MustParsePrefix("169.254.9.9/16"))
			synctest.Wait()
			if !b.link(name).Has(netip.MustParsePrefix("169.254.9.9/16")) || b.link(name).LinkLocal.String() != "169.254.9.9/16" {
				t.Errorf("%s has %v", name, b.link(name).Addresses)
			}
		}
		if d := cmp.Diff([]string{"a lease on eth0"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		b.lease("eth0", "192.0.2.5/24")
		if b.link("eth0").Has(netip.MustParsePrefix("169.254.9.9/16")) || c.on("eth0") != nil {
			t.Error("the link-local address stays beside the lease")
		}
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true})
		if c.on("eth0") == nil {
			t.Error("nobody claims an address although the lease is lost")
		}
		c.on("eth1")(netip.Prefix{}) // a conflict
		synctest.Wait()
		if b.link("eth1").Has(netip.MustParsePrefix("169.254.9.9/16")) {
			t.Error("an address that somebody else has stays")
		}
	}, func(o *netconf.Options) { o.LinkLocal4 = c })
}

// TestIgnoredAnswers: of a lease only that is used which the configuration
// lets be used.
func TestIgnoredAnswers(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		ignore := netconf.DHCPOptions{IgnoreDNS: true, IgnoreDomains: true, IgnoreRoutes: true, IgnoreMTU: true, IgnoreHostname: true, Hostname: "asker"}
		b.apply(byName("eth0", withDHCP, func(s *netconf.LinkSpec) { s.DHCPOptions = ignore }))
		if got := b.leases.on("eth0").request; got.Hostname != "asker" || got.Options.Hostname != "asker" {
			t.Errorf("the request is %+v", got)
		}
		b.kernel.Calls()
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) {
			l.DNS, l.Domain, l.MTU, l.Hostname = addrs("192.0.2.53"), "example.org", 1400, "given"
		})
		b.calls("addr add 192.0.2.5/24 dev eth0")
		b.names.check(t, netconf.Names{Hostname: "pharos"})
		b.online(true) // nobody can bring a default route
	})
}

// TestFlap: a link that is gone for a moment, renamed, or without a carrier
// for longer than its lease.
func TestFlap(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		spec := b.apply(netconf.LinkSpec{Key: "all", Match: netconf.Match{Glob: "*"}, DHCP: true})
		b.lease("eth0", "192.0.2.5/24")
		if err := b.kernel.SetName(id(2, "eth0"), "enp1s0"); err != nil { // udev
			t.Fatal(err)
		}
		synctest.Wait()
		if p := b.leases.on("enp1s0").request.Previous; p == nil || p.Address.String() != "192.0.2.5/24" {
			t.Errorf("the client on the renamed link asks for %+v", p)
		}
		b.online(true)
		b.same(spec)
		b.kernel.Plug("enp1s0", false)
		b.pass(59 * time.Minute)
		if b.link("enp1s0").Lease == nil {
			t.Error("a lease that is still good is dropped")
		}
		b.pass(2 * time.Minute)
		if l := b.link("enp1s0"); l.Lease != nil || l.Has(netip.MustParsePrefix("192.0.2.5/24")) {
			t.Error("an address outlives its lease")
		}
		b.kernel.Plug("enp1s0", true)
		b.kernel.AddHardware("eth7", "", "02:00:00:00:00:07") // hot-plugged
		synctest.Wait()
		b.lease("eth7", "198.51.100.5/24")
		b.lease("enp1s0", "192.0.2.9/24") // another one than before
		if got := b.State().Routes; len(got) != 2 {
			t.Errorf("routes: %v", got)
		}
		b.kernel.Remove("eth7")
		synctest.Wait()
		b.online(true)
	})
}
