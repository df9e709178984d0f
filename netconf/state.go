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
	Applied     time.Time // when the Spec that it is about was applied; zero: none has been
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
	Required   bool   // online waits for it, or for another one of the same Key
	Source     string // where its addresses are from: "dhcp", "static" or "none"
	Gateways   []netip.Addr
	Lease      *Lease // nil: none
	Adopted    *Lease // of a manager before this one, in use until a server says otherwise; nil: none
	LeaseState LeaseState
	Attempt    int    // messages of this lease state that nobody has answered
	Message    string // the DHCP client's last word

	Lease6      *Lease6    // nil: none
	Lease6State LeaseState // of the DHCPv6 client that runs, or ran last; empty: none has
	Attempt6    int
	Message6    string
	Nameservers []netip.Addr // what it brings: configured, leased, advertised
	Search      []string     // likewise
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

// Online is the condition that the network is usable: every link that is
// waited for is configured, there is a default route if one of them can bring
// it, and not all of their addresses are still being probed. Waited for are
// links that have an address to get, unless they are optional; of those that
// one pattern matches, one is enough.
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
