package dhcp

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
)

const (
	// fallbackLease is how long a lease counts whose server did not say.
	fallbackLease = time.Hour
	// shortestLease, shortestT1: a server that says less would be asked
	// without a pause.
	shortestLease = 4 * time.Second
	shortestT1    = 2 * time.Second
	// smallestMTU is the least that option 26 may say (RFC 2132, section 5.1).
	smallestMTU = 68
	// microsoftRoutes is option 249: what Windows asked for before it knew of
	// option 121, in the same form.
	microsoftRoutes = 249
)

// Where options may be besides their own field (RFC 2131, section 2 and RFC
// 2132, section 9.3).
const (
	snameField  = 44
	fileField   = 108
	cookieField = 236
	optionField = 240
)

// decode reads a message. Of one whose options are damaged only the header is
// left, without a message type. A message without an end mark is accepted.
func decode(b []byte) (*dhcpv4.DHCPv4, error) {
	if len(b) < optionField {
		return dhcpv4.FromBytes(b)
	}
	end := dhcpv4.OptionEnd.Code()
	p, err := dhcpv4.FromBytes(append(bytes.Clone(b), end))
	if err == nil {
		err = overload(p, b)
	}
	if err != nil {
		return dhcpv4.FromBytes(append(bytes.Clone(b[:optionField]), end))
	}
	return p, nil
}

// overload adds the options that are in the fields for the boot file and the
// server's name, in the order of RFC 3396, section 5.
func overload(p *dhcpv4.DHCPv4, b []byte) error {
	where := p.Options.Get(dhcpv4.OptionOptionOverload)
	if len(where) != 1 {
		return nil
	}
	if where[0]&1 != 0 {
		if err := p.Options.FromBytes(b[fileField:cookieField]); err != nil {
			return err
		}
	}
	if where[0]&2 != 0 {
		return p.Options.FromBytes(b[snameField:fileField])
	}
	return nil
}

// prefixOf is the address that a message is about. Without a mask, or with
// what is none, it has its class's; said tells whether it had one.
func prefixOf(p *dhcpv4.DHCPv4) (prefix netip.Prefix, said bool) {
	var bits int
	if mask := p.Options.Get(dhcpv4.OptionSubnetMask); len(mask) == net.IPv4len {
		bits, _ = net.IPMask(mask).Size()
	}
	if said = bits != 0; !said {
		bits, _ = p.YourIPAddr.DefaultMask().Size()
	}
	return netip.PrefixFrom(fromIP(p.YourIPAddr), bits), said
}

// faultOf says why an address cannot be this machine's; empty if it can.
func faultOf(p *dhcpv4.DHCPv4) string {
	prefix, said := prefixOf(p)
	if !isHost(prefix.Addr()) {
		return "the address is none that a host can have"
	}
	if said && prefix.Bits() <= 30 { // RFC 3021: longer ones have neither
		host := binary.BigEndian.Uint32(prefix.Addr().AsSlice()) << prefix.Bits() >> prefix.Bits()
		if host == 0 || host == 1<<(32-prefix.Bits())-1 {
			return "the address is the network's own or its broadcast address"
		}
	}
	return ""
}

// isHost tells whether an address can be one machine's.
func isHost(a netip.Addr) bool {
	return a.Is4() && a.As4()[0] != 0 && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// parseLease reads an ACK that has no fault. What is wrong in it is left out,
// and said in faults.
func parseLease(p *dhcpv4.DHCPv4, now time.Time) (l *netconf.Lease, faults []string) {
	fault := func(bad bool, what string) {
		if bad {
			faults = append(faults, what)
		}
	}
	l = &netconf.Lease{Acquired: now}
	l.Address, _ = prefixOf(p)
	if server := fromIP(p.ServerIdentifier()); isHost(server) {
		l.Server = server
	}
	for code, list := range map[dhcpv4.OptionCode]*[]netip.Addr{
		dhcpv4.OptionRouter: &l.Routers, dhcpv4.OptionDomainNameServer: &l.DNS, dhcpv4.OptionNTPServers: &l.NTP} {
		var bad bool
		*list, bad = hosts(p.Options.Get(code))
		fault(bad, "an option with addresses is damaged, or one is no host's")
	}
	var bad bool
	l.Routes, bad = routes(p.Options.Get(dhcpv4.OptionClasslessStaticRoute))
	fault(bad, "option 121 has routes that cannot be")
	if len(l.Routes) == 0 {
		l.Routes, bad = routes(p.Options.Get(dhcpv4.GenericOptionCode(microsoftRoutes)))
		fault(bad, "option 249 has routes that cannot be")
	}
	l.Domain, bad = text(p.DomainName())
	fault(bad, "the domain is no name")
	l.Hostname, bad = text(p.HostName())
	fault(bad, "the host name is no name")
	l.Search, bad = searchList(p.Options.Get(dhcpv4.OptionDNSDomainSearchList))
	fault(bad, "the search list is damaged")
	if mtu := p.Options.Get(dhcpv4.OptionInterfaceMTU); len(mtu) == 2 && binary.BigEndian.Uint16(mtu) >= smallestMTU {
		l.MTU = int(binary.BigEndian.Uint16(mtu))
	} else {
		fault(mtu != nil, "the MTU is damaged or below 68 bytes")
	}
	fault(times(p, l), "the lease time is missing, zero or very short")
	return l, faults
}

// times reads options 51, 58 and 59 and tells whether the first one is bad.
func times(p *dhcpv4.DHCPv4, l *netconf.Lease) (bad bool) {
	l.Duration = p.IPAddressLeaseTime(0)
	switch {
	case l.Duration >= dhcpv4.MaxLeaseTime:
		l.Duration = 0
		return false
	case l.Duration == 0:
		l.Duration, bad = fallbackLease, true
	case l.Duration < shortestLease:
		l.Duration, bad = shortestLease, true
	}
	l.T1 = p.IPAddressRenewalTime(0)
	l.T2 = p.IPAddressRebindingTime(0)
	if l.T2 <= shortestT1 || l.T2 >= l.Duration {
		l.T2 = l.Duration / 8 * 7 // 136 years times 7 are more than a Duration holds
	}
	if l.T1 < shortestT1 || l.T1 >= l.T2 {
		l.T1 = max(min(l.Duration/2, l.T2/7*4), shortestT1)
	}
	return bad
}

// hosts reads a list of addresses without doubles; bad tells that something
// was left out. 0.0.0.0 stands for none.
func hosts(b []byte) (list []netip.Addr, bad bool) {
	if len(b)%4 != 0 {
		return nil, true
	}
	for a := range slices.Chunk(b, 4) {
		switch addr := netip.AddrFrom4([4]byte(a)); {
		case addr.IsUnspecified() || slices.Contains(list, addr):
		case !isHost(addr):
			bad = true
		default:
			list = append(list, addr)
		}
	}
	return list, bad
}

// routes reads option 121 (RFC 3442) or 249. A damaged option has none: the
// routers of option 3 are the better guess then. Two routes to one network
// would displace each other; the first counts.
func routes(b []byte) (list []netconf.LeaseRoute, bad bool) {
	var raw dhcpv4.Routes
	if err := raw.FromBytes(b); err != nil {
		return nil, true
	}
	for _, r := range raw {
		ones, _ := r.Dest.Mask.Size()
		route := netconf.LeaseRoute{Dst: netip.PrefixFrom(fromIP(r.Dest.IP), ones).Masked()}
		gateway := fromIP(r.Router)
		if !gateway.IsUnspecified() {
			route.Gateway = gateway
		}
		if route.Gateway.IsValid() && !isHost(gateway) || ones > 0 && (route.Dst.Addr().IsLoopback() || route.Dst.Addr().IsMulticast()) {
			bad = true
			continue
		}
		if !slices.ContainsFunc(list, func(have netconf.LeaseRoute) bool { return have.Dst == route.Dst }) {
			list = append(list, route)
		}
	}
	return list, bad
}

// text returns a name, or several with spaces between, without trailing NULs.
// What a name cannot have in it does not get into logs and onto terminals.
func text(s string) (name string, bad bool) {
	s = strings.TrimRight(s, "\x00")
	for _, c := range []byte(s) {
		if !nameByte(c) && c != '.' && c != ' ' {
			return "", true
		}
	}
	return s, false
}

// nameByte tells whether labels of names may have the byte; the underscore is
// in use although RFC 1123 does not have it.
func nameByte(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func fromIP(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
