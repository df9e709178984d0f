package netconf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Desired is what the kernel is to have.
type Desired struct {
	Targets []Target
	Rules   []Rule
}

// Observed is what the kernel has.
type Observed struct {
	Links  []Link
	Routes []Route // own ones
	Rules  []Rule  // own ones
}

// Diff says what has to be done so that the kernel becomes as desired, and, a
// sentence each, what cannot be done. It is pure, and empty when there is
// nothing to do. Own links that nobody wants are deleted, own addresses and
// routes too: from links with a target those that it does not list, from
// others all. Of what belongs to others only the addresses of a link that is
// taken over (Target.Flush) go.
func Diff(want Desired, have Observed) (Plan, []string) {
	d := &differ{}
	for _, l := range have.Links {
		d.nodes = append(d.nodes, &node{Link: l})
	}
	for i := range want.Targets {
		t := &want.Targets[i]
		if n := d.index(t.Link.Index); n != nil {
			n.t = t
		}
	}
	d.deleteLinks()
	d.renameLinks()
	d.leaveMasters()
	d.makeLinks(want.Targets)
	d.changeDevices()
	byDepth := d.byDepth()
	d.setDown(byDepth)
	d.setMACs()
	d.setMTUs(byDepth)
	d.setMasters(byDepth)
	d.setHardware()
	d.setIPv6()
	d.setUp(byDepth)
	d.addAddresses()
	d.addRoutes(want.Targets, have.Routes)
	for _, r := range want.Rules {
		if !slices.Contains(have.Rules, r) {
			d.emit(Op{Kind: OpAddRule, Rule: r})
		}
	}
	for _, r := range have.Rules {
		if !slices.Contains(want.Rules, r) {
			d.emit(Op{Kind: OpDelRule, Rule: r})
		}
	}
	d.deleteRoutes(want.Targets, have.Routes)
	d.deleteAddresses()
	return d.plan, d.problems
}

// differ makes one plan. Its nodes are the links as the plan leaves them so
// far: what the kernel does by itself is part of that.
type differ struct {
	nodes    []*node
	plan     Plan
	problems []string
}

type node struct {
	Link
	t       *Target // nil: not managed
	deleted bool
	// lost says that the kernel has dropped the link's routes and IPv6
	// addresses, because the link is down or was for a moment.
	lost bool
}

func (d *differ) emit(o Op) { d.plan = append(d.plan, o) }

func (d *differ) problem(key, format string, args ...any) {
	d.problems = append(d.problems, fmt.Sprintf("interfaces.%s: ", key)+fmt.Sprintf(format, args...))
}

// index finds a link that is there by its index.
func (d *differ) index(i int) *node {
	for _, n := range d.nodes {
		if i != 0 && n.Index == i && !n.deleted {
			return n
		}
	}
	return nil
}

// named finds a link that is there, or made by the plan, by its name.
func (d *differ) named(name string) *node {
	for _, n := range d.nodes {
		if name != "" && n.Name == name && !n.deleted {
			return n
		}
	}
	return nil
}

// of finds the link of a target; nil if it is not there and is not made.
func (d *differ) of(t *Target) *node {
	for _, n := range d.nodes {
		if n.t == t && !n.deleted {
			return n
		}
	}
	return nil
}

// masterOf is the link that n is to belong to; nil is none.
func (d *differ) masterOf(n *node) *node {
	if n.t == nil || n.t.Bare {
		return d.index(n.Master)
	}
	if n.t.Master != "" {
		return d.named(n.t.Master)
	}
	// What somebody else has put into a link of somebody else's stays there.
	if m := d.index(n.Master); m != nil && !m.Own && !n.t.Flush {
		return m
	}
	return nil
}

// byDepth orders the links so that each comes after the link that it is on and
// the one that it belongs to.
func (d *differ) byDepth() []*node {
	depth := make(map[*node]int)
	var visit func(n *node) int
	visit = func(n *node) int {
		if at, ok := depth[n]; ok { // also ends a circle
			return at
		}
		depth[n] = 0
		at := 0
		for _, below := range []*node{d.named(n.parent()), d.masterOf(n)} {
			if below != nil && below != n {
				at = max(at, visit(below)+1)
			}
		}
		depth[n] = at
		return at
	}
	var nodes []*node
	for _, n := range d.nodes {
		if !n.deleted {
			visit(n)
			nodes = append(nodes, n)
		}
	}
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(depth[a], depth[b]) })
	return nodes
}

// parent names the link that n is on.
func (n *node) parent() string {
	if n.t != nil && n.t.Make != nil && n.t.Make.Parent != "" {
		return n.t.Make.Parent
	}
	return n.Device.Parent
}

func (d *differ) addAddresses() {
	for _, n := range d.nodes {
		if n.t == nil || n.deleted {
			continue
		}
		for _, a := range n.t.Addresses {
			if !n.Has(a) || n.lost && a.Addr().Is6() && !a.Addr().IsLinkLocalUnicast() {
				d.emit(Op{Kind: OpAddAddr, Link: n.LinkID, Addr: a})
			}
		}
	}
}

func (d *differ) deleteAddresses() {
	for _, n := range d.nodes {
		if n.deleted {
			continue
		}
		for _, a := range n.Addresses {
			unwanted := a.Own
			if t := n.t; t != nil {
				foreign := t.Flush && !n.Loopback && !a.Own && !a.Kernel && !linkLocal6(a.Prefix.Addr())
				unwanted = (a.Own && !t.Keep || foreign) && !slices.Contains(t.Addresses, a.Prefix)
			}
			if unwanted {
				d.emit(Op{Kind: OpDelAddr, Link: n.LinkID, Addr: a.Prefix})
			}
		}
	}
}

func linkLocal6(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// addRoutes adds what is missing, in the order of the targets: a gateway may
// be reached by a route before it.
func (d *differ) addRoutes(targets []Target, have []Route) {
	for i := range targets {
		n := d.of(&targets[i])
		if n == nil {
			continue
		}
		for _, r := range n.t.Routes {
			leads := r.Normal().Type == ""
			if leads {
				r.Link = n.LinkID
			}
			if !slices.ContainsFunc(have, r.same) || n.lost && leads {
				d.emit(Op{Kind: OpAddRoute, Link: r.Link, Route: r})
			}
		}
	}
}

// deleteRoutes deletes own routes that nobody wants. One that a new one has
// replaced is gone.
func (d *differ) deleteRoutes(targets []Target, have []Route) {
	for _, r := range have {
		n := d.index(r.Link.Index)
		if n == nil && r.Type == "" || n != nil && (n.lost || n.t != nil && n.t.Keep) {
			continue
		}
		if n != nil {
			r.Link = n.LinkID
		}
		replaced := slices.ContainsFunc(targets, func(t Target) bool {
			return slices.ContainsFunc(t.Routes, func(want Route) bool { return want.replaces(r) })
		})
		if !replaced {
			d.emit(Op{Kind: OpDelRoute, Link: r.Link, Route: r})
		}
	}
}
