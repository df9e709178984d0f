package netconf

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// report takes what a client or commands say and tells whether the desired
// state may have changed by it.
func (m *Manager) report(r report) bool {
	if s, ok := r.what.(commandsEnded); ok {
		m.commandsEnded(s)
		return true
	}
	p := m.ports[r.link]
	if p == nil {
		return false
	}
	switch what := r.what.(type) {
	case LeaseStatus:
		return p.v4 == r.client && m.leaseReport(p, what)
	case Lease6Status:
		return p.v6 == r.client && m.lease6Report(p, what)
	case netip.Prefix:
		if p.claimer != r.client {
			return false
		}
		m.log.Info("link-local address", "link", p.link.Name, "address", what)
		p.local = what
		return true
	}
	return false
}

func (m *Manager) leaseReport(p *port, s LeaseStatus) bool {
	log := m.log.With("link", p.link.Name)
	if s.Lease != nil {
		if fault := s.Lease.fault(); fault != "" {
			if s.Message = "a server's lease is no good: " + fault; s.Message != p.status.Message {
				log.Warn("lease", "message", s.Message)
			}
			s.Lease = nil
		}
	}
	if (p.status.State != s.State || s.Lost) && p.said.news(s.State, s.Message) {
		log.Info("lease", "state", s.State, "message", s.Message)
	}
	before, adopted := p.lease, p.adopted
	p.status = s
	if s.Lost {
		if before != nil || adopted != nil {
			p.noLease = time.Now()
		}
		p.lease, p.adopted = nil, nil
	}
	if s.Lease != nil {
		p.lease, p.adopted = s.Lease, nil
		if before == nil || before.Address != s.Lease.Address || !slices.Equal(before.Routers, s.Lease.Routers) {
			for _, r := range s.Lease.Routers {
				if !s.Lease.Address.Contains(r) {
					log.Warn("the router is outside the network that the lease is for", "router", r, "address", s.Lease.Address)
				}
			}
			if len(s.Lease.Routes) > maxLeaseRoutes {
				log.Warn("the lease has too many routes", "routes", len(s.Lease.Routes), "used", maxLeaseRoutes)
			}
		}
	}
	return p.lease != before || p.adopted != adopted
}

// maxNews bounds how many different things the servers of a link can have
// logged until one grants a lease.
const maxNews = 32

// said is what has been logged of a client.
type said map[string]bool

// news tells whether something is to be logged: each thing once until there
// is a lease, however often servers say no.
func (s *said) news(state LeaseState, message string) bool {
	if state == LeaseBound || *s == nil {
		*s = make(said)
	}
	key := string(state) + " " + message
	if (*s)[key] || len(*s) == maxNews {
		return false
	}
	(*s)[key] = true
	return true
}

// fault says why a lease cannot be used; empty if it can.
func (l *Lease) fault() string {
	switch a := l.Address.Addr(); {
	case !a.IsValid() || !a.Is4() || l.Address.Bits() < 1:
		return "it has no address"
	case !host(a):
		return "its address " + a.String() + " is no host's"
	}
	return ""
}

func (m *Manager) lease6Report(p *port, s Lease6Status) bool {
	if p.status6.State != s.State && p.said6.news(s.State, s.Message) {
		m.log.Info("lease of DHCPv6", "link", p.link.Name, "state", s.State, "message", s.Message)
	}
	before, adopted := p.lease6, p.adopted6
	p.status6 = s
	if s.Lease != nil || s.State != LeaseInitReboot {
		p.lease6 = s.Lease
	}
	if s.Lease != nil {
		p.adopted6 = false
	}
	// One that is granted again is probed again.
	maps.DeleteFunc(p.declined, func(a netip.Addr, _ bool) bool { return !p.leases6(a) })
	return p.lease6 != before || p.adopted6 != adopted
}
