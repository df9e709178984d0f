package dhcp6

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/pharos-os/pharos/netconf"
)

// readAddresses reads an IA_NA (RFC 8415, section 21.4).
func (m *message) readAddresses(b []byte, iaid [4]byte) error {
	var o dhcpv6.OptIANA
	if err := o.FromBytes(b); err != nil {
		return err
	}
	if err := m.addresses.begin(iaid, o.IaId, o.T1, o.T2, o.Options.Status()); err != nil {
		return err
	}
	for _, one := range o.Options.Addresses() {
		addr, _ := netip.AddrFromSlice(one.IPv6Addr)
		if err := m.addresses.add(single(addr), one.PreferredLifetime, one.ValidLifetime); err != nil {
			m.flaw("%v", err)
		}
	}
	return nil
}

// readPrefixes reads an IA_PD (section 21.21).
func (m *message) readPrefixes(b []byte, iaid [4]byte) error {
	var o dhcpv6.OptIAPD
	if err := o.FromBytes(b); err != nil {
		return err
	}
	if err := m.prefixes.begin(iaid, o.IaId, o.T1, o.T2, o.Options.Status()); err != nil {
		return err
	}
	for _, one := range o.Options.Prefixes() {
		var prefix netip.Prefix
		if one.Prefix != nil {
			addr, _ := netip.AddrFromSlice(one.Prefix.IP)
			if bits, size := one.Prefix.Mask.Size(); size == 128 {
				prefix = netip.PrefixFrom(addr, bits).Masked()
			}
		}
		if err := m.prefixes.add(prefix, one.PreferredLifetime, one.ValidLifetime); err != nil {
			m.flaw("%v", err)
		}
	}
	return nil
}

// grants tells whether there is anything in the message that can be leased.
func (m *message) grants() bool { return len(m.addresses.granted)+len(m.prefixes.granted) > 0 }

// refuses tells whether the status is of a failure. By RFC 3315, section
// 17.2.2, it speaks of addresses alone if there are none: servers that go by it
// delegate a prefix in the same message.
func (m *message) refuses() bool {
	switch m.status.code {
	case iana.StatusSuccess:
		return false
	case iana.StatusNoAddrsAvail, iana.StatusNoPrefixAvail:
		return !m.grants()
	}
	return true
}

// begin takes what both kinds of association have; s may be nil. Where T1 is
// after T2, section 21.4 has the whole association discarded, so that another
// server's is used.
func (a *association) begin(asked, iaid [4]byte, t1, t2 time.Duration, s *dhcpv6.OptStatusCode) error {
	if iaid != asked {
		return fmt.Errorf("an association that nobody asked for: %x", iaid)
	}
	if t1 > t2 && t2 > 0 {
		return fmt.Errorf("T1 (%v) is after T2 (%v)", t1, t2)
	}
	a.t1, a.t2 = t1, t2
	if s != nil {
		a.status = status{s.StatusCode, s.StatusMessage}
	}
	return nil
}

// add takes one address or prefix. Lifetimes are the wire's.
func (a *association) add(p netip.Prefix, preferred, valid time.Duration) error {
	addr := p.Addr()
	switch {
	case !p.IsValid() || p.Bits() == 0 || !addr.IsGlobalUnicast() || addr.Is4In6():
		return fmt.Errorf("%v is nothing that a link can have", p)
	case preferred > valid:
		return fmt.Errorf("%v is preferred for longer (%v) than it is valid (%v)", p, preferred, valid)
	case len(a.granted)+len(a.gone) == maxGrants:
		return fmt.Errorf("more than %d addresses or prefixes", maxGrants)
	case find(a.granted, p) >= 0:
		return fmt.Errorf("%v is there twice", p)
	case valid == 0:
		a.gone = append(a.gone, p)
	default:
		// 0 is for ever in a lease: what is not preferred at all is so for
		// the shortest time there is.
		a.granted = append(a.granted, netconf.Granted{
			Prefix: p, Preferred: finite(max(preferred, time.Second)), Valid: finite(valid)})
	}
	return nil
}

// finite turns the wire's "for ever" into a lease's.
func finite(d time.Duration) time.Duration {
	if d == endless {
		return 0
	}
	return d
}

// find returns the index of a prefix, or -1.
func find(list []netconf.Granted, p netip.Prefix) int {
	for i, g := range list {
		if g.Prefix == p {
			return i
		}
	}
	return -1
}
