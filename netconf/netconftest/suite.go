package netconftest

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// All is the environment variable that forbids the suite to skip what a kernel
// lacks: where ours is tested, nothing may be missing.
const All = "PHAROS_SUITE_ALL"

// World is a fresh network namespace with the hands that a test needs.
type World struct {
	Kernel netconf.Kernel
	// AddLink makes a link that is down and has a carrier once it is up.
	AddLink func(name string)
	DelLink func(name string)
	// Plug gives or takes the carrier.
	Plug           func(name string, in bool)
	AddForeignAddr func(name string, prefix netip.Prefix)
	// AddForeignRoute adds a route to dst that does not carry our protocol.
	AddForeignRoute func(name string, dst netip.Prefix)
	// RemoveRoute removes a route, whoever owns it.
	RemoveRoute func(dst netip.Prefix)
	// Advertise sends one router advertisement to a link: its flags, a prefix
	// to make addresses in, and further options.
	Advertise func(name string, managed, other bool, prefix netip.Prefix, options []byte)
}

// TestKernel holds an implementation of netconf.Kernel to what netconf relies
// on. Each sub-test gets its own links; the namespace is shared.
func TestKernel(t *testing.T, w World) {
	s := &suite{World: w}
	signal, err := w.Kernel.Subscribe(t.Context())
	ok(t, err)
	s.signal = signal
	for _, c := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"loopback", testLoopback}, {"link", testLink}, {"addresses", testAddresses},
		{"secondary", testSecondary}, {"routes", testRoutes}, {"onlink", testOnLink},
		{"route source", testRouteSource}, {"foreign", testForeign}, {"gone", testGone}, {"events", testEvents},
		{"names", testNames}, {"mac", testMAC}, {"down", testDown}, {"ipv6", testIPv6}, {"advertisement", testAdvertisement}, {"solicitation", testSolicitation},
		{"hardware", testHardware}, {"route kinds", testRouteKinds}, {"tables", testTables}, {"rules", testRules},
		{"lost route", testLostRoute}, {"by name", testByName}, {"dummy", testDummy}, {"bridge", testBridge}, {"bridge vlans", testBridgeVLANs},
		{"bridge members", testBridgeMembers}, {"vlan", testVLAN}, {"vlan priorities", testVLANPriorities},
		{"vlan of a vlan", testVLANStacked}, {"bond", testBond}, {"bond options", testBondOptions}, {"bond lacp", testBondLACP},
		{"macvlan", testMacvlan}, {"ipvlan", testIPvlan}, {"vxlan", testVXLAN}, {"vrf", testVRF},
		{"wireguard", testWireGuard},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

type suite struct {
	World
	signal <-chan struct{}
}

// lacking ends a test of something that the kernel does not have.
func lacking(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv(All) == "1" {
		t.Fatalf("the kernel lacks %s: %v", what, err)
	}
	t.Skipf("the kernel lacks %s: %v", what, err)
}

// make makes a link for the length of a test and returns it; the test ends if
// the kernel does not have the kind.
func (s *suite) make(t *testing.T, name string, device netconf.Device) netconf.Link {
	t.Helper()
	err := s.Kernel.AddLink(name, "key of "+name, device)
	if errors.Is(err, unix.EOPNOTSUPP) {
		lacking(t, device.Kind, err)
	}
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Kernel.DelLink(netconf.LinkID{Name: name})) })
	l := s.get(t, name)
	if !l.Own || l.Key != "key of "+name || l.Kind != device.Kind || l.Device.Kind != device.Kind || l.Up || l.Master != 0 {
		t.Errorf("fresh %s: %+v", device.Kind, l)
	}
	if device.Differs(l.Device) {
		t.Errorf("fresh %s: it is %+v; want %+v", device.Kind, l.Device, device)
	}
	return l
}

// refused checks that an operation fails with an error that names what it has
// to.
func refused(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: error is %v; want one that says %s", what, err, w)
		}
	}
}

// until waits for what the kernel does in its own time.
func (s *suite) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline, again := time.NewTimer(10*time.Second), time.NewTicker(100*time.Millisecond)
	defer deadline.Stop()
	defer again.Stop()
	for !condition() {
		select {
		case <-s.signal:
		case <-again.C: // not everything makes an event
		case <-deadline.C:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// add makes a link for the length of a test and returns it.
func (s *suite) add(t *testing.T, name string) netconf.Link {
	t.Helper()
	s.AddLink(name)
	t.Cleanup(func() {
		if _, ok := s.find(t, name); ok {
			s.DelLink(name)
		}
	})
	return s.get(t, name)
}

func (s *suite) find(t *testing.T, name string) (netconf.Link, bool) {
	t.Helper()
	links, err := s.Kernel.Links()
	ok(t, err)
	i := slices.IndexFunc(links, func(l netconf.Link) bool { return l.Name == name })
	if i < 0 {
		return netconf.Link{}, false
	}
	return links[i], true
}

func (s *suite) get(t *testing.T, name string) netconf.Link {
	t.Helper()
	l, found := s.find(t, name)
	if !found {
		t.Fatalf("no link %s", name)
	}
	return l
}

// addrs lists a link's addresses but link-local ones, "own" appended to ours.
func (s *suite) addrs(t *testing.T, name string) []string {
	t.Helper()
	out := []string{}
	for _, a := range s.get(t, name).Addresses {
		if a.Prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		text := a.Prefix.String()
		if a.Own {
			text += " own"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// routes lists our routes, with OnLink.
func (s *suite) routes(t *testing.T, l netconf.Link) []string {
	t.Helper()
	routes, err := s.Kernel.Routes()
	ok(t, err)
	out := []string{}
	for _, r := range routes {
		if r.Link.Index != l.Index {
			continue
		}
		r.Link.Name = l.Name
		text := r.String()
		if r.OnLink {
			text += " onlink"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// wait reads signals until the condition holds.
func wait(t *testing.T, signal <-chan struct{}, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-signal:
		case <-deadline.C:
			t.Fatalf("no event after 10 s that made: %s", what)
		}
	}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func defaultVia(l netconf.Link, gateway string, metric int) netconf.Route {
	g := netip.MustParseAddr(gateway)
	zero := netip.IPv4Unspecified()
	if g.Is6() {
		zero = netip.IPv6Unspecified()
	}
	return netconf.Route{Link: l.LinkID, Dst: netip.PrefixFrom(zero, 0), Gateway: g, Metric: metric}
}

func testEvents(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(t.Context())
	signal, err := s.Kernel.Subscribe(ctx)
	ok(t, err)
	s.AddLink("ev0")
	wait(t, signal, "link added", func() bool { _, found := s.find(t, "ev0"); return found })
	l := s.get(t, "ev0")
	ok(t, s.Kernel.SetUp(l.LinkID))
	wait(t, signal, "carrier", func() bool { return s.get(t, "ev0").Carrier })
	s.AddForeignAddr("ev0", prefix("10.10.0.5/24"))
	wait(t, signal, "address added", func() bool { return len(s.addrs(t, "ev0")) == 1 })
	s.Plug("ev0", false)
	wait(t, signal, "no carrier", func() bool { return !s.get(t, "ev0").Carrier })
	s.Plug("ev0", true)
	wait(t, signal, "carrier again", func() bool { return s.get(t, "ev0").Carrier })
	s.DelLink("ev0")
	wait(t, signal, "link removed", func() bool { _, found := s.find(t, "ev0"); return !found })
	cancel()
	for range signal { // ends when the subscription does
	}
}
