package dhcp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/pharos-os/pharos/netconf"
)

// fallbackLease is how long a lease counts whose server did not say.
const fallbackLease = time.Hour

// requestedOptions is the parameter request list; option 121 comes before 3,
// as RFC 3442 asks.
func requestedOptions() []dhcpv4.OptionCode {
	return []dhcpv4.OptionCode{
		dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter,
		dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName, dhcpv4.OptionDomainName,
		dhcpv4.OptionInterfaceMTU, dhcpv4.OptionNTPServers, dhcpv4.OptionDNSDomainSearchList,
		dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue,
	}
}

// packet builds a message of this client.
func (m *machine) packet(kind dhcpv4.MessageType, modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	p := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet,
		TransactionID: m.xid, ClientHWAddr: m.hardware, Options: make(dhcpv4.Options),
	}
	options := []dhcpv4.Option{
		dhcpv4.OptMessageType(kind),
		dhcpv4.OptClientIdentifier(append([]byte{byte(iana.HWTypeEthernet)}, m.hardware...)),
		dhcpv4.OptParameterRequestList(requestedOptions()...),
		dhcpv4.OptMaxMessageSize(maxMessage - 28), // without IP and UDP headers
	}
	if name := m.request.Hostname; name != "" {
		options = append(options, dhcpv4.OptHostName(name))
	}
	for _, o := range options {
		p.UpdateOption(o)
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

// isAnswer accepts what may follow a REQUEST.
func isAnswer(p *dhcpv4.DHCPv4) bool {
	switch p.MessageType() {
	case dhcpv4.MessageTypeAck:
		return usable(p)
	case dhcpv4.MessageTypeNak:
		return true
	}
	return false
}

// usable tells whether an offer or ACK is about an address that a host can
// have, from a server that says who it is.
func usable(p *dhcpv4.DHCPv4) bool {
	a := fromIP(p.YourIPAddr)
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && fromIP(p.ServerIdentifier()).Is4()
}

// parseLease reads an ACK that is usable.
func parseLease(p *dhcpv4.DHCPv4, now time.Time) *netconf.Lease {
	bits, _ := p.SubnetMask().Size()
	if bits == 0 { // none, or not a mask
		bits, _ = p.YourIPAddr.DefaultMask().Size()
	}
	l := &netconf.Lease{
		Address: netip.PrefixFrom(fromIP(p.YourIPAddr), bits),
		Server:  fromIP(p.ServerIdentifier()),
		Routers: fromIPs(p.Router()), DNS: fromIPs(p.DNS()), NTP: fromIPs(p.NTPServers()),
		Domain: p.DomainName(), Hostname: p.HostName(),
		Acquired: now,
	}
	if search := p.DomainSearch(); search != nil {
		l.Search = search.Labels
	}
	if mtu := p.Options.Get(dhcpv4.OptionInterfaceMTU); len(mtu) == 2 {
		l.MTU = int(binary.BigEndian.Uint16(mtu))
	}
	for _, r := range p.ClasslessStaticRoute() {
		ones, _ := r.Dest.Mask.Size()
		l.Routes = append(l.Routes, netconf.LeaseRoute{
			Dst: netip.PrefixFrom(fromIP(r.Dest.IP), ones).Masked(), Gateway: specified(fromIP(r.Router)),
		})
	}
	l.Duration = p.IPAddressLeaseTime(fallbackLease)
	if l.Duration >= dhcpv4.MaxLeaseTime {
		l.Duration = 0
		return l
	}
	l.Duration = max(l.Duration, time.Second)
	l.T1 = p.IPAddressRenewalTime(0)
	l.T2 = p.IPAddressRebindingTime(0)
	if l.T2 <= 0 || l.T2 >= l.Duration {
		l.T2 = l.Duration * 7 / 8
	}
	if l.T1 <= 0 || l.T1 >= l.T2 {
		l.T1 = min(l.Duration/2, l.T2*4/7)
	}
	return l
}

func fromIP(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// specified returns the zero Addr for 0.0.0.0.
func specified(a netip.Addr) netip.Addr {
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

func fromIPs(list []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range list {
		if a := specified(fromIP(ip)); a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}
