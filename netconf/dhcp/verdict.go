package dhcp

import (
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// verdict tells whether a message to this client is the answer that is waited
// for. If it is not, why says what is wrong with it; empty: it only comes at
// the wrong time.
type verdict func(p *dhcpv4.DHCPv4) (ok bool, why string)

// offered accepts what may follow a DISCOVER: an offer, or a lease by rapid
// commit.
func offered(p *dhcpv4.DHCPv4) (ok bool, why string) {
	switch p.MessageType() {
	case dhcpv4.MessageTypeNone:
		return false, "its options cannot be read"
	case dhcpv4.MessageTypeAck:
		if !p.Options.Has(dhcpv4.OptionRapidCommit) {
			return false, ""
		}
	case dhcpv4.MessageTypeOffer:
	default:
		return false, ""
	}
	if !isHost(fromIP(p.ServerIdentifier())) {
		return false, "it does not say which server it is from"
	}
	why = faultOf(p)
	return why == "", why
}

// offered is the function of that name, but for offers of servers that are
// shunned: they have to wait until others have had the time for theirs.
func (m *machine) offered(p *dhcpv4.DHCPv4) (ok bool, why string) {
	if p.MessageType() == dhcpv4.MessageTypeOffer && m.attempt <= passOver && slices.Contains(m.shunned, fromIP(p.ServerIdentifier())) {
		return false, ""
	}
	return offered(p)
}

// shun remembers a server that has offered what it then refuses, or does not
// answer for. It may be the fastest there is, and would keep the machine from
// all others.
func (m *machine) shun(server netip.Addr) {
	m.complain("a server offers what it does not grant")
	if len(m.shunned) < mostShunned && !slices.Contains(m.shunned, server) {
		m.shunned = append(m.shunned, server)
	}
}

// answerOf accepts what may follow a REQUEST for a lease that a server has
// granted; the zero server is any. Only itself may refuse it. A grant counts
// from whomever: the server may have another address by now.
func answerOf(server netip.Addr) verdict {
	return func(p *dhcpv4.DHCPv4) (ok bool, why string) {
		switch p.MessageType() {
		case dhcpv4.MessageTypeNone:
			return false, "its options cannot be read"
		case dhcpv4.MessageTypeAck:
			why = faultOf(p)
			return why == "", why
		case dhcpv4.MessageTypeNak:
			if id := fromIP(p.ServerIdentifier()); server.IsValid() && isHost(id) && id != server {
				return false, "a server that was not asked refuses the address"
			}
			return true, ""
		}
		return false, ""
	}
}

// answerTo accepts what may follow a REQUEST for what was offered.
func answerTo(offer *dhcpv4.DHCPv4) verdict {
	server := fromIP(offer.ServerIdentifier())
	return func(p *dhcpv4.DHCPv4) (ok bool, why string) {
		id := fromIP(p.ServerIdentifier())
		if p.MessageType() == dhcpv4.MessageTypeAck && isHost(id) && id != server && !p.YourIPAddr.Equal(offer.YourIPAddr) {
			return false, "a server that was not asked grants another address"
		}
		return answerOf(server)(p)
	}
}
