package netconf

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// port is a managed link. Only the Manager's goroutine touches it.
type port struct {
	link    Link
	spec    LinkSpec
	passive bool // only a member of a bond or bridge

	seen       time.Time
	carrierAt  time.Time // first carrier; zero: none yet
	configured time.Time // first time that nothing was missing
	noCarrier  time.Time // since when; meaningless with a carrier

	hostname string // that the clients tell their servers

	noLease time.Time // since when a lease could have been had; zero: not yet
	lease   *Lease
	adopted *Lease    // address found in the kernel that DHCP has not confirmed yet
	until   time.Time // adopted counts no longer; zero: not known
	status  LeaseStatus
	v4      *client // nil: none runs
	said    said

	lease6   *Lease6
	adopted6 bool // addresses found in the kernel that DHCPv6 may confirm
	status6  Lease6Status
	v6       *client
	since6   time.Time // since when v6 runs
	asked6   [2]bool   // stateless, delegate: what v6 was started for
	said6    said
	declined map[netip.Addr]bool // of the lease; the client has been told

	local   netip.Prefix // of RFC 3927; zero: none
	claimer *client
	dns     advertised

	pre, post *commands

	flush    bool     // it is being taken over
	heir     bool     // a manager before this one has had it
	hardware Hardware // that has been set
	before   before
}

// updatePorts makes m.ports follow the links that are there and the spec:
// clients start as soon as there is a carrier and stop when it goes.
func (m *Manager) updatePorts(ctx context.Context) {
	now := time.Now()
	there := make(map[int]bool)
	for _, mb := range m.graph.members {
		l := mb.link
		if l.Index == 0 {
			continue
		}
		there[l.Index] = true
		p := m.ports[l.Index]
		if p == nil {
			p = &port{link: l, spec: mb.spec, seen: now, noCarrier: now, flush: m.foreign(l)}
			m.ports[l.Index] = p
			m.inherit(p)
		}
		p.flush = p.flush || !reflect.DeepEqual(p.spec, mb.spec)
		p.update(l, mb.spec, m.graph.passive(mb.spec), now)
		p.expire(now, m.spec.DHCPTimeout)
		m.updateClients(ctx, p)
	}
	for index, p := range m.ports {
		if !there[index] {
			p.stop()
			p.pre.stop()
			p.post.stop()
			delete(m.ports, index)
		}
	}
}

// foreign tells whether a link without a port has been somebody else's. When
// nothing is in force yet, settings of ours say that a manager before this one
// had it.
func (m *Manager) foreign(l Link) bool { return m.inForce || l.IPv6.Unset }

// update takes what the kernel and the configuration say now. Clients that do
// not fit any longer stop; what they have got stays if it may still be good.
func (p *port) update(l Link, spec LinkSpec, passive bool, now time.Time) {
	if p.link.Carrier && !l.Carrier {
		p.noCarrier = now
	}
	if l.Carrier && p.carrierAt.IsZero() {
		p.carrierAt = now
	}
	idle := spec.Down || passive
	if idle || !l.Carrier || p.link.MAC != l.MAC || p.link.Name != l.Name {
		p.stop()
	}
	if !spec.DHCP || !reflect.DeepEqual(p.spec.DHCPOptions, spec.DHCPOptions) {
		p.stopV4()
	}
	if spec.DHCP6 == ModeNo {
		p.stopV6()
	}
	p.link, p.spec, p.passive = l, spec, passive
	if idle || !spec.DHCP {
		p.lease, p.adopted, p.status = nil, nil, LeaseStatus{}
	}
	if idle || spec.DHCP6 == ModeNo {
		p.lease6, p.status6 = nil, Lease6Status{}
		p.adopted6 = p.adopted6 && !idle && spec.DelegateFrom != ""
	}
	for _, a := range l.Addresses {
		p.decline(a)
	}
}

// end is when nothing of the lease is valid any longer; zero is never. Without
// addresses and prefixes it is when the rest should have been asked for again.
func (l *Lease6) end() (at time.Time) {
	if len(l.Addresses) == 0 && len(l.Prefixes) == 0 && l.T1 > 0 {
		return l.Acquired.Add(l.T1)
	}
	for _, g := range slices.Concat(l.Addresses, l.Prefixes) {
		if g.Valid == 0 {
			return time.Time{}
		}
		if end := l.Acquired.Add(g.Valid); end.After(at) {
			at = end
		}
	}
	return at
}

func (l *Lease6) over(now time.Time) bool {
	end := l.end()
	return !end.IsZero() && !now.Before(end)
}

// slaac tells whether the link has an address from a router advertisement,
// and with it the kernel's default route, which is not looked at.
func (p *port) slaac() bool {
	return slices.ContainsFunc(p.link.Addresses, func(a Address) bool {
		return a.Kernel && a.Prefix.Addr().Is6() && a.Prefix.Addr().IsGlobalUnicast() && !a.Tentative && !a.Duplicate
	})
}

// leased6 tells whether DHCPv6 has given an address.
func (p *port) leased6() bool { return p.lease6 != nil && len(p.lease6.Addresses) > 0 }

// leases6 tells whether DHCPv6 has given an address that is this one.
func (p *port) leases6(a netip.Addr) bool {
	return p.lease6 != nil && slices.ContainsFunc(p.lease6.Addresses, func(g Granted) bool { return g.Prefix.Addr() == a })
}

// facts is what the link's target depends on besides the configuration that
// it has or is to have.
func (p *port) facts(spec LinkSpec) facts {
	f := facts{flush: p.flush || !reflect.DeepEqual(p.spec, spec), keep: p.adopted6, linkLocal: p.local, before: p.before}
	if spec.DHCP {
		f.lease = p.lease
		f.keep = f.keep || p.adopted != nil
	}
	if spec.DHCP6 != ModeNo {
		f.lease6 = p.lease6
	}
	if !spec.IPv4LL || p.lease != nil || has4(spec.Addresses) {
		f.linkLocal = netip.Prefix{}
	}
	return f
}

func has4(list []netip.Prefix) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Addr().Is4() })
}

// desired is what the kernel is to have for a specification. Of one that is
// only asked about the commands are taken for done.
func (m *Manager) desired(g *graph, asked bool) Desired {
	of := func(mb *member) *port { return m.ports[mb.link.Index] } // there is none with index 0
	delegated := g.delegated(func(mb *member) *Lease6 {
		if p := of(mb); p != nil {
			return p.lease6
		}
		return nil
	})
	return desired(g, func(mb *member) facts {
		f := facts{flush: m.foreign(mb.link)}
		p := of(mb)
		if p != nil {
			f = p.facts(mb.spec)
		}
		if a, ok := delegated[mb.name()]; ok {
			f.delegated, f.keep = a, f.keep && mb.spec.DHCP && p.adopted != nil
		}
		f.hardware = m.hardware(mb, p)
		switch {
		case asked:
		case p == nil: // it is made first
			f.hold = m.opts.Runner != nil && len(mb.spec.PreUp) > 0
		default:
			f.hold = !m.ran(p.pre, mb.spec.PreUp)
		}
		if g.spec.LinkLocal && (p == nil || p.lease == nil && p.adopted == nil) && mb.spec.DHCP && !mb.spec.static() && mb.link.Carrier {
			f.linkLocal = linkLocal(mb.link)
		}
		return f
	})
}

// hardware is what is to be changed of a link's hardware. It is set once:
// drivers round, and to set rings again resets some.
func (m *Manager) hardware(mb *member, p *port) Hardware {
	want := mb.spec.Hardware
	if reflect.DeepEqual(want, Hardware{}) || p != nil && reflect.DeepEqual(p.hardware, want) {
		return Hardware{}
	}
	if mb.link.Index == 0 {
		return want
	}
	have, err := m.kernel.Hardware(mb.link.LinkID)
	if err != nil {
		m.log.Debug("hardware settings are not known", "link", mb.link.Name, "error", err)
		return want
	}
	if !want.Differs(have) {
		return Hardware{}
	}
	return want
}

// done notes a change that has been made.
func (m *Manager) done(o Op) {
	p := m.ports[o.Link.Index]
	switch {
	case p == nil:
	case o.Kind == OpSetHardware:
		p.hardware = o.Hardware
	case o.Kind == OpSetIPv6 && o.IPv6.AcceptRA:
		m.solicit(p)
	default:
		p.before.note(o, p.link, m.linkKind(p.link.Master))
	}
}

// settled notes that the links are as they are to be: what others add from
// now on stays.
func (m *Manager) settled() {
	m.inForce = !m.applied.IsZero()
	for index, p := range m.ports {
		if !m.trouble.addresses[index] && (p.spec.Down || m.ran(p.pre, p.spec.PreUp)) {
			p.flush = false
		}
	}
}
