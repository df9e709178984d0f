package netconf

import (
	"cmp"
	"net/netip"
)

// Target is the desired state of one link.
type Target struct {
	Link LinkID  // without an index: it is to be made
	Key  string  // of its specification
	Make *Device // nil: not made here; Parent is a name
	Name string  // empty leaves it
	// Bare links are only set up: something that is made is on them.
	Bare   bool
	Down   bool
	MAC    string // empty leaves it
	MTU    int    // bytes; 0 leaves it
	Master string // name of the bond, bridge or VRF; empty: none of ours
	// Hardware is what is to be changed; whoever fills it in has compared.
	Hardware  Hardware
	IPv6      *IPv6 // nil leaves it
	Addresses []netip.Prefix
	Routes    []Route
	// Keep leaves addresses and routes of our own that are not listed:
	// whether they are still good is being asked.
	Keep bool
	// Flush removes addresses of others that are not listed, except IPv6
	// link-local ones and those that the kernel has made itself, and takes
	// the link out of a master of others.
	Flush bool
}

// final is the name that the link is to have.
func (t *Target) final() string { return cmp.Or(t.Name, t.Link.Name) }

// facts is what a link's target depends on besides the configuration.
type facts struct {
	lease     *Lease
	lease6    *Lease6
	linkLocal netip.Prefix // zero: none
	delegated netip.Prefix // of another link's lease; zero: none
	hardware  Hardware     // what is to be changed of it
	keep      bool         // Target.Keep
	flush     bool         // Target.Flush
	hold      bool         // its commands have to run before it is set up
	before    before
}

// desired is what the kernel is to have for spec.
func desired(g *graph, about func(*member) facts) Desired {
	var want Desired
	named := make(map[string]bool) // keys whose SetName is taken
	for _, m := range g.members {
		f := about(m)
		t := g.target(m, f)
		g.giveBack(&t, m.spec, f)
		if m.spec.SetName != "" {
			if named[m.spec.Key] {
				t.Name = "" // of several links only the first can have the name
			}
			named[m.spec.Key] = true
		}
		want.Targets = append(want.Targets, t)
	}
	for _, l := range g.bare() {
		want.Targets = append(want.Targets, Target{Link: l.LinkID, Bare: true})
	}
	settle(want.Targets)
	want.Rules = union(nil, g.spec.Rules)
	return want
}

// target joins what a link's configuration, its leases and the rest ask for.
func (g *graph) target(m *member, f facts) Target {
	s := m.spec
	t := Target{
		Link: m.link.LinkID, Key: s.Key, Make: g.device(s), Name: s.SetName, Down: s.Down, MAC: s.MAC, MTU: s.MTU,
		Hardware: f.hardware, Keep: f.keep, Flush: f.flush, Master: g.name(s.Master),
	}
	if t.Link.Index == 0 {
		t.Name = ""
	}
	if s.Down {
		return t
	}
	if f.hold {
		t.Down, t.Keep, t.Flush = !m.link.Up, true, false // as it is
		return t
	}
	if !m.link.Loopback {
		t.IPv6 = &IPv6{AcceptRA: g.acceptRA(s), Privacy: s.Privacy}
	}
	if g.passive(s) {
		return t
	}
	add := func(p netip.Prefix) {
		if p.IsValid() {
			t.Addresses = union(t.Addresses, []netip.Prefix{p})
		}
	}
	add(f.delegated)
	t.Addresses = union(t.Addresses, s.Addresses)
	t.Routes = staticRoutes(m)
	if l := f.lease; l != nil {
		// RFC 791: every host takes 576 bytes; less is a broken server.
		if t.MTU == 0 && l.MTU >= 576 && !s.DHCPOptions.IgnoreMTU {
			t.MTU = l.MTU
		}
		add(l.Address)
		if !s.DHCPOptions.IgnoreRoutes {
			t.Routes = append(t.Routes, leaseRoutes(m, l)...)
		}
	}
	if f.lease6 != nil {
		for _, a := range f.lease6.Addresses {
			add(a.Prefix)
		}
	}
	add(f.linkLocal)
	for i, r := range t.Routes {
		if r.Table == 0 {
			r.Table = g.table(s)
		}
		t.Routes[i] = r.Normal()
	}
	return t
}
