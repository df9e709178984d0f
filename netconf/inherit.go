package netconf

import (
	"net/netip"
	"slices"
	"time"
)

// inherit takes over what a manager before this one has left on a link. Its
// IPv4 address is asked for anew. As long as nobody has answered, the lease
// that is kept of it says what else it came with, and when it ends.
func (m *Manager) inherit(p *port) {
	p.heir = !p.link.Loopback && !m.foreign(p.link)
	p.adopted, p.adopted6 = adopt(p.link, p.spec), adopt6(p.link, p.spec)
	if p.heir && m.graph.acceptRA(p.spec) {
		m.solicit(p)
	}
	if p.adopted == nil || m.opts.Leases == nil {
		return
	}
	kept := m.opts.Leases.Load(leaseID(p.link))
	if kept == nil || kept.Address != p.adopted.Address || kept.fault() != "" {
		return
	}
	p.adopted = kept
	if kept.Duration > 0 {
		p.until = p.seen.Add(kept.Duration)
	}
}

// solicit asks routers for an advertisement on a link that has been up for a
// while: what the last one said of DNS is kept by nobody.
func (m *Manager) solicit(p *port) {
	if !p.link.Up || !p.link.Carrier {
		return
	}
	if err := m.kernel.Solicit(p.link.LinkID); err != nil { // the next advertisement comes all the same
		m.log.Debug("routers are not asked for an advertisement", "link", p.link.Name, "error", err)
	}
}

// adopt returns what a manager before this one has left on a link that is to
// have a lease; nil if nothing.
func adopt(l Link, spec LinkSpec) *Lease {
	if !spec.DHCP {
		return nil
	}
	for _, a := range l.Addresses {
		if a.Own && a.Prefix.Addr().Is4() && !a.Prefix.Addr().IsLinkLocalUnicast() && !slices.Contains(spec.Addresses, a.Prefix) {
			return &Lease{Address: a.Prefix}
		}
	}
	return nil
}

// adopt6 tells whether it has left IPv6 addresses that may come again.
func adopt6(l Link, spec LinkSpec) bool {
	return (spec.DHCP6 != ModeNo || spec.DelegateFrom != "") && slices.ContainsFunc(l.Addresses, func(a Address) bool {
		return a.Own && a.Prefix.Addr().Is6() && !slices.Contains(spec.Addresses, a.Prefix)
	})
}

// expire drops what is over while no client looks after it.
func (p *port) expire(now time.Time, patience time.Duration) {
	if p.v4 == nil && p.lease != nil && p.lease.Expired(now) {
		p.lease = nil
	}
	if p.adopted != nil && !p.until.IsZero() && !now.Before(p.until) {
		p.adopted = nil
	}
	if p.v6 == nil && p.lease6 != nil && p.lease6.over(now) {
		p.lease6 = nil
	}
	if p.adopted6 && !now.Before(p.seen.Add(patience)) {
		p.adopted6 = false
	}
}

// expiry is when expire has something to do; zero is never.
func (p *port) expiry(patience time.Duration) (at time.Time) {
	if p.v4 == nil && p.lease != nil && p.lease.Duration > 0 && !p.lease.Acquired.IsZero() {
		at = p.lease.Acquired.Add(p.lease.Duration)
	}
	if p.adopted != nil {
		at = sooner(at, p.until)
	}
	if p.v6 == nil && p.lease6 != nil {
		at = sooner(at, p.lease6.end())
	}
	if p.adopted6 {
		at = sooner(at, p.seen.Add(patience))
	}
	return at
}

// inherited is until when the names stay that a manager before this one has
// written: who brought what is missing in these has not been heard yet. Zero is
// not at all.
func (m *Manager) inherited(names Names, now time.Time) (until time.Time) {
	if m.written.Hostname != "" {
		return until
	}
	for _, p := range m.ports {
		// A lease of which only the address is known, or the rest of what
		// routers led to.
		mute := p.adopted != nil && p.adopted.Server == netip.Addr{} || len(names.Nameservers) == 0 && p.mute6()
		if end := p.seen.Add(m.spec.DHCPTimeout); mute && now.Before(end) && end.After(until) {
			until = end
		}
	}
	return until
}

// mute6 tells whether routers, or DHCPv6, may have brought name servers and
// have not yet done so again.
func (p *port) mute6() bool {
	return p.lease6 == nil && (p.adopted6 && p.v6 != nil || p.heir && p.slaac() && !p.dns.heard)
}
