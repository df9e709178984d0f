package netconf_test

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// journal is a log that can be read while it is written.
type journal struct{ netconftest.Output }

// count counts a text in it.
func (j *journal) count(text string) int { return strings.Count(j.String(), text) }

func logged(j *journal) func(*netconf.Options) {
	return func(o *netconf.Options) { o.Log = slog.New(slog.NewTextHandler(j, nil)) }
}

// TestHostileServer: nonsense costs a log line, not the network.
func TestHostileServer(t *testing.T) {
	j := &journal{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", withDHCP), byName("eth1", at("10.0.0.2/24")))
		for range 500 { // a storm of NAKs
			b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseSelecting})
			b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseRequesting})
			b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true, Message: "no, says 192.0.2.1"})
		}
		if n := j.count("says 192.0.2.1"); n > 2 {
			t.Errorf("%d lines about one server", n)
		}
		b.pass(31 * time.Second)
		b.problems("eth0: no DHCP lease after 30 s, still trying: no, says 192.0.2.1")
		for _, bad := range []string{"0.0.0.0/24", "127.0.0.9/8", "224.0.0.5/4", "255.255.255.255/32"} {
			b.lease("eth0", bad)
			if n := len(b.link("eth0").Addresses); n != 0 || b.link("eth0").Lease != nil {
				t.Errorf("%s is taken for an address", bad)
			}
		}
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) {
			l.Routers = addrs("198.51.100.1", "198.51.100.2") // not in its network
			for i := range byte(200) {
				l.Routes = append(l.Routes, netconf.LeaseRoute{Dst: netip.PrefixFrom(netip.AddrFrom4([4]byte{100, i, 0, 0}), 16), Gateway: l.Routers[0]})
			}
			l.Routes = append([]netconf.LeaseRoute{{Dst: netip.MustParsePrefix("127.0.0.0/8"), Gateway: l.Routers[0]},
				{Dst: netip.MustParsePrefix("224.0.0.0/4"), Gateway: l.Routers[0]}, {Dst: netip.MustParsePrefix("100.200.0.0/16"), Gateway: netip.MustParseAddr("224.0.0.1")},
				{Dst: netip.MustParsePrefix("100.201.0.0/16"), Gateway: l.Address.Addr()}}, l.Routes...)
			l.DNS = addrs("0.0.0.0", "255.255.255.255", "192.0.2.53")
		})
		b.names.check(t, netconf.Names{Hostname: "pharos", Nameservers: addrs("192.0.2.53")})
		if n := len(b.State().Routes); n != 128 {
			t.Errorf("%d routes", n)
		}
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) { l.Routers, l.MTU = addrs("198.51.100.1"), 68 })
		b.online(true)
		b.problems()
		if j.count("outside the network") == 0 || j.count("too many routes") != 1 {
			t.Error("it is not logged")
		}
		if got := b.link("eth0").MTU; got != 1500 {
			t.Errorf("the MTU is %d", got)
		}
	}, logged(j))
}

// TestHostileRouter: nonsense of ever another kind costs a few log lines in an
// hour.
func TestHostileRouter(t *testing.T) {
	j := &journal{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0"))
		flood := func() {
			for i := range 200 {
				// The padding puts the option that is broken elsewhere.
				b.kernel.Advertise("eth0", false, false, netip.MustParseAddr("fe80::1"), slices.Concat(slices.Repeat([]byte{1, 1, 0, 0, 0, 0, 0, 0}, i), []byte{25, 9}))
				synctest.Wait()
			}
		}
		flood()
		flood()
		if n := j.count("router advertisement"); n != 16 {
			t.Errorf("%d lines", n)
		}
		b.pass(time.Hour)
		flood()
		if n := j.count("router advertisement"); n != 32 {
			t.Errorf("%d lines an hour later", n)
		}
	}, logged(j))
}

// TestNews6: that DHCPv6 has lost its lease is logged each time, also on a
// link that has nothing else.
func TestNews6(t *testing.T) {
	j, six := &journal{}, &leases6{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", with6(netconf.ModeYes)))
		for range 3 {
			for range 50 {
				six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseSelecting, Message: "nobody answers"})
				six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseRequesting, Message: "nobody answers"})
			}
			six.tell(t, "eth0", netconf.Lease6Status{State: netconf.LeaseBound, Lease: &netconf.Lease6{Addresses: granted("2001:db8::5/128"), Acquired: time.Now()}})
		}
		if n := j.count("state=selecting"); n != 3 {
			t.Errorf("%d lines say that nobody answers", n)
		}
		if n := j.count("state=bound"); n != 3 {
			t.Errorf("%d lines say that there is a lease", n)
		}
	}, logged(j), func(o *netconf.Options) { o.DHCP6 = six })
}

// TestNoSecrets: neither plans nor states nor logs show keys.
func TestNoSecrets(t *testing.T) {
	j := &journal{}
	inBox(t, func(t *testing.T, b *box) {
		d := netconf.Device{Kind: netconf.KindWireGuard, WireGuard: netconf.WireGuard{PrivateKey: "SECRET",
			Peers: []netconf.Peer{{PublicKey: "public", PresharedKey: "SECRET"}}}}
		b.kernel.Refuse(func(call string) error {
			if strings.Contains(call, "SECRET") {
				t.Error(call)
			}
			return nil
		})
		synctest.Wait()
		plan, err := b.PlanFor(netconf.Spec{Links: []netconf.LinkSpec{byName("wg0", made(d))}})
		if err != nil || strings.Contains(plan.String(), "SECRET") || !strings.Contains(plan.String(), "type wireguard peers 1") {
			t.Errorf("%v, the plan is:\n%s", err, plan)
		}
		b.apply(byName("wg0", made(d)))
		if j.count("SECRET") > 0 || j.count("wireguard") == 0 {
			t.Error("the log is wrong")
		}
	}, logged(j))
}

// TestGateways: several, with metrics that keep them apart.
func TestGateways(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		gw := func(metric int, list ...string) func(*netconf.LinkSpec) {
			return func(s *netconf.LinkSpec) { s.Gateways, s.Metric = addrs(list...), metric }
		}
		spec := b.apply(
			byName("vrf0", made(netconf.Device{Kind: netconf.KindVRF, Table: 42})),
			byName("eth0", at("10.0.0.2/24"), at("fd00::2/64"), gw(0, "10.0.0.1", "10.0.0.254", "fd00::1"), in("vrf0")),
			byName("eth1", at("10.1.0.2/24"), gw(1024, "10.1.0.1", "fe80::1"), withDHCP),
			byName("dummy0", made(netconf.Device{Kind: netconf.KindDummy}), at("10.2.0.2/24"), gw(1024, "10.2.0.1")))
		b.lease("eth1", "192.0.2.5/24")
		b.problems()
		var got []string
		for _, r := range b.State().Routes {
			r.Link = netconf.LinkID{Name: map[int]string{2: "eth0", 3: "eth1"}[r.Link.Index]}
			got = append(got, r.String())
		}
		want := []string{
			"default via 10.0.0.1 dev eth0 table 42 metric 102", "default via 10.0.0.254 dev eth0 table 42 metric 103",
			"default via fd00::1 dev eth0 table 42 metric 102",
			"default via 10.1.0.1 dev eth1 metric 1024", "default via fe80::1 dev eth1 metric 1025", // 1024 is the kernel's
			"default via 192.0.2.1 dev eth1 src 192.0.2.5 metric 1025", "default via 10.2.0.1 metric 1026",
		}
		if d := cmp.Diff(sortedTexts(want), sortedTexts(got)); d != "" {
			t.Errorf("routes (-want +got):\n%s", d)
		}
		b.same(spec)
	})
}

// TestOnlyWhatChanged: a change of one link is no event for the others.
func TestOnlyWhatChanged(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		links := append(stack(), byName("dummy0", made(netconf.Device{Kind: netconf.KindDummy}), at("10.1.0.1/24")))
		b.apply(links...)
		b.lease("br0", "192.0.2.5/24")
		b.kernel.Calls()
		client := b.leases.on("br0")
		links[5].Addresses = prefixes("10.1.0.1/24", "10.1.1.1/24")
		plan, err := b.PlanFor(netconf.Spec{Links: links})
		if err != nil || plan.String() != "addr add 10.1.1.1/24 dev dummy0\n" {
			t.Errorf("%v, the plan is:\n%s", err, plan)
		}
		b.calls()
		b.apply(links...)
		b.calls("addr add 10.1.1.1/24 dev dummy0")
		if b.leases.on("br0") != client {
			t.Error("the DHCP client of another link was restarted")
		}
	})
}

func sortedTexts(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestGatewayBesideRoute: of a gateway and a default route that says no metric
// the gateway is used, whatever reaches it.
func TestGatewayBesideRoute(t *testing.T) {
	route := func(dst, gateway string, modify ...func(*netconf.Route)) func(*netconf.LinkSpec) {
		r := netconf.Route{Dst: netip.MustParsePrefix(dst)}
		if gateway != "" {
			r.Gateway = netip.MustParseAddr(gateway)
		}
		for _, m := range modify {
			m(&r)
		}
		return func(s *netconf.LinkSpec) { s.Routes = append(s.Routes, r) }
	}
	gw := func(list ...string) func(*netconf.LinkSpec) {
		return func(s *netconf.LinkSpec) { s.Gateways = addrs(list...) }
	}
	inBox(t, func(_ *testing.T, b *box) {
		synctest.Wait()
		b.kernel.Calls()
		spec := b.apply(
			byName("eth0", at("10.0.0.2/24"), gw("172.16.0.1", "fd00::1"), route("172.16.0.1/32", ""), route("0.0.0.0/0", "10.0.0.9"),
				route("::/0", "fe80::9"), route("0.0.0.0/0", "10.0.0.8", func(r *netconf.Route) { r.Table = 7 })),
			byName("eth1", at("10.1.0.2/24"), gw("10.1.0.1"), route("0.0.0.0/0", "10.1.0.1", func(r *netconf.Route) { r.MTU = 1400 }),
				route("0.0.0.0/0", "10.1.0.9", func(r *netconf.Route) { r.Metric = 50 })))
		b.problems()
		b.calls("ipv6 eth0 accept-ra on privacy off", "ipv6 eth1 accept-ra on privacy off", "link set eth0 up", "link set eth1 up",
			"addr add 10.0.0.2/24 dev eth0", "addr add 10.1.0.2/24 dev eth1",
			"route replace 172.16.0.1/32 dev eth0 metric 0",
			"route replace default via 10.0.0.9 dev eth0 metric 103", "route replace default via fe80::9 dev eth0 metric 103",
			"route replace default via 10.0.0.8 dev eth0 table 7 metric 102",
			"route replace default via 172.16.0.1 dev eth0 metric 102", "route replace default via fd00::1 dev eth0 metric 102",
			// By the same gateway the one that says more is used.
			"route replace default via 10.1.0.1 dev eth1 metric 104 mtu 1400", "route replace default via 10.1.0.9 dev eth1 metric 50",
			"route replace default via 10.1.0.1 dev eth1 metric 105")
		b.same(spec)
	})
	inBox(t, func(_ *testing.T, b *box) { // as it is written
		c := static("10.0.0.2/24", "10.0.0.1")
		c.Metric, c.Routes = 70, []osconfig.Route{{To: "default", Via: "10.0.0.9"}, {To: "10.7.0.0/16", Via: "10.0.0.9"}}
		synctest.Wait()
		b.kernel.Calls()
		b.configure(network(links{"eth0": c}))
		b.calls("ipv6 eth0 accept-ra on privacy off", "link set eth0 up", "addr add 10.0.0.2/24 dev eth0",
			"route replace default via 10.0.0.9 dev eth0 metric 71", "route replace 10.7.0.0/16 via 10.0.0.9 dev eth0 metric 70",
			"route replace default via 10.0.0.1 dev eth0 metric 70")
	})
}
