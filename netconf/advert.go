package netconf

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pharos-os/pharos/netconf/nd"
)

// maxAdvertised bounds the name servers, and the domains, that routers of one
// link can fill a file with.
const maxAdvertised = 16

// advertised is what routers have said about DNS on a link (RFC 8106).
type advertised struct {
	servers []advertisement[netip.Addr]
	domains []advertisement[string]
	heard   bool // anything
	// What could not be read, each thing once in warnedAnew.
	faults map[string]bool
	since  time.Time
}

// Different faults of advertisements that are logged in a time.
const (
	maxFaults  = 16
	warnedAnew = time.Hour
)

// warns tells whether a fault is to be logged: whoever advertises nonsense can
// do so a thousand times.
func (a *advertised) warns(fault string, now time.Time) bool {
	if a.faults == nil || now.Sub(a.since) >= warnedAnew {
		a.faults, a.since = make(map[string]bool), now
	}
	if a.faults[fault] || len(a.faults) == maxFaults {
		return false
	}
	a.faults[fault] = true
	return true
}

type advertisement[T comparable] struct {
	value T
	until time.Time // zero: for ever
}

// update takes one value with its lifetime; 0 withdraws it.
func update[T comparable](list []advertisement[T], value T, life time.Duration, now time.Time) []advertisement[T] {
	i := slices.IndexFunc(list, func(a advertisement[T]) bool { return a.value == value })
	a := advertisement[T]{value, now.Add(life)}
	if life >= nd.Forever {
		a.until = time.Time{}
	}
	switch {
	case life == 0 && i >= 0:
		return slices.Delete(list, i, i+1)
	case life == 0:
		return list
	case i >= 0:
		list[i] = a
		return list
	case len(list) == maxAdvertised: // the oldest goes (RFC 8106, section 6.2)
		list = slices.Delete(list, 0, 1)
	}
	return append(list, a)
}

// valid returns the values that are still good and when the next is not.
func valid[T comparable](list []advertisement[T], now time.Time) (values []T, next time.Time) {
	for _, a := range list {
		switch {
		case a.until.IsZero():
			values = append(values, a.value)
		case now.Before(a.until):
			values = append(values, a.value)
			next = sooner(next, a.until)
		}
	}
	return values, next
}

// advert takes what a router advertised. A link-local server is of use only
// with the link that it is on.
func (m *Manager) advert(a Advert) {
	p := m.ports[a.Link]
	if p == nil || !m.graph.acceptRA(p.spec) {
		return
	}
	now := time.Now()
	p.dns.heard = true
	info, err := nd.Parse(a.Options)
	if err != nil && p.dns.warns(err.Error(), now) {
		m.log.Warn("router advertisement", "link", p.link.Name, "router", a.Router, "error", err)
	}
	// What has ended makes room.
	over := func(until time.Time) bool { return !until.IsZero() && !now.Before(until) }
	p.dns.servers = slices.DeleteFunc(p.dns.servers, func(a advertisement[netip.Addr]) bool { return over(a.until) })
	p.dns.domains = slices.DeleteFunc(p.dns.domains, func(a advertisement[string]) bool { return over(a.until) })
	for _, s := range info.Servers {
		p.dns.servers = update(p.dns.servers, s.Addr, s.Lifetime, now)
	}
	for _, d := range info.Domains {
		p.dns.domains = update(p.dns.domains, d.Name, d.Lifetime, now)
	}
}

// advertised is what of it is still good, and when that changes.
func (p *port) advertised(now time.Time) (servers []netip.Addr, domains []string, next time.Time) {
	found, next := valid(p.dns.servers, now)
	for _, a := range found {
		if a.IsLinkLocalUnicast() {
			a = a.WithZone(p.link.Name)
		}
		servers = append(servers, a)
	}
	domains, at := valid(p.dns.domains, now)
	return servers, domains, sooner(next, at)
}
