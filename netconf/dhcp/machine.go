package dhcp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
)

// machine is one link's lease state machine: RFC 2131, figure 5.
type machine struct {
	opts     Options
	log      *slog.Logger
	request  netconf.LeaseRequest
	hardware net.HardwareAddr
	report   func(netconf.LeaseStatus)
	started  time.Time // of the current attempt to get a lease, for the secs field
	sent     time.Time // the last message

	conn     Conn // nil: closed
	messages chan *dhcpv4.DHCPv4
	broken   chan error

	state   netconf.LeaseState
	lease   *netconf.Lease // valid; nil: none
	wanted  netip.Addr     // address to ask for; zero: any
	offer   *dhcpv4.DHCPv4 // in requesting
	xid     dhcpv4.TransactionID
	refused int           // NAKs in a row
	rest    time.Duration // before the next attempt to get a lease
	young   bool          // nobody has looked whether the lease's address is free
	asked   bool          // the renewal was asked for from outside
	dispute dispute
	shunned []netip.Addr // servers whose offers come to nothing
	attempt int          // messages sent in this state
	lost    bool
	message string // last trouble

	complaint  string          // about the last message that was ignored
	complained map[string]bool // what has been logged
}

// run does nothing but move from state to state.
func (m *machine) run(ctx context.Context) error {
	next := netconf.LeaseInit
	if p := m.request.Previous; p != nil {
		m.wanted = p.Address.Addr()
		next = netconf.LeaseInitReboot
		if !p.Acquired.IsZero() {
			m.lease = p
		}
	}
	for {
		m.enter(next)
		switch m.state {
		case netconf.LeaseInit:
			next = m.init(ctx)
		case netconf.LeaseInitReboot:
			next = m.reboot(ctx)
		case netconf.LeaseSelecting:
			next = m.selecting(ctx)
		case netconf.LeaseRequesting:
			next = m.requesting(ctx)
		case netconf.LeaseBound:
			next = m.bound(ctx)
		case netconf.LeaseRenewing:
			next = m.renewing(ctx)
		case netconf.LeaseRebinding:
			next = m.rebinding(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// enter is the one place where the state changes. A lease that is over is
// dropped on the way.
func (m *machine) enter(next netconf.LeaseState) {
	if m.lease != nil && m.lease.Expired(time.Now()) {
		m.drop("the lease has expired")
		next = netconf.LeaseInit
	}
	if m.state != next {
		m.log.Debug("transition", "from", m.state, "to", next)
	}
	m.state = next
	// States that send report together with their first message, so that
	// nothing comes before the message.
	if next == netconf.LeaseBound || m.lost {
		m.tell(0)
	}
}

// tell reports where the machine stands.
func (m *machine) tell(attempt int) {
	m.report(netconf.LeaseStatus{State: m.state, Lease: m.lease, Lost: m.lost, Attempt: attempt, Message: m.message})
	m.lost = false
}

// drop forgets the lease, or the address that was hoped for.
func (m *machine) drop(why string) {
	m.lease, m.wanted, m.lost, m.message = nil, netip.Addr{}, true, why
}

// init draws a new transaction id. After repeated refusals it waits, or
// client and server would go round in circles at the speed of the wire.
func (m *machine) init(ctx context.Context) netconf.LeaseState {
	if m.rest > 0 {
		pause(ctx, m.jitter(m.rest))
		m.rest = 0
	}
	m.newTransaction()
	m.started = time.Now()
	return netconf.LeaseSelecting
}

// reboot asks for the address that the link had before.
func (m *machine) reboot(ctx context.Context) netconf.LeaseState {
	m.newTransaction()
	reply := m.exchange(ctx, exchange{
		build:  func() *dhcpv4.DHCPv4 { return m.packet(dhcpv4.MessageTypeRequest, m.askWanted) },
		accept: answerOf(netip.Addr{}),
		tries:  rebootTries,
		until:  m.expiry(),
	})
	return m.settle(reply, netconf.LeaseInit)
}

// selecting sends DISCOVERs until there is an offer, for ever.
func (m *machine) selecting(ctx context.Context) netconf.LeaseState {
	reply := m.exchange(ctx, exchange{
		build: func() *dhcpv4.DHCPv4 {
			return m.packet(dhcpv4.MessageTypeDiscover, m.askWanted,
				dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil)))
		},
		accept: m.offered,
		until:  m.expiry(),
	})
	switch {
	case reply == nil:
		return netconf.LeaseSelecting
	case reply.MessageType() == dhcpv4.MessageTypeAck:
		return m.settle(reply, netconf.LeaseInit)
	}
	m.offer = reply
	return netconf.LeaseRequesting
}

// requesting accepts the offer.
func (m *machine) requesting(ctx context.Context) netconf.LeaseState {
	offer := m.offer
	reply := m.exchange(ctx, exchange{
		build: func() *dhcpv4.DHCPv4 {
			return m.packet(dhcpv4.MessageTypeRequest,
				dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)),
				dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
		},
		accept: answerTo(offer),
		tries:  requestTries,
		until:  m.expiry(),
	})
	if reply == nil && ctx.Err() == nil || reply != nil && reply.MessageType() == dhcpv4.MessageTypeNak && m.refused > 0 {
		m.shun(fromIP(offer.ServerIdentifier()))
	}
	return m.settle(reply, netconf.LeaseInit)
}

// bound waits for T1, or until somebody asks for a renewal. The socket is
// closed: it has nothing to hear. Meanwhile it is found out whether the
// address of a new lease is free.
func (m *machine) bound(ctx context.Context) netconf.LeaseState {
	m.closeConn()
	rivals, stop := m.guard(ctx)
	defer stop()
	var due <-chan time.Time
	if m.lease.Duration > 0 {
		timer := time.NewTimer(time.Until(m.lease.Acquired.Add(m.lease.T1)))
		defer timer.Stop()
		due = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return netconf.LeaseBound
		case <-due:
			return netconf.LeaseRenewing
		case _, ok := <-m.request.Renew:
			if m.asked = m.renewAsked(ok); m.asked {
				return netconf.LeaseRenewing
			}
		case rival, ok := <-rivals:
			if ok {
				return m.decline(rival)
			}
			m.dispute, rivals = dispute{}, nil
		}
	}
}

// renewing asks the server that granted the lease, until T2. If somebody asked
// for it before its time and there is no answer, it is asked for as after a
// change of networks.
func (m *machine) renewing(ctx context.Context) netconf.LeaseState {
	m.newTransaction()
	m.started = time.Now()
	end := m.lease.Acquired.Add(m.lease.T2)
	x := exchange{build: m.renewal, accept: answerOf(m.lease.Server), wait: halfOf(end), until: end}
	if from, to := m.lease.Address.Addr(), m.lease.Server; to.IsValid() {
		x.send = func(message []byte) error { return m.conn.Unicast(message, from, to) }
	}
	otherwise := netconf.LeaseRebinding
	if m.asked {
		m.asked = false
		x.tries, x.until, otherwise = quickRenewals, m.expiry(), netconf.LeaseInitReboot
	}
	return m.settle(m.exchange(ctx, x), otherwise)
}

// rebinding asks every server, until the lease is over.
func (m *machine) rebinding(ctx context.Context) netconf.LeaseState {
	m.newTransaction()
	return m.settle(m.exchange(ctx, exchange{
		build:  m.renewal,
		accept: answerOf(netip.Addr{}),
		wait:   halfOf(m.expiry()),
		until:  m.expiry(),
	}), netconf.LeaseRebinding)
}

// settle turns a server's answer into a state: ACK binds, NAK begins anew, no
// answer leads to otherwise.
func (m *machine) settle(reply *dhcpv4.DHCPv4, otherwise netconf.LeaseState) netconf.LeaseState {
	if reply == nil {
		return otherwise
	}
	if reply.MessageType() == dhcpv4.MessageTypeNak {
		if m.refused++; m.refused > 1 {
			m.rest = backoff(m.refused)
		}
		text := "a server refused the address"
		if s := reply.Message(); s != "" {
			text += fmt.Sprintf(": %q", s)
		}
		m.drop(text)
		return netconf.LeaseInit
	}
	lease, faults := parseLease(reply, m.sent)
	for _, fault := range faults {
		m.complain(fault)
	}
	if !lease.Server.IsValid() {
		lease.Server = m.server()
	}
	m.young = m.state != netconf.LeaseRenewing && m.state != netconf.LeaseRebinding || m.lease.Address != lease.Address
	m.lease = lease
	m.wanted, m.refused, m.message, m.complaint = m.lease.Address.Addr(), 0, "", ""
	m.shunned = nil
	return netconf.LeaseBound
}

// server is who an answer without a name can only be from; zero: not known.
func (m *machine) server() netip.Addr {
	switch {
	case m.state == netconf.LeaseRequesting:
		return fromIP(m.offer.ServerIdentifier())
	case m.lease != nil:
		return m.lease.Server
	case m.state == netconf.LeaseInitReboot:
		return m.request.Previous.Server
	}
	return netip.Addr{}
}

// expiry is when the lease ends; zero is never.
func (m *machine) expiry() time.Time {
	if m.lease == nil || m.lease.Duration == 0 {
		return time.Time{}
	}
	return m.lease.Acquired.Add(m.lease.Duration)
}
