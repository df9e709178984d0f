package dhcp6

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/pharos-os/pharos/netconf"
)

// machine is one link's lease state machine: RFC 8415, section 18.2, in the
// states of RFC 2131.
type machine struct {
	opts        Options
	log         *slog.Logger
	request     netconf.Lease6Request
	duid        []byte
	iaid        [4]byte
	report      func(netconf.Lease6Status)
	warned      map[string]bool // flaws
	warnedSince time.Time
	sent        time.Time // the last message
	attempt     int       // its number
	heard       bool      // something after it, if only a refusal
	conn        Conn      // nil: closed
	messages    chan []byte
	broken      chan error
	xid         dhcpv6.TransactionID
	state       netconf.LeaseState
	lease       *netconf.Lease6 // valid; nil: none
	wanted      *netconf.Lease6 // addresses and prefixes to ask for; nil: any
	server      []byte          // in requesting: whose offer is accepted
	declined    []netconf.Granted
	decliner    []byte // who granted them
	refused     int    // attempts in a row that ended without a lease
	conflicts   int    // declined addresses since the last renewal
	message     string // last trouble
	unreported  bool   // something has left the lease

	longestSolicit, longestInform time.Duration
}

// run does nothing but move from state to state.
func (m *machine) run(ctx context.Context) error {
	next := netconf.LeaseInit
	if p := m.request.Previous; p != nil {
		m.wanted = p
		if !p.Acquired.IsZero() && grants(p) != m.request.Stateless {
			m.lease = p
			next = netconf.LeaseInitReboot
		}
	}
	for {
		m.enter(next)
		next = m.step(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (m *machine) step(ctx context.Context) netconf.LeaseState {
	if len(m.declined) > 0 {
		return m.decline(ctx)
	}
	switch m.state {
	case netconf.LeaseInitReboot:
		return m.reboot(ctx)
	case netconf.LeaseSelecting:
		return m.selecting(ctx)
	case netconf.LeaseRequesting:
		return m.requesting(ctx)
	case netconf.LeaseBound:
		return m.bound(ctx)
	case netconf.LeaseRenewing:
		return m.renewing(ctx)
	case netconf.LeaseRebinding:
		return m.rebinding(ctx)
	}
	return m.init(ctx)
}

// enter is the one place where the state changes. What is over leaves the
// lease on the way.
func (m *machine) enter(next netconf.LeaseState) {
	if grants(m.lease) {
		rest, gone := prune(m.lease, time.Now())
		if len(gone) > 0 {
			m.lease, m.unreported = rest, true
			m.message = fmt.Sprintf("expired: %v", gone)
		}
		if rest == nil {
			next = netconf.LeaseInit
		}
	}
	if len(m.declined) > 0 {
		next, m.unreported = netconf.LeaseInit, true
	}
	if m.state != next {
		m.log.Debug("transition", "from", m.state, "to", next)
	}
	m.state = next
	// States that send report together with their first message, so that
	// nothing comes before the message.
	if next == netconf.LeaseBound || m.unreported {
		m.tell(0)
	}
}

// tell reports where the machine stands.
func (m *machine) tell(attempt int) {
	m.unreported = false
	m.report(netconf.Lease6Status{State: m.state, Lease: m.lease, Attempt: attempt, Message: m.message})
}

// init waits after repeated failures, or client and server would go round in
// circles at the speed of the wire.
func (m *machine) init(ctx context.Context) netconf.LeaseState {
	if m.refused > 1 {
		m.sleep(ctx, earlier(nextLoss(m.lease), time.Now().Add(time.Second<<min(m.refused-2, 7))))
	}
	if m.request.Stateless {
		return netconf.LeaseRequesting
	}
	return netconf.LeaseSelecting
}

// reboot asks whether what the link had is still right there: by CONFIRM, or
// by REBIND if prefixes were delegated (section 18.2.12). Without an answer
// the lease is used on (section 18.2.3).
func (m *machine) reboot(ctx context.Context) netconf.LeaseState {
	if m.request.Stateless {
		return m.inform(ctx)
	}
	next := netconf.LeaseBound
	x := exchange{
		kind: dhcpv6.MessageTypeConfirm, timing: confirmTiming(),
		own:   []dhcpv6.Option{m.addresses(m.lease.Addresses)},
		until: earlier(nextLoss(m.lease), time.Now().Add(confirmLimit)),
		take: func(r *message) bool {
			switch r.status.code {
			case iana.StatusSuccess:
				m.message = ""
			case iana.StatusNotOnLink:
				m.lease, m.wanted, m.unreported = nil, nil, true
				m.message = "a server says that the addresses are not of this link: " + r.status.String()
				next = netconf.LeaseInit
			default:
				m.note("a server refuses: " + r.status.String())
				return false
			}
			return true
		},
	}
	if len(m.lease.Prefixes) > 0 || m.request.Delegate {
		x.kind, x.own = dhcpv6.MessageTypeRebind, m.associations(m.lease)
		x.take = m.settling(&next)
	}
	m.exchange(ctx, x)
	return next
}

// selecting sends SOLICITs until there is an offer, for ever. The best of the
// first second is taken; after that the first (section 18.2.1).
func (m *machine) selecting(ctx context.Context) netconf.LeaseState {
	next := netconf.LeaseSelecting
	var best *message
	m.exchange(ctx, exchange{
		kind: dhcpv6.MessageTypeSolicit, timing: solicitTiming(),
		own:   append(m.associations(m.wanted), raw(dhcpv6.OptionRapidCommit, nil)),
		until: nextLoss(m.lease),
		take: func(r *message) bool {
			if !m.offers(r) {
				return false
			}
			if r.kind == dhcpv6.MessageTypeReply {
				if r.rapid {
					next = m.bind(r, nil)
				}
				return r.rapid
			}
			if best == nil || m.rank(r) > m.rank(best) {
				best = r
			}
			return r.preference == 255 || m.attempt > 1
		},
		lapse: func() bool { return best != nil },
	})
	if next == netconf.LeaseSelecting && best != nil {
		m.server = best.server
		m.wanted = best.lease(nil, m.sent, "")
		return netconf.LeaseRequesting
	}
	return next
}

// offers tells whether a message grants anything; why not, is kept.
func (m *machine) offers(r *message) bool {
	switch {
	case r.refuses():
		m.note("a server refuses: " + r.status.String())
	case r.grants():
		return true
	case r.addresses.status.code != iana.StatusSuccess:
		m.note("a server has no address: " + r.addresses.status.String())
	case r.prefixes.status.code != iana.StatusSuccess:
		m.note("a server has no prefix: " + r.prefixes.status.String())
	default:
		m.note("a server grants nothing that is of use")
	}
	return false
}

// rank orders offers: who has all that is wanted comes first, as section
// 18.2.9 allows; then counts the server's preference.
func (m *machine) rank(r *message) int {
	n := int(r.preference)
	if len(r.addresses.granted) > 0 {
		n += 1000
	}
	if m.request.Delegate && len(r.prefixes.granted) > 0 {
		n += 1000
	}
	return n
}

// requesting accepts an offer.
func (m *machine) requesting(ctx context.Context) netconf.LeaseState {
	if m.request.Stateless {
		return m.inform(ctx)
	}
	m.refused++ // until bind
	next := netconf.LeaseInit
	m.exchange(ctx, exchange{
		kind: dhcpv6.MessageTypeRequest, server: m.server, timing: requestTiming(),
		own: m.associations(m.wanted), until: nextLoss(m.lease),
		take: func(r *message) bool {
			switch {
			case r.status.code == iana.StatusUnspecFail, r.status.code == iana.StatusUseMulticast:
				m.note("a server refuses: " + r.status.String())
				return false
			case r.status.code == iana.StatusNotOnLink:
				m.wanted = nil
			}
			if m.offers(r) {
				next = m.bind(r, nil)
			}
			return true
		},
	})
	return next
}

// bind takes a lease over.
func (m *machine) bind(r *message, old *netconf.Lease6) netconf.LeaseState {
	m.lease = r.lease(old, m.sent, m.request.Link.Name)
	m.wanted, m.refused, m.message = m.lease, 0, ""
	return netconf.LeaseBound
}
