package netconf

import (
	"errors"
	"slices"
	"strings"
)

// Plan is an ordered list of changes.
type Plan []Op

// String prints one change per line.
func (p Plan) String() string {
	var b strings.Builder
	for _, o := range p {
		b.WriteString(o.String() + "\n")
	}
	return b.String()
}

// Diff says what has to be done so that the links become as targets say. It
// is pure, and empty when there is nothing to do. Only own addresses and
// routes are removed: from links with a target those that it does not list,
// from others all.
func Diff(targets []Target, links []Link, routes []Route) Plan {
	byIndex := make(map[int]Target)
	for _, t := range targets {
		byIndex[t.Link.Index] = t
	}
	var plan Plan
	for _, l := range links {
		t, managed := byIndex[l.Index]
		if managed || l.Loopback {
			if t.MTU != 0 && t.MTU != l.MTU {
				plan = append(plan, Op{Kind: OpSetMTU, Link: l.LinkID, MTU: t.MTU})
			}
			if !l.Up {
				plan = append(plan, Op{Kind: OpSetUp, Link: l.LinkID})
			}
		}
		for _, a := range t.Addresses {
			if !l.Has(a) {
				plan = append(plan, Op{Kind: OpAddAddr, Link: l.LinkID, Addr: a})
			}
		}
		for _, a := range l.Addresses {
			if a.Own && !t.Keep && !slices.Contains(t.Addresses, a.Prefix) {
				plan = append(plan, Op{Kind: OpDelAddr, Link: l.LinkID, Addr: a.Prefix})
			}
		}
		plan = append(plan, diffRoutes(l, t, routes)...)
	}
	slices.SortStableFunc(plan, func(a, b Op) int { return int(a.Kind) - int(b.Kind) })
	return plan
}

func diffRoutes(l Link, t Target, routes []Route) Plan {
	var plan Plan
	for _, want := range t.Routes {
		if !slices.ContainsFunc(routes, want.same) {
			plan = append(plan, Op{Kind: OpAddRoute, Link: l.LinkID, Route: want})
		}
	}
	for _, have := range routes {
		if have.Link.Index != l.Index || t.Keep {
			continue
		}
		wanted := slices.ContainsFunc(t.Routes, func(want Route) bool { return want.replaces(have) })
		if !wanted {
			have.Link = l.LinkID
			plan = append(plan, Op{Kind: OpDelRoute, Link: l.LinkID, Route: have})
		}
	}
	return plan
}

// Apply carries the plan out. It goes on past errors and returns them all.
func (p Plan) Apply(k Kernel) error {
	var errs []error
	for _, o := range p {
		errs = append(errs, o.do(k))
	}
	return errors.Join(errs...)
}
