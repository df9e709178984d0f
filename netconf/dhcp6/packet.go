package dhcp6

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
)

// wantedOptions is what servers are asked for. Asking for 82 and 83 is a must
// (RFC 8415, section 21.7), as is 32 in an INFORMATION-REQUEST.
func wantedOptions(kind dhcpv6.MessageType) dhcpv6.Option {
	codes := []dhcpv6.OptionCode{
		dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList,
		dhcpv6.OptionSNTPServerList, dhcpv6.OptionNTPServer,
	}
	if kind == dhcpv6.MessageTypeInformationRequest {
		codes = append(codes, dhcpv6.OptionInformationRefreshTime, dhcpv6.OptionInfMaxRT)
	} else {
		codes = append(codes, dhcpv6.OptionSolMaxRT)
	}
	return dhcpv6.OptRequestedOption(codes...)
}

// packet builds a message. Which options it has depends on its kind (RFC
// 8415, appendix B); own are those of this message alone.
func (m *machine) packet(x exchange, elapsed time.Duration) []byte {
	p := &dhcpv6.Message{MessageType: x.kind, TransactionID: m.xid}
	p.AddOption(raw(dhcpv6.OptionClientID, m.duid))
	if x.server != nil {
		p.AddOption(raw(dhcpv6.OptionServerID, x.server))
	}
	p.AddOption(dhcpv6.OptElapsedTime(min(elapsed, 0xffff*10*time.Millisecond)))
	switch x.kind {
	case dhcpv6.MessageTypeConfirm, dhcpv6.MessageTypeDecline:
	case dhcpv6.MessageTypeInformationRequest:
		p.AddOption(wantedOptions(x.kind))
	default:
		p.AddOption(wantedOptions(x.kind))
		if name := m.request.Hostname; name != "" {
			p.AddOption(raw(dhcpv6.OptionFQDN, fqdn(name)))
		}
	}
	for _, o := range x.own {
		p.AddOption(o)
	}
	return p.ToBytes()
}

func raw(code dhcpv6.OptionCode, data []byte) dhcpv6.Option {
	return &dhcpv6.OptionGeneric{OptionCode: code, OptionData: data}
}

// fqdn encodes option 39 (RFC 4704, section 4): the server is asked to enter
// the name into DNS (S). A name without a dot is partial and has no end.
func fqdn(name string) []byte {
	b := []byte{1}
	labels := strings.FieldsFunc(name, func(c rune) bool { return c == '.' })
	for _, l := range labels {
		l = l[:min(len(l), 63)]
		b = append(append(b, byte(len(l))), l...)
	}
	if len(labels) > 1 {
		b = append(b, 0)
	}
	return b
}

// associations are the options IA_NA and IA_PD that ask for what a lease has,
// or for anything. Lifetimes are left to the server.
func (m *machine) associations(l *netconf.Lease6) []dhcpv6.Option {
	if l == nil {
		l = &netconf.Lease6{}
	}
	list := []dhcpv6.Option{m.addresses(l.Addresses)}
	if m.request.Delegate {
		pd := &dhcpv6.OptIAPD{IaId: m.iaid}
		for _, g := range l.Prefixes {
			pd.Options.Add(&dhcpv6.OptIAPrefix{Prefix: &net.IPNet{
				IP: g.Prefix.Addr().AsSlice(), Mask: net.CIDRMask(g.Prefix.Bits(), 128)}})
		}
		list = append(list, pd)
	}
	return list
}

// addresses is the option IA_NA.
func (m *machine) addresses(granted []netconf.Granted) dhcpv6.Option {
	na := &dhcpv6.OptIANA{IaId: m.iaid}
	for _, g := range granted {
		na.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: g.Prefix.Addr().AsSlice()})
	}
	return na
}

// single makes an address what leases hold.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
