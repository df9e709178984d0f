package netconf

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// State is a snapshot of the network. It is its reader's to keep.
type State struct {
	Online      bool
	OnlineSince time.Time // zero: not online
	Waiting     []string  // what online waits for; empty when online
	Problems    []string  // sentences; each disappears when it is cured
	Names       Names     // as last written
	Links       []LinkState
	Routes      []Route // those that carry Protocol, as last seen
	Rules       []Rule  // likewise
}

// LinkState is one link with what the manager knows about it.
type LinkState struct {
	Link
	Key        string // of the configuration that it has; empty: not managed
	Source     string // where its addresses are from: "dhcp", "static" or "none"
	Gateways   []netip.Addr
	Lease      *Lease // nil: none
	LeaseState LeaseState
	Attempt    int    // messages of this lease state that nobody has answered
	Message    string // the DHCP client's last word

	Lease6      *Lease6    // nil: none
	Lease6State LeaseState // empty: no DHCPv6 client runs
	Attempt6    int
	Message6    string
	Delegated   netip.Prefix // its address of a prefix that another link was given
	LinkLocal   netip.Prefix // its address of RFC 3927
	RDNSS       []netip.Addr // advertised name servers that are still valid (RFC 8106)
	DNSSL       []string     // advertised search domains, likewise
	Waiting     []string     // what it waits for, sentences without its name; empty: all that is configured is there

	// When it got so far for the first time; zero: not yet.
	Seen       time.Time // netlink had it: its driver is ready
	CarrierAt  time.Time
	Configured time.Time // all that is configured was there: addresses, a lease where DHCP is asked for
}

// State returns a snapshot.
func (m *Manager) State() State {
	s, _ := m.Watch()
	return s
}

// Watch returns a snapshot and a channel that is closed at the next change.
func (m *Manager) Watch() (State, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.changed
}

// Problems returns what is wrong, a sentence each.
func (m *Manager) Problems() []string { return m.State().Problems }

// publish makes s the current state; what is in it is never changed again.
func (m *Manager) publish(s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Online {
		s.OnlineSince = m.state.OnlineSince
		if !m.state.Online {
			s.OnlineSince = time.Now()
			m.log.Info("online", "hostname", s.Names.Hostname)
		}
	}
	for _, p := range s.Problems {
		if !slices.Contains(m.state.Problems, p) {
			m.log.Warn("problem", "text", p)
		}
	}
	m.state = s
	close(m.changed)
	m.changed = make(chan struct{})
}

// Online is the condition that the network is usable: every link with static
// addresses that exists has them, and at least one link has a carrier and an
// address.
type Online struct{ m *Manager }

// Online returns the condition.
func (m *Manager) Online() Online { return Online{m} }

// WaitOnline is m.Online().Wait(ctx).
func (m *Manager) WaitOnline(ctx context.Context) error { return m.Online().Wait(ctx) }

// Wait blocks until the network is usable or ctx ends; the error then says
// what was missing.
func (o Online) Wait(ctx context.Context) error {
	for {
		s, changed := o.m.Watch()
		if s.Online {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", o, ctx.Err())
		case <-changed:
		}
	}
}

// String says what is being waited for, and since when.
func (o Online) String() string {
	s := o.m.State()
	if s.Online {
		return "network: online"
	}
	what := "its first look at the links"
	if len(s.Waiting) > 0 {
		what = strings.Join(s.Waiting, ", ")
	}
	return fmt.Sprintf("network: waiting for %s (%d s)", what, int(time.Since(o.m.started())/time.Second))
}

func (m *Manager) started() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.begun.IsZero() {
		return time.Now()
	}
	return m.begun
}

// assess decides what is online, waited for and wrong. Deadlines that lie
// ahead are returned as the next time to look; zero is never.
func (m *Manager) assess(links []LinkState, applyErr error, now time.Time) (s State, next time.Time) {
	s = State{Links: links, Routes: m.routes, Names: m.written, Problems: []string{}, Waiting: []string{}}
	due := func(at time.Time) bool {
		if !now.Before(at) {
			return true
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
		return false
	}
	usable, settled := false, true
	matched := make(map[string]bool)
	for _, l := range links {
		if l.Key == "" {
			continue
		}
		matched[l.Key] = true
		port := m.ports[l.Index]
		complete := true
		for _, a := range port.spec.Addresses {
			complete = complete && l.Has(a)
		}
		if !complete {
			settled = false
			s.Waiting = append(s.Waiting, fmt.Sprintf("the addresses of %s", l.Name))
		}
		usable = usable || l.Carrier && complete && port.addressed()
		switch {
		case !l.Carrier:
			s.Waiting = append(s.Waiting, "a carrier on "+l.Name)
			if !port.spec.Match.many() && due(port.noCarrier.Add(m.opts.LinkTimeout)) {
				s.Problems = append(s.Problems, fmt.Sprintf("%s: no carrier; is a cable plugged in?", l.Name))
			}
		case !port.spec.DHCP && !port.addressed():
			s.Waiting = append(s.Waiting, fmt.Sprintf("an address on %s from somebody else", l.Name))
		case port.spec.DHCP && l.Lease == nil:
			s.Waiting = append(s.Waiting, "a lease on "+l.Name)
			if due(port.noLease.Add(m.spec.DHCPTimeout)) {
				s.Problems = append(s.Problems, port.leaseProblem(m.spec.DHCPTimeout))
			}
		}
	}
	s.Online = usable && settled
	for _, spec := range m.spec.Links {
		if matched[spec.Key] || spec.Match.many() && (s.Online || len(matched) > 0) {
			continue
		}
		s.Waiting = append(s.Waiting, "a link that "+spec.Match.String())
		if due(m.applied.Add(m.opts.LinkTimeout)) {
			s.Problems = append(s.Problems, fmt.Sprintf("interfaces.%s: no link %s", spec.Key, spec.Match))
		}
	}
	if applyErr != nil {
		s.Problems = append(s.Problems, strings.Split(applyErr.Error(), "\n")...)
	}
	if s.Online {
		s.Waiting = []string{}
	}
	return s, next
}

// leaseProblem says that a link has no lease and what was tried.
func (p *port) leaseProblem(timeout time.Duration) string {
	text := fmt.Sprintf("%s: no DHCP lease after %d s, still trying", p.link.Name, int(timeout/time.Second))
	if p.status.Message != "" {
		text += ": " + p.status.Message
	}
	return text
}
