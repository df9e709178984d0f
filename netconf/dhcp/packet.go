package dhcp

import (
	"cmp"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// requestedOptions is the parameter request list; option 121 comes before 3,
// as RFC 3442 asks. Option 33 is not in it: its routes have no masks, and 121
// has taken its place.
func requestedOptions() []dhcpv4.OptionCode {
	return []dhcpv4.OptionCode{
		dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.GenericOptionCode(microsoftRoutes),
		dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName, dhcpv4.OptionDomainName,
		dhcpv4.OptionInterfaceMTU, dhcpv4.OptionNTPServers, dhcpv4.OptionDNSDomainSearchList,
		dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue,
	}
}

// clientID is option 61: the configured one, or the hardware address.
func (m *machine) clientID() []byte {
	if id := m.request.Options.ClientID; len(id) > 0 {
		return id
	}
	return append([]byte{byte(iana.HWTypeEthernet)}, m.hardware...)
}

// bare builds a message that only says who sends it.
func (m *machine) bare(kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	p := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet,
		TransactionID: m.xid, ClientHWAddr: m.hardware, Options: make(dhcpv4.Options),
	}
	p.UpdateOption(dhcpv4.OptMessageType(kind))
	p.UpdateOption(dhcpv4.OptClientIdentifier(m.clientID()))
	return p
}

// packet builds a message that asks for something.
func (m *machine) packet(kind dhcpv4.MessageType, modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	p := m.bare(kind)
	p.UpdateOption(dhcpv4.OptParameterRequestList(requestedOptions()...))
	p.UpdateOption(dhcpv4.OptMaxMessageSize(maxMessage - 28)) // without IP and UDP headers
	if class := m.request.Options.VendorClass; class != "" {
		p.UpdateOption(dhcpv4.OptClassIdentifier(class))
	}
	if name := cmp.Or(m.request.Options.Hostname, m.request.Hostname); name != "" {
		p.UpdateOption(dhcpv4.OptHostName(name))
	}
	for _, modify := range modifiers {
		modify(p)
	}
	return p
}

// askWanted asks for the address that the link had.
func (m *machine) askWanted(p *dhcpv4.DHCPv4) {
	if m.wanted.IsValid() {
		p.UpdateOption(dhcpv4.OptRequestedIPAddress(m.wanted.AsSlice()))
	}
}

// renewal asks for more time. The address goes into ciaddr; options 50 and 54
// must be absent (RFC 2131, table 5).
func (m *machine) renewal() *dhcpv4.DHCPv4 {
	p := m.packet(dhcpv4.MessageTypeRequest)
	p.ClientIPAddr = m.lease.Address.Addr().AsSlice()
	return p
}

// refusal tells the server that the address is somebody else's. It may have no
// options but these (RFC 2131, table 5).
func (m *machine) refusal() *dhcpv4.DHCPv4 {
	p := m.bare(dhcpv4.MessageTypeDecline)
	p.UpdateOption(dhcpv4.OptRequestedIPAddress(m.lease.Address.Addr().AsSlice()))
	if m.lease.Server.IsValid() {
		p.UpdateOption(dhcpv4.OptServerIdentifier(m.lease.Server.AsSlice()))
	}
	return p
}
