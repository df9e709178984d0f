package dhcp6

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

// lease turns an answer into a lease. What an older lease has that the answer
// does not speak of stays (RFC 8415, section 18.2.10.1).
func (r *message) lease(old *netconf.Lease6, sent time.Time, link string) *netconf.Lease6 {
	if old == nil {
		old = &netconf.Lease6{Acquired: sent}
	}
	l := &netconf.Lease6{
		Server:    r.server,
		Addresses: r.addresses.join(old.Addresses, sent.Sub(old.Acquired)),
		Prefixes:  r.prefixes.join(old.Prefixes, sent.Sub(old.Acquired)),
		DNS:       zoned(r.dns, link), Search: r.search, NTP: zoned(r.ntp, link),
		Acquired: sent,
	}
	if len(l.NTP) == 0 { // the older option
		l.NTP = zoned(r.sntp, link)
	}
	l.T1, l.T2 = r.times(l)
	return l
}

// information turns the answer to an INFORMATION-REQUEST into a lease.
func (r *message) information(sent time.Time, link string) *netconf.Lease6 {
	r.addresses, r.prefixes = association{}, association{}
	l := r.lease(nil, sent, link)
	switch {
	case r.refresh == 0:
		l.T1 = refreshDefault
	case r.refresh != endless:
		l.T1 = max(r.refresh, refreshShortest)
	}
	return l
}

// join adds what is granted to what was, which is this old.
func (a *association) join(old []netconf.Granted, age time.Duration) []netconf.Granted {
	list := a.granted
	for _, g := range old {
		if find(list, g.Prefix) >= 0 || slices.Contains(a.gone, g.Prefix) || g.Valid > 0 && g.Valid <= age {
			continue
		}
		if g.Valid > 0 {
			g.Valid -= age
		}
		if g.Preferred > 0 {
			g.Preferred = max(g.Preferred-age, time.Second)
		}
		list = append(list, g)
	}
	return list
}

// times returns T1 and T2 of what the answer grants. What the server left open
// or what would come too late to keep the lease follows the shortest lifetime,
// by section 21.4's shares. What stays of an older lease does not count: its
// shrinking rest would make the renewals ever more frequent.
// It does when the answer only takes something away.
func (r *message) times(l *netconf.Lease6) (t1, t2 time.Duration) {
	granted := slices.Concat(r.addresses.granted, r.prefixes.granted)
	if len(granted) == 0 {
		granted = slices.Concat(l.Addresses, l.Prefixes)
	}
	var preferred, valid time.Duration
	for _, g := range granted {
		valid = shorter(valid, g.Valid)
		if g.Preferred > time.Second {
			preferred = shorter(preferred, g.Preferred)
		}
	}
	if valid == 0 {
		return 0, 0 // nothing ever ends
	}
	base := shorter(preferred, valid)
	t1 = shorter(finite(r.addresses.t1), finite(r.prefixes.t1))
	t2 = shorter(finite(r.addresses.t2), finite(r.prefixes.t2))
	if t2 == 0 || t2 >= valid {
		t2 = base / 5 * 4 // in this order: 136 years times 4 are more than a Duration holds
	}
	if t1 == 0 || t1 > t2 {
		t1 = min(base/2, t2/8*5)
	}
	t1 = max(t1, min(shortestRenewal, valid/2))
	return t1, max(t1, t2)
}

// shorter returns the shorter of two durations, 0 being for ever.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// zoned completes link-local addresses.
func zoned(list []netip.Addr, link string) []netip.Addr {
	for i, a := range list {
		if a.IsLinkLocalUnicast() {
			list[i] = a.WithZone(link)
		}
	}
	return list
}

// grants tells whether a lease has an address or a prefix.
func grants(l *netconf.Lease6) bool {
	return l != nil && len(l.Addresses)+len(l.Prefixes) > 0
}

// prune returns what of a lease is valid at a time, and what is not any more.
func prune(l *netconf.Lease6, now time.Time) (rest *netconf.Lease6, gone []netip.Prefix) {
	age := now.Sub(l.Acquired)
	return without(l, func(g netconf.Granted) bool { return g.Valid > 0 && g.Valid <= age })
}

// without returns a lease without some addresses and prefixes, and these. A
// lease of which nothing is left is nil.
func without(l *netconf.Lease6, drop func(netconf.Granted) bool) (rest *netconf.Lease6, gone []netip.Prefix) {
	c := *l
	for _, list := range []*[]netconf.Granted{&c.Addresses, &c.Prefixes} {
		var keep []netconf.Granted
		for _, g := range *list {
			if drop(g) {
				gone = append(gone, g.Prefix)
			} else {
				keep = append(keep, g)
			}
		}
		*list = keep
	}
	switch {
	case gone == nil:
		return l, nil
	case !grants(&c):
		return nil, gone
	}
	return &c, gone
}

// nextLoss is when the next address or prefix ends; zero is never.
func nextLoss(l *netconf.Lease6) time.Time {
	if l == nil {
		return time.Time{}
	}
	var first time.Duration
	for _, g := range slices.Concat(l.Addresses, l.Prefixes) {
		first = shorter(first, g.Valid)
	}
	if first == 0 {
		return time.Time{}
	}
	return l.Acquired.Add(first)
}

// earlier returns the earlier of two times, zero being never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
