package netconf_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// generator makes specifications that a kernel can bring about.
type generator struct {
	*rand.Rand
	lacks map[string]bool // kinds of links that the kernel cannot make
	free  []string        // links that nothing belongs to and that belong to nothing yet
	links []netconf.LinkSpec
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// take removes up to n free links.
func (g *generator) take(n int) []string {
	g.Shuffle(len(g.free), func(i, j int) { g.free[i], g.free[j] = g.free[j], g.free[i] })
	n = min(n, len(g.free))
	out := g.free[:n]
	g.free = g.free[n:]
	return out
}

func (g *generator) find(name string) *netconf.LinkSpec {
	for i := range g.links {
		if g.links[i].Key == name {
			return &g.links[i]
		}
	}
	return nil
}

func (g *generator) add(name string, d netconf.Device, members ...string) {
	if g.lacks[d.Kind] {
		return
	}
	s := byName(name, made(d))
	for _, m := range members {
		g.find(m).Master = name
	}
	g.links = append(g.links, s)
	g.free = append(g.free, name)
}

// addresses gives a link something of its own.
func (g *generator) addresses(s *netconf.LinkSpec, n int) {
	four, six := fmt.Sprintf("10.%d.0.%d/24", n, 2+g.IntN(3)), fmt.Sprintf("fd00:%x::%d/64", n, 2+g.IntN(3))
	if g.chance(70) {
		at(four)(s)
		if g.chance(40) {
			at(fmt.Sprintf("10.%d.0.%d/24", n, 10+g.IntN(3)))(s)
		}
		if g.chance(50) {
			s.Gateways = append(s.Gateways, netip.MustParseAddr(fmt.Sprintf("10.%d.0.1", n)))
		}
		if g.chance(20) { // outside the network
			s.Gateways = append(s.Gateways, netip.MustParseAddr("192.0.2.1"))
		}
	}
	if g.chance(40) {
		at(six)(s)
		if g.chance(50) {
			s.Gateways = append(s.Gateways, netip.MustParseAddr("fe80::1"))
		}
	}
	s.DHCP = g.chance(40)
	s.Privacy = g.chance(20)
	if g.chance(20) {
		s.Metric = 500
	}
	for _, r := range []netconf.Route{
		{Dst: netip.MustParsePrefix("172.20.0.0/16"), Gateway: netip.MustParseAddr("192.0.2.9")},
		{Dst: netip.MustParsePrefix("172.21.0.0/16"), Metric: 7, Table: 100, MTU: 1400},
		{Dst: netip.MustParsePrefix("172.22.0.0/16"), Type: "blackhole", Table: 254},
		{Dst: netip.MustParsePrefix("2001:db8::/32"), Type: "unreachable"},
		{Dst: netip.MustParsePrefix("2001:db8:1::/48"), Gateway: netip.MustParseAddr("fe80::2")},
		{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.10")},
	} {
		if g.chance(15) {
			s.Routes = append(s.Routes, r)
		}
	}
}

// spec makes one for a machine with eth0 to eth3.
func (g *generator) spec() netconf.Spec {
	g.free, g.links = nil, nil
	for i := range 4 {
		name := fmt.Sprintf("eth%d", i)
		g.links = append(g.links, byName(name))
		g.free = append(g.free, name)
	}
	if g.chance(50) {
		modes := []string{"active-backup", "802.3ad", "balance-rr"}
		g.add("bond0", netconf.Device{Kind: netconf.KindBond, Bond: map[string]string{"mode": modes[g.IntN(3)], "miimon": fmt.Sprint(100 * (1 + g.IntN(2)))}}, g.take(g.IntN(4))...)
	}
	for i := range g.IntN(3) {
		parent := g.links[g.IntN(len(g.links))]
		if parent.Master == "" {
			g.add(fmt.Sprintf("vlan%d", i), netconf.Device{Kind: netconf.KindVLAN, Parent: parent.Key, ID: 10*i + 1 + g.IntN(2)})
		}
	}
	if g.chance(50) {
		stp := g.chance(50)
		g.add("br0", netconf.Device{Kind: netconf.KindBridge, Bridge: netconf.Bridge{STP: &stp}}, g.take(g.IntN(3))...)
	}
	if g.chance(30) {
		g.add("vrf0", netconf.Device{Kind: netconf.KindVRF, Table: 10 + g.IntN(2)}, g.take(g.IntN(2))...)
	}
	if g.chance(30) {
		g.add("dummy0", netconf.Device{Kind: netconf.KindDummy})
	}
	if g.chance(30) && g.find("eth0").Master == "" {
		g.add("mac0", netconf.Device{Kind: netconf.KindMacvlan, Parent: "eth0", Mode: "bridge"})
	}
	if g.chance(30) {
		g.add("wg0", netconf.Device{Kind: netconf.KindWireGuard, Port: 51820, WireGuard: netconf.WireGuard{PrivateKey: fmt.Sprintf("key%d", g.IntN(2))}})
	}
	mtu := []int{0, 1400, 9000}[g.IntN(3)] // one for all: no child is larger than its parent
	for i := range g.links {
		s := &g.links[i]
		s.MTU = mtu
		if s.Master == "" || s.Master == "vrf0" {
			g.addresses(s, i)
		}
		if s.Make == nil {
			if g.chance(15) {
				s.MAC = fmt.Sprintf("02:aa:00:00:00:0%d", g.IntN(8))
			}
			if g.chance(15) {
				s.Hardware = netconf.Hardware{Offloads: map[string]bool{"tso": g.chance(50)}, RingRX: 512}
			}
			if g.chance(15) {
				s.SetName = fmt.Sprintf("port%d", i)
			}
			if g.chance(10) && s.Master == "" {
				s.Down = true
			}
		}
	}
	g.Shuffle(len(g.links), func(i, j int) { g.links[i], g.links[j] = g.links[j], g.links[i] })
	spec := netconf.Spec{Links: g.links}
	for i := range g.IntN(3) {
		spec.Rules = append(spec.Rules, netconf.Rule{From: netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/24", i)), Table: 100, Priority: 100 * g.IntN(2)})
	}
	return spec
}

// TestAnySpec goes from one specification to another, and to a third, and so
// on: each time nothing is left to do, and doing it again does nothing.
func TestAnySpec(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
				var b *box
				for i := range 5 {
					if b == nil || g.chance(20) { // sometimes with another manager
						if b != nil {
							b.stop()
						} else {
							b = &box{kernel: ports()}
						}
						b = newBox(t, b.kernel)
						synctest.Wait()
					}
					spec := g.spec()
					b.Apply(spec)
					synctest.Wait()
					b.leaseAll()
					b.disturb(g, i)
					b.leaseAll()
					if problems := b.Problems(); len(problems) > 0 {
						t.Fatalf("step %d: %q\n%s", i, problems, show(spec))
					}
					b.same(spec)
					if t.Failed() {
						t.Fatalf("step %d\n%s", i, show(spec))
					}
				}
				b.stop()
			})
		})
	}
}

// disturb is what may happen to a link while it is managed.
func (b *box) disturb(g *generator, step int) {
	links := b.State().Links
	l := links[g.IntN(len(links))]
	switch {
	case l.Loopback || l.Key == "":
	case g.chance(30):
		b.kernel.TakeDown(l.Name)
	case g.chance(30):
		b.kernel.Plug(l.Name, false)
		synctest.Wait()
		b.kernel.Plug(l.Name, true)
	case g.chance(30) && len(l.Addresses) > 0:
		_ = b.kernel.DelAddr(l.LinkID, l.Addresses[0].Prefix) // it may be gone
	case g.chance(50):
		b.kernel.Remove(l.Name)
		if l.Kind == "" { // and plugged in again
			synctest.Wait()
			b.kernel.AddHardware(fmt.Sprintf("eth%c", l.Key[3]), "", fmt.Sprintf("02:00:00:00:0%d:%02x", step, l.Index))
		}
	}
	synctest.Wait()
}

// ports is a machine with eth0 to eth3.
func ports() *netconftest.Kernel {
	k := netconftest.NewKernel()
	for i := range 4 {
		k.AddHardware(fmt.Sprintf("eth%d", i), "", fmt.Sprintf("02:00:00:00:00:%02x", i+1))
	}
	return k
}

// leaseAll gives every client that has no lease one.
func (b *box) leaseAll() {
	for _, l := range b.State().Links {
		if c := b.leases.on(l.Name); c != nil && l.Lease == nil {
			b.lease(l.Name, fmt.Sprintf("192.168.%d.5/24", l.Index), func(l *netconf.Lease) { l.Acquired = time.Time{} })
		}
	}
}

func show(spec netconf.Spec) string { return cmp.Diff(netconf.Spec{}, spec, comparers()) }
