package netconf

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// view is a look at the links at one time. Deadlines that lie ahead make next
// the time of the next look; zero is never.
type view struct {
	m        *Manager
	now      time.Time
	next     time.Time
	waiting  []string
	problems []string
}

// due tells whether a time has come.
func (v *view) due(at time.Time) bool {
	if !v.now.Before(at) {
		return true
	}
	v.next = sooner(v.next, at)
	return false
}

func (v *view) problem(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// assess decides what is online, waited for and wrong, and when to look again
// at the latest.
func (m *Manager) assess(errs []string, now time.Time) (State, time.Time) {
	v := &view{m: m, now: now, waiting: []string{}, problems: []string{}}
	s := State{Applied: m.applied, Names: m.written, Routes: m.seen.Routes, Rules: m.seen.Rules}
	s.Links = v.links()
	switch {
	case m.pending != nil:
		v.waiting = append(v.waiting, "the commands of pre_cmds")
	case !m.applied.IsZero():
		v.wait(s.Links)
		v.missing()
	}
	s.Online = !m.applied.IsZero() && len(v.waiting) == 0
	s.Waiting = v.waiting
	s.Problems = append(append(v.problems, errs...), m.commandProblems()...)
	v.next = sooner(v.next, m.namesAt)
	for _, p := range m.ports {
		v.next = sooner(v.next, p.expiry(m.spec.DHCPTimeout))
		_, _, until := p.advertised(now)
		v.next = sooner(v.next, until)
	}
	return s, v.next
}

// wait collects what online waits for.
func (v *view) wait(links []LinkState) {
	g := v.m.graph
	configured := make(map[string]bool) // by key of a pattern: one of its links is
	usable, standing := false, false
	for _, l := range links {
		if p := v.m.ports[l.Index]; p != nil && len(v.lacks(p)) == 0 && p.addressed() {
			configured[l.Key] = true
			usable = usable || l.Carrier
		}
		standing = standing || l.Required
	}
	for _, l := range links {
		p := v.m.ports[l.Index]
		if p == nil || !l.Required || p.spec.Match.many() && configured[l.Key] {
			continue
		}
		for _, what := range v.lacks(p) {
			v.waiting = append(v.waiting, what+" on "+l.Name)
		}
	}
	if len(v.waiting) == 0 && usable && !v.routed() && v.promised(links) {
		v.waiting = append(v.waiting, "a default route")
	}
	if len(v.waiting) == 0 && !usable {
		v.probed(links)
	}
	for _, mb := range g.members { // links that are still to be made
		if mb.link.Index == 0 && g.expects(mb.spec) && !mb.spec.Optional {
			v.waiting = append(v.waiting, "a link that "+mb.spec.Match.String())
			standing = true
		}
	}
	for i, spec := range g.spec.Links {
		if g.has(i) || spec.Optional || !g.expects(spec) || spec.Match.many() && len(v.m.ports) > 0 {
			continue
		}
		standing = true
		v.waiting = append(v.waiting, "a link that "+spec.Match.String())
	}
	if !standing && !usable {
		v.others(links)
	}
}

// probed waits, when nothing else is missing and no address can be used, for
// those that are: until the kernel has found out, in about a second, that
// nobody else has an IPv6 address, nothing is sent from it (RFC 4862, section
// 5.4). Where there is another one nobody has to wait.
func (v *view) probed(links []LinkState) {
	for _, l := range links {
		if l.Required && l.Carrier && slices.ContainsFunc(l.Addresses, func(a Address) bool { return a.Tentative && a.Prefix.Addr().IsGlobalUnicast() }) {
			v.waiting = append(v.waiting, "the probes for its addresses on "+l.Name)
		}
	}
}

// others waits, when no link has an address to get, for somebody else to give
// one to a link that is only to be up.
func (v *view) others(links []LinkState) {
	for _, l := range links {
		p := v.m.ports[l.Index]
		if p != nil && !p.spec.Optional && !p.spec.Down && !p.passive && !l.Loopback && !v.m.graph.expects(p.spec) {
			v.waiting = append(v.waiting, fmt.Sprintf("an address on %s from somebody else", l.Name))
		}
	}
}

// routed tells whether there is a default route. Those of router
// advertisements are the kernel's: a link with an advertised address counts as
// having one.
func (v *view) routed() bool {
	return slices.ContainsFunc(v.m.seen.Routes, func(r Route) bool {
		return r.Dst.Bits() == 0 && r.Table == 0 && r.Type == ""
	}) || slices.ContainsFunc(v.m.seen.Links, func(l Link) bool {
		p := v.m.ports[l.Index]
		return p != nil && p.slaac()
	})
}

// promised tells whether a link that is not optional can bring a default
// route that is not there.
func (v *view) promised(links []LinkState) bool {
	return slices.ContainsFunc(links, func(l LinkState) bool {
		p := v.m.ports[l.Index]
		return p != nil && l.Required && l.Carrier && (p.spec.DHCP && p.lease == nil && !p.spec.DHCPOptions.IgnoreRoutes ||
			len(p.spec.Gateways) > 0 || slices.ContainsFunc(p.spec.Routes, func(r Route) bool { return r.Dst.Bits() == 0 }))
	})
}

// missing reports links that there are not.
func (v *view) missing() {
	g := v.m.graph
	since := v.m.applied.Add(v.m.opts.LinkTimeout)
	for i, spec := range g.spec.Links {
		if g.has(i) || spec.Optional || spec.Match.many() && len(v.m.ports) > 0 {
			continue
		}
		if v.due(since) {
			v.problem("interfaces.%s: no link %s", spec.Key, spec.Match)
		}
	}
	for _, mb := range g.members {
		for _, ref := range []string{mb.parent(), mb.spec.Master} {
			if l, to := g.find(ref); ref != "" && l.Index == 0 && to == nil && v.due(since) {
				v.problem("interfaces.%s: there is no link %s, which it needs", mb.spec.Key, ref)
			}
		}
	}
}

// lacks lists what a link still waits for, so that it is configured.
func (v *view) lacks(p *port) []string {
	var out []string
	switch {
	case p.spec.Down:
		return nil
	case !v.m.ran(p.pre, p.spec.PreUp):
		return []string{"the commands of pre_up"}
	case !p.link.Carrier && v.m.graph.needsCarrier(p):
		return []string{v.carrier(p)}
	case p.passive:
		return nil
	}
	if slices.ContainsFunc(p.spec.Addresses, func(a netip.Prefix) bool { return !p.link.Has(a) }) {
		out = append(out, "its addresses")
	}
	late := !p.noLease.IsZero() && !v.now.Before(p.noLease.Add(v.m.spec.DHCPTimeout))
	switch {
	case p.spec.DHCP && p.lease == nil && p.adopted == nil && !p.leased6() && !(late && p.slaac()):
		out = append(out, "a lease")
	case !p.spec.DHCP && p.spec.DHCP6 == ModeYes && !p.leased6() && !p.adopted6:
		out = append(out, "a DHCPv6 lease")
	case !p.spec.DHCP && p.spec.DHCP6 != ModeYes && p.spec.IPv4LL && !has4(p.spec.Addresses) && !p.local.IsValid():
		out = append(out, "a link-local address")
	}
	return out
}

// addressed tells whether the link has an address to work with. A link-local
// one that only bridges the time until there is a lease is none, nor is one
// that is still being probed.
func (p *port) addressed() bool {
	return p.local.IsValid() && !p.spec.DHCP || slices.ContainsFunc(p.link.Addresses, func(a Address) bool {
		return a.Prefix.Addr().IsGlobalUnicast() && !a.Tentative && !a.Duplicate
	})
}
