package dhcp6

import (
	"context"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/pharos-os/pharos/netconf"
)

// bound sleeps until T1 or until something ends. The socket is closed: it has
// nothing to hear.
func (m *machine) bound(ctx context.Context) netconf.LeaseState {
	m.closeConn()
	until := nextLoss(m.lease)
	if m.lease.T1 > 0 {
		until = earlier(until, m.lease.Acquired.Add(m.lease.T1))
	}
	if m.sleep(ctx, until) == again || m.lease != nil && m.lease.T1 > 0 && over(m.lease.Acquired.Add(m.lease.T1)) {
		return netconf.LeaseRenewing
	}
	return netconf.LeaseBound
}

// renewing asks the server that granted the lease, until T2.
func (m *machine) renewing(ctx context.Context) netconf.LeaseState {
	if m.request.Stateless {
		return m.inform(ctx)
	}
	next := netconf.LeaseRenewing
	x := exchange{
		kind: dhcpv6.MessageTypeRenew, server: m.lease.Server, timing: renewTiming(),
		own: m.associations(m.lease), until: nextLoss(m.lease), take: m.settling(&next),
	}
	var end time.Time
	if m.lease.T2 > 0 {
		end = m.lease.Acquired.Add(m.lease.T2)
		x.until = earlier(x.until, end)
	} else { // somebody has asked; the lease does not depend on it
		x.timing = endlessTiming()
	}
	if m.exchange(ctx, x) {
		return next
	}
	switch {
	case end.IsZero():
		return netconf.LeaseBound
	case over(end):
		return netconf.LeaseRebinding
	}
	return netconf.LeaseRenewing
}

// rebinding asks every server, until everything has ended.
func (m *machine) rebinding(ctx context.Context) netconf.LeaseState {
	next := netconf.LeaseRebinding
	m.exchange(ctx, exchange{
		kind: dhcpv6.MessageTypeRebind, timing: renewTiming(),
		own: m.associations(m.lease), until: nextLoss(m.lease), take: m.settling(&next),
	})
	return next
}

// settling makes the function that takes the answer to a RENEW or REBIND
// (section 18.2.10.1) and puts the state that follows into next. A refusal is
// no answer: the lease is good until it ends, whoever says what.
func (m *machine) settling(next *netconf.LeaseState) func(*message) bool {
	return func(r *message) bool {
		switch {
		case r.refuses():
			m.note("a server refuses: " + r.status.String())
			return false
		case r.addresses.status.code == iana.StatusNoBinding || r.prefixes.status.code == iana.StatusNoBinding:
			m.note("a server does not know the lease any more")
			m.server, m.wanted = r.server, m.lease
			*next = netconf.LeaseRequesting
			return true
		case len(r.addresses.gone)+len(r.prefixes.gone) == 0 && !m.offers(r):
			return false
		}
		if grants(r.lease(m.lease, m.sent, "")) {
			m.conflicts = 0
			*next = m.bind(r, m.lease)
			return true
		}
		m.lease, m.wanted, m.unreported = nil, nil, true
		m.message = "a server has ended the lease"
		*next = netconf.LeaseInit
		return true
	}
}

// decline tells the server about addresses that somebody else has (section
// 18.2.8) and begins anew; what else the lease has stays meanwhile.
func (m *machine) decline(ctx context.Context) netconf.LeaseState {
	declined, server := m.declined, m.decliner
	m.declined, m.decliner = nil, nil
	m.conflicts++
	m.refused = m.conflicts // bind has forgotten the others
	why := m.message
	m.exchange(ctx, exchange{
		kind: dhcpv6.MessageTypeDecline, server: server, timing: declineTiming(),
		own:  []dhcpv6.Option{m.addresses(declined)},
		take: func(r *message) bool { return r.kind == dhcpv6.MessageTypeReply },
	})
	m.message = why
	return netconf.LeaseInit
}

// inform asks for everything but addresses, for ever (section 18.2.6).
func (m *machine) inform(ctx context.Context) netconf.LeaseState {
	m.exchange(ctx, exchange{
		kind: dhcpv6.MessageTypeInformationRequest, timing: solicitTiming(),
		take: func(r *message) bool {
			if r.status.code != iana.StatusSuccess {
				m.note("a server refuses: " + r.status.String())
				return false
			}
			m.lease = r.information(m.sent, m.request.Link.Name)
			m.message = ""
			return true
		},
	})
	if m.lease == nil {
		return netconf.LeaseRequesting
	}
	return netconf.LeaseBound
}
