package netconftest

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
)

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
}

// TestKernel holds an implementation of netconf.Kernel to what netconf relies
// on. Each sub-test gets its own links; the namespace is shared.
func TestKernel(t *testing.T, w World) {
	s := &suite{World: w}
	for _, c := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"loopback", testLoopback}, {"link", testLink}, {"addresses", testAddresses},
		{"secondary", testSecondary}, {"routes", testRoutes}, {"onlink", testOnLink},
		{"route source", testRouteSource}, {"foreign", testForeign}, {"gone", testGone}, {"events", testEvents},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

type suite struct{ World }

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
