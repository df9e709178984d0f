package metadata

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Prefix reads an address with its netmask or prefix length. Without either
// it stands alone: /32, /128.
func Prefix(address, mask string) (netip.Prefix, bool) {
	address, mask = strings.TrimSpace(address), strings.TrimSpace(mask)
	if own, length, ok := strings.Cut(address, "/"); ok {
		address, mask = own, length
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if mask != "" {
		if m, err := netip.ParseAddr(mask); err == nil {
			ones, size := net.IPMask(m.AsSlice()).Size()
			if size != a.BitLen() {
				return netip.Prefix{}, false
			}
			bits = ones
		} else if bits, err = strconv.Atoi(mask); err != nil {
			return netip.Prefix{}, false
		}
	}
	p := netip.PrefixFrom(a, bits)
	return p, p.IsValid()
}

// Address returns a text that is an IP address, else nothing.
func Address(s string) string {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil || !host(a) {
		return ""
	}
	return a.WithZone("").String()
}

// host says whether an address can be that of a machine.
func host(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6()
}

// short quotes a text that came from outside, bounded.
func short(s string) string {
	const most = 60
	if s == "" {
		return ""
	}
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
