package netconf

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// port is a managed link. Only the Manager's goroutine touches it.
type port struct {
	link      Link
	spec      LinkSpec
	noCarrier time.Time // since when; meaningless with a carrier
	noLease   time.Time // since when a lease could have been had; zero: not yet
	lease     *Lease
	adopted   *Lease // address found in the kernel that DHCP has not confirmed yet
	status    LeaseStatus
	client    *client // nil: none runs
}

// client is a DHCP client's goroutine.
type client struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// portStatus is a client's report on its way to the Manager.
type portStatus struct {
	client *client
	index  int
	status LeaseStatus
}

// updatePorts makes m.ports follow the links that are there and the spec:
// clients start as soon as there is a carrier and stop when it goes.
func (m *Manager) updatePorts(ctx context.Context, links []Link) {
	owner := assign(m.spec.Links, links)
	for index, p := range m.ports {
		if _, ok := owner[index]; !ok {
			p.stop()
			delete(m.ports, index)
		}
	}
	now := time.Now()
	for _, l := range links {
		i, ok := owner[l.Index]
		if !ok {
			continue
		}
		spec := m.spec.Links[i]
		p := m.ports[l.Index]
		if p == nil {
			p = &port{link: l, noCarrier: now, adopted: adopt(l, spec)}
			m.ports[l.Index] = p
		}
		if p.link.Carrier && !l.Carrier {
			p.noCarrier = now
		}
		if !l.Carrier || !spec.DHCP || p.link.MAC != l.MAC || p.link.Name != l.Name {
			p.stop()
		}
		p.link, p.spec = l, spec
		if !spec.DHCP {
			p.lease, p.adopted, p.status = nil, nil, LeaseStatus{}
			continue
		}
		if l.Carrier && p.client == nil {
			m.startClient(ctx, p)
		}
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

func (m *Manager) startClient(ctx context.Context, p *port) {
	ctx, cancel := context.WithCancel(ctx)
	c := &client{cancel: cancel, done: make(chan struct{})}
	p.client = c
	if p.noLease.IsZero() {
		p.noLease = time.Now()
	}
	request := LeaseRequest{Link: p.link, Hostname: m.spec.Hostname, Previous: p.lease}
	if p.lease == nil {
		request.Previous = p.adopted
	}
	report := func(s LeaseStatus) {
		select {
		case m.leases <- portStatus{c, request.Link.Index, s}:
		case <-ctx.Done():
		}
	}
	go func() {
		defer close(c.done)
		_ = m.dhcp.Run(ctx, request, report) // ends with ctx only; what goes wrong is reported
	}()
}

// stop ends the DHCP client and waits for it; the lease stays.
func (p *port) stop() {
	if p.client == nil {
		return
	}
	p.client.cancel()
	<-p.client.done
	p.client = nil
	p.noLease = time.Time{}
}

// addressed tells whether the link has an address to work with: a lease's, a
// static one or, if neither is configured, one by router advertisement or by
// somebody else's hand.
func (p *port) addressed() bool {
	if p.spec.DHCP || p.spec.static() {
		return p.spec.static() || p.lease != nil || p.adopted != nil
	}
	return slices.ContainsFunc(p.link.Addresses, func(a Address) bool { return a.Prefix.Addr().IsGlobalUnicast() })
}

func (m *Manager) stopAll() {
	for _, p := range m.ports {
		p.stop()
	}
}

// leaseReport takes a client's report and tells whether the desired state of
// the link may have changed by it.
func (m *Manager) leaseReport(s portStatus) bool {
	p := m.ports[s.index]
	if p == nil || p.client != s.client {
		return false
	}
	if p.status.State != s.status.State {
		m.log.Info("lease", "link", p.link.Name, "state", s.status.State, "message", s.status.Message)
	}
	before, adopted := p.lease, p.adopted
	p.status = s.status
	if s.status.Lost {
		p.lease, p.adopted, p.noLease = nil, nil, time.Now()
	}
	if s.status.Lease != nil {
		p.lease, p.adopted = s.status.Lease, nil
	}
	return p.lease != before || p.adopted != adopted
}

// linkStates joins the kernel's view with the ports'. A container engine's
// links are left out.
func (m *Manager) linkStates(links []Link, routes []Route) []LinkState {
	states := []LinkState{}
	for _, l := range links {
		p := m.ports[l.Index]
		if p == nil && foreign(l.Name) {
			continue
		}
		s := LinkState{Link: l, Source: "none", Gateways: []netip.Addr{}}
		for _, r := range routes {
			if r.Link.Index == l.Index && r.Dst.Bits() == 0 && r.Gateway.IsValid() {
				s.Gateways = append(s.Gateways, r.Gateway)
			}
		}
		if p != nil {
			s.Key, s.Lease = p.spec.Key, p.lease
			s.LeaseState, s.Attempt, s.Message = p.status.State, p.status.Attempt, p.status.Message
			switch {
			case p.lease != nil || p.adopted != nil:
				s.Source = "dhcp"
			case p.spec.static():
				s.Source = "static"
			}
		}
		states = append(states, s)
	}
	return states
}
