package netconf

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// client is the goroutine of a DHCP client or of whoever looks after a
// link-local address.
type client struct {
	cancel   context.CancelFunc
	done     chan struct{}
	renew    chan struct{}   // capacity 1
	declined chan netip.Addr // DHCPv6
}

// report is what a client or commands say, on its way to the Manager.
type report struct {
	client *client
	link   int // index
	what   any // LeaseStatus, Lease6Status, netip.Prefix, commandsEnded
}

// maxDeclined bounds how many addresses of one lease can be in use elsewhere
// before the client has heard of the first.
const maxDeclined = 16

// start runs f until the client is stopped.
func (m *Manager) start(ctx context.Context, p *port, f func(ctx context.Context, c *client, tell func(any))) *client {
	ctx, cancel := context.WithCancel(ctx)
	c := &client{cancel: cancel, done: make(chan struct{}),
		renew: make(chan struct{}, 1), declined: make(chan netip.Addr, maxDeclined)}
	index := p.link.Index
	tell := func(what any) {
		select {
		case m.reports <- report{c, index, what}:
		case <-ctx.Done():
		}
	}
	go func() {
		defer close(c.done)
		f(ctx, c, tell)
	}()
	return c
}

// stop ends the client and waits for it. It may be nil.
func (c *client) stop() {
	if c != nil {
		c.cancel()
		<-c.done
	}
}

// stop ends all clients; the leases stay.
func (p *port) stop() {
	p.stopV4()
	p.stopV6()
	p.stopClaimer()
}

func (p *port) stopV4() {
	p.v4.stop()
	p.v4, p.noLease = nil, time.Time{}
}

func (p *port) stopV6() {
	p.v6.stop()
	p.v6 = nil
}

func (p *port) stopClaimer() {
	p.claimer.stop()
	p.claimer, p.local = nil, netip.Prefix{}
}

// updateClients starts what is to run on the link and does not, and stops what
// is not to run any longer.
func (m *Manager) updateClients(ctx context.Context, p *port) {
	if name := cmp.Or(p.spec.DHCPOptions.Hostname, m.spec.Hostname); name != p.hostname { // servers enter it into DNS
		p.stopV4()
		p.stopV6()
		p.hostname = name
	}
	ready := p.link.Carrier && !p.spec.Down && !p.passive && m.ran(p.pre, p.spec.PreUp)
	if ready && p.spec.DHCP && p.v4 == nil {
		m.startV4(ctx, p)
	}
	stateless, wanted := m.wants6(p)
	asked := [2]bool{stateless, m.delegates(p)}
	if p.v6 != nil && (!wanted || p.asked6 != asked) {
		p.stopV6()
	}
	if ready && wanted && p.v6 == nil {
		p.asked6 = asked
		m.startV6(ctx, p)
	}
	claim := ready && p.spec.IPv4LL && p.lease == nil && p.adopted == nil && !has4(p.spec.Addresses)
	switch {
	case !claim:
		p.stopClaimer()
	case p.claimer == nil && m.opts.LinkLocal4 != nil:
		link := p.link
		p.claimer = m.start(ctx, p, func(ctx context.Context, _ *client, tell func(any)) {
			err := m.opts.LinkLocal4.Run(ctx, link, func(a netip.Prefix) { tell(a) })
			if ctx.Err() == nil {
				m.log.Warn("no link-local address can be claimed", "link", link.Name, "error", err)
			}
		})
	}
}

func (m *Manager) startV4(ctx context.Context, p *port) {
	if p.noLease.IsZero() {
		p.noLease = time.Now()
	}
	request := LeaseRequest{
		Link: p.link, Options: p.spec.DHCPOptions, Previous: p.lease,
		Hostname: p.hostname,
	}
	if p.lease == nil {
		request.Previous = p.adopted
	}
	id := leaseID(p.link)
	p.v4 = m.start(ctx, p, func(ctx context.Context, c *client, tell func(any)) {
		request.Renew = c.renew
		kept := request.Previous
		if kept == nil && m.opts.Leases != nil {
			kept = m.opts.Leases.Load(id)
			request.Previous = kept
		}
		_ = m.dhcp.Run(ctx, request, func(s LeaseStatus) { // ends with ctx only; what goes wrong is reported
			tell(s)
			if m.opts.Leases != nil && (s.Lost || s.Lease != nil && s.Lease != kept) {
				kept = s.Lease
				if err := m.opts.Leases.Save(id, kept); err != nil {
					m.log.Warn("lease is not kept for the next start", "link", request.Link.Name, "error", err)
				}
			}
		})
	})
}

func (m *Manager) startV6(ctx context.Context, p *port) {
	request := Lease6Request{
		Link: p.link, Stateless: p.asked6[0], Delegate: p.asked6[1],
		Hostname: p.hostname, Previous: p.lease6,
	}
	p.since6, p.declined = time.Now(), make(map[netip.Addr]bool)
	p.v6 = m.start(ctx, p, func(ctx context.Context, c *client, tell func(any)) {
		request.Renew, request.Declined = c.renew, c.declined
		_ = m.opts.DHCP6.Run(ctx, request, func(s Lease6Status) { tell(s) }) // as above
	})
}

// wants6 tells whether a DHCPv6 client is to run on the link, and whether for
// addresses: by configuration, or as the last router advertisement says. An
// address that one router has led to stays for as long as it is leased,
// whatever another router says (RFC 2462, section 5.5.3).
func (m *Manager) wants6(p *port) (stateless, wanted bool) {
	follows := p.spec.DHCP6 == ModeAuto && m.graph.acceptRA(p.spec)
	switch {
	case m.opts.DHCP6 == nil || p.spec.DHCP6 == ModeNo || p.spec.Down || p.passive:
		return false, false
	case p.spec.DHCP6 == ModeYes || m.delegates(p) || follows && (p.link.Managed || p.leased6()):
		return false, true
	}
	return true, follows && p.link.OtherConfig
}

// delegates tells whether another link is to have an address of a prefix that
// is delegated to this one.
func (m *Manager) delegates(p *port) bool {
	return slices.ContainsFunc(m.graph.members, func(mb *member) bool {
		_, from := m.graph.find(mb.spec.DelegateFrom)
		return from != nil && from.link.Index == p.link.Index
	})
}

// decline tells the DHCPv6 client of an address that is in use elsewhere.
func (p *port) decline(a Address) {
	addr := a.Prefix.Addr()
	if !a.Duplicate || p.v6 == nil || p.declined[addr] || !p.leases6(addr) {
		return
	}
	select {
	case p.v6.declined <- addr:
		p.declined[addr] = true
	default: // the next look tells it
	}
}

// renew makes the link's DHCP clients ask now.
func (p *port) renew() error {
	if p.v4 == nil && p.v6 == nil {
		return fmt.Errorf("renew %s: no DHCP client runs on it", p.link.Name)
	}
	for _, c := range []*client{p.v4, p.v6} {
		if c == nil {
			continue
		}
		select {
		case c.renew <- struct{}{}:
		default: // one is on its way
		}
	}
	return nil
}
