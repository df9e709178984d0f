package netconf

import (
	"fmt"
	"net/netip"
	"slices"
)

// links joins the kernel's view with the ports'. A container engine's links
// are left out.
func (v *view) links() []LinkState {
	m := v.m
	delegated := m.graph.delegated(func(mb *member) *Lease6 {
		if p := m.ports[mb.link.Index]; p != nil {
			return p.lease6
		}
		return nil
	})
	states := []LinkState{}
	for _, l := range m.seen.Links {
		p := m.ports[l.Index]
		if p == nil && foreign(l.Name) {
			continue
		}
		s := LinkState{Link: l, Source: "none", Gateways: []netip.Addr{}, Waiting: []string{}}
		for _, r := range m.seen.Routes {
			if r.Link.Index == l.Index && r.Dst.Bits() == 0 && r.Gateway.IsValid() {
				s.Gateways = append(s.Gateways, r.Gateway)
			}
		}
		if p != nil {
			s.Delegated = delegated[l.Name]
			v.fill(&s, p)
			v.watch(p, l)
		}
		states = append(states, s)
	}
	return states
}

// fill tells what the manager knows about a link that it manages.
func (v *view) fill(s *LinkState, p *port) {
	s.Key, s.Lease, s.Adopted, s.Lease6, s.LinkLocal = p.spec.Key, p.lease, p.adopted, p.lease6, p.local
	s.Required = v.required(p)
	s.LeaseState, s.Attempt, s.Message = p.status.State, p.status.Attempt, p.status.Message
	s.Lease6State, s.Attempt6, s.Message6 = p.status6.State, p.status6.Attempt, p.status6.Message
	s.RDNSS, s.DNSSL, _ = p.advertised(v.now)
	from := p.source(v.now)
	s.Nameservers, s.Search = from.nameservers(), from.search()
	s.Waiting = append(s.Waiting, v.lacks(p)...)
	if p.spec.DelegateFrom != "" && !s.Delegated.IsValid() && !p.spec.Down {
		s.Waiting = append(s.Waiting, "a prefix that is delegated to "+v.m.graph.name(p.spec.DelegateFrom))
		v.small(p)
	}
	if len(s.Waiting) == 0 && p.configured.IsZero() {
		p.configured = v.now
	}
	s.Seen, s.CarrierAt, s.Configured = p.seen, p.carrierAt, p.configured
	if g := v.m.graph; g.spec.LinkLocal && p.spec.DHCP && s.Has(linkLocal(s.Link)) {
		s.LinkLocal = linkLocal(s.Link)
	}
	switch {
	case p.lease != nil || p.adopted != nil:
		s.Source = "dhcp"
	case p.spec.static():
		s.Source = "static"
	}
}

// required tells whether online waits for the link: it has an address to get
// and is not optional.
func (v *view) required(p *port) bool { return !p.spec.Optional && v.m.graph.expects(p.spec) }

// watch reports what a link has waited for for too long, and addresses that
// are in use elsewhere.
func (v *view) watch(p *port, l Link) {
	patience := v.m.spec.DHCPTimeout
	lacks := v.lacks(p)
	switch {
	case slices.Contains(lacks, v.carrier(p)):
		if v.required(p) && !p.spec.Match.many() && v.due(p.noCarrier.Add(v.m.opts.LinkTimeout)) {
			v.noCarrier(p)
		}
	case p.v4 != nil && p.lease == nil && p.adopted == nil:
		if v.due(p.noLease.Add(patience)) {
			text := fmt.Sprintf("%s: no DHCP lease after %d s, still trying", l.Name, int(patience.Seconds()))
			if p.status.Message != "" {
				text += ": " + p.status.Message
			}
			v.problem("%s", text)
		}
	case slices.Contains(lacks, "a DHCPv6 lease"):
		if p.v6 != nil && v.due(p.since6.Add(patience)) {
			text := fmt.Sprintf("%s: no DHCPv6 lease after %d s, still trying", l.Name, int(patience.Seconds()))
			if p.status6.Message != "" {
				text += ": " + p.status6.Message
			}
			v.problem("%s", text)
		}
	}
	for _, a := range l.Addresses {
		if a.Duplicate && !p.leases6(a.Prefix.Addr()) { // of those their server is told
			v.problem("%s: somebody else has the address %s", l.Name, a.Prefix.Addr())
		}
	}
}

// small reports that a delegated prefix has no room for the link.
func (v *view) small(p *port) {
	_, from := v.m.graph.find(p.spec.DelegateFrom)
	if from == nil {
		return
	}
	if source := v.m.ports[from.link.Index]; source != nil && source.lease6 != nil && len(source.lease6.Prefixes) > 0 {
		v.problem("interfaces.%s: the prefix %s that is delegated to %s has no room for it",
			p.spec.Key, source.lease6.Prefixes[0].Prefix, source.link.Name)
	}
}
