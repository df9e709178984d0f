package netconf_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
)

func optional(s *netconf.LinkSpec) { s.Optional = true }

func byGlob(glob string, modify ...func(*netconf.LinkSpec)) netconf.LinkSpec {
	s := byName(glob, modify...)
	s.Match = netconf.Match{Glob: glob}
	return s
}

// TestOnline: what is waited for, and what is not.
func TestOnline(t *testing.T) {
	gateway := func(s *netconf.LinkSpec) { s.Gateways = addrs("10.0.0.1") }
	bridge := made(netconf.Device{Kind: netconf.KindBridge})
	for _, c := range []struct {
		name    string
		links   []netconf.LinkSpec
		event   func(*box)
		waiting []string
	}{
		{"static", []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24"), gateway)}, nil, []string{}},
		{"no carrier", []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24"), gateway), byName("eth1", at("10.1.0.2/24"))},
			func(b *box) { b.kernel.Plug("eth1", false) }, []string{"a carrier on eth1"}},
		{"optional without a carrier", []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24")), byName("eth1", at("10.1.0.2/24"), optional)},
			func(b *box) { b.kernel.Plug("eth1", false) }, []string{}},
		{"all optional", []netconf.LinkSpec{byGlob("eth*", withDHCP, optional)}, nil, []string{}},
		{"missing", []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24")), byName("eth9", withDHCP), byName("eth8", withDHCP, optional),
			byName("eth7")}, nil, []string{"a link that is named eth9"}},
		{"one of a pattern", []netconf.LinkSpec{byGlob("eth*", withDHCP)},
			func(b *box) { b.lease("eth1", "192.0.2.5/24") }, []string{}},
		{"one of a pattern, without a router", []netconf.LinkSpec{byGlob("eth*", withDHCP)},
			func(b *box) { b.lease("eth1", "192.0.2.5/24", func(l *netconf.Lease) { l.Routers = nil }) }, []string{"a default route"}},
		{"all of a pattern, without a router", []netconf.LinkSpec{byGlob("eth*", withDHCP)}, func(b *box) {
			b.lease("eth0", "192.0.3.5/24", func(l *netconf.Lease) { l.Routers = nil })
			b.lease("eth1", "192.0.2.5/24", func(l *netconf.Lease) { l.Routers = nil })
		}, []string{}},
		{"a bridge that nothing belongs to", []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24")), byName("br0", bridge, at("10.1.0.1/24"))},
			nil, []string{}},
		{"down", []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24")), byName("eth1", withDHCP, func(s *netconf.LinkSpec) { s.Down = true })},
			nil, []string{}},
		{"only up", []netconf.LinkSpec{byName("eth0"), byName("eth1", optional)}, nil, []string{"an address on eth0 from somebody else"}},
		{"only up, beside a configured one", []netconf.LinkSpec{byName("eth0"), byName("eth1", at("10.0.0.2/24"))}, nil, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBox(t, func(t *testing.T, b *box) {
				spec := b.apply(c.links...)
				if c.event != nil {
					c.event(b)
					synctest.Wait()
				}
				if d := cmp.Diff(c.waiting, b.State().Waiting); d != "" {
					t.Errorf("waiting (-want +got):\n%s", d)
				}
				b.online(len(c.waiting) == 0)
				b.same(spec)
				b.pass(time.Hour)
				b.same(spec)
			})
		})
	}
}

// TestProbed: a machine whose only address may be somebody else's is not
// online yet. One that has another address does not wait.
func TestProbed(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		address := netip.MustParsePrefix("2001:db8::2/64")
		probe := func(name string, a netconf.Address) {
			a.Prefix, a.Own = address, true
			b.kernel.SetAddr(name, a)
			synctest.Wait()
		}
		b.apply(byName("eth0", at(address.String())))
		b.online(true)
		probe("eth0", netconf.Address{Tentative: true})
		b.online(false)
		if d := cmp.Diff([]string{"the probes for its addresses on eth0"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		probe("eth0", netconf.Address{Duplicate: true})
		b.online(true) // as far as it can be: that is a problem, nothing to wait for
		b.problems("eth0: somebody else has the address 2001:db8::2")
		probe("eth0", netconf.Address{})
		b.online(true)
		b.problems()
		for _, spec := range [][]netconf.LinkSpec{
			{byName("eth0", at(address.String()), at("10.0.0.2/24"))},
			{byName("eth0", at(address.String())), byName("eth1", at("10.0.0.2/24"))},
		} {
			b.apply(spec...)
			probe("eth0", netconf.Address{Tentative: true})
			b.online(true)
		}
	})
}
