package osconfig

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"
)

func ipAddress(s string) string {
	if _, err := netip.ParseAddr(s); err != nil {
		if _, err := netip.ParsePrefix(s); err == nil {
			return fmt.Sprintf("%s is a network; write an address without the prefix length", quote(s))
		}
		return fmt.Sprintf("%s is no IP address", quote(s))
	}
	return ""
}

// hostAddress checks the address of one other machine.
func hostAddress(s string) string {
	if problem := ipAddress(s); problem != "" {
		return problem
	}
	if a := netip.MustParseAddr(s); a.IsUnspecified() || a.IsMulticast() {
		return fmt.Sprintf("%s is not the address of a machine", s)
	}
	return ""
}

func gateway4(s string) string {
	if problem := hostAddress(s); problem != "" {
		return problem
	}
	if netip.MustParseAddr(s).Is6() {
		return fmt.Sprintf("%s is an IPv6 address; use gateway_ipv6", s)
	}
	return ""
}

func gateway6(s string) string {
	if problem := hostAddress(s); problem != "" {
		return problem
	}
	if netip.MustParseAddr(s).Is4() {
		return fmt.Sprintf("%s is an IPv4 address; use gateway", s)
	}
	return ""
}

// interfaceAddress checks an address with its prefix length.
func interfaceAddress(n *Node) []finding {
	s := n.Text
	p, err := netip.ParsePrefix(s)
	if err == nil {
		if problem := hostAddress(p.Addr().String()); problem != "" {
			return wrong(problem)
		}
		if p.Addr() == p.Masked().Addr() && p.Bits() < p.Addr().BitLen()-1 && p.Addr().Is4() {
			return doubtful(fmt.Sprintf("%s is the address of a network, not of a machine in it", s))
		}
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		example := 24
		if a.Is6() {
			example = 64
		}
		return wrong(fmt.Sprintf("%s has no prefix length; write %s/%d, or what your network has", s, s, example))
	}
	return wrong(fmt.Sprintf("%s is no address with a prefix length, like 192.168.1.10/24", quote(s)))
}

func linkName(s string) string {
	const most = 15 // IFNAMSIZ - 1
	switch {
	case s == "" || s == "." || s == "..":
		return fmt.Sprintf("%s is no name of a link", quote(s))
	case len(s) > most:
		return fmt.Sprintf("%s is longer than the %d characters of a link's name", quote(s), most)
	case strings.ContainsAny(s, "/: \t\n\v\f\r\x00"): // dev_valid_name in the kernel's net/core/dev.c
		return fmt.Sprintf("%s is no name of a link", quote(s))
	}
	return ""
}

// interfaceKey checks a key of interfaces; with match it is a free name.
func interfaceKey(key string, value *Node) string {
	if m := value.Child("match"); m != nil && !m.IsNull() {
		return ""
	}
	return interfaceMatch(key)
}

// interfaceMatch checks a link name, a glob, "mac=…", "driver=…" or "path=…".
func interfaceMatch(s string) string {
	if mac, ok := strings.CutPrefix(s, "mac="); ok {
		_, err := net.ParseMAC(mac)
		if strings.ContainsAny(mac, "*?[") && spelled(mac, "0-9A-Fa-f:*?[]-", "0-9A-Fa-f:*?[]-") {
			_, err = path.Match(mac, "")
		}
		if err == nil {
			return ""
		}
		return fmt.Sprintf("%s is no MAC address; write mac=52:54:00:12:34:56", quote(mac))
	}
	if driver, ok := strings.CutPrefix(s, "driver="); ok {
		return pattern(driver, "driver=virtio_net")
	}
	if place, ok := strings.CutPrefix(s, "path="); ok {
		return pattern(place, "path=pci-0000:00:03.0")
	}
	if len(s) == len("00:00:00:00:00:00") && matches(`([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}`, s) {
		return fmt.Sprintf("write \"mac=%s\" to match by MAC address", strings.ReplaceAll(s, "-", ":"))
	}
	if key, _, ok := strings.Cut(s, "="); ok {
		return fmt.Sprintf("%s is nothing to match by: mac=…, driver=…, path=…, a name or a glob", quote(key+"="))
	}
	if strings.ContainsAny(s, `*?[\`) {
		if strings.ContainsAny(s, "/: \t\n") {
			return fmt.Sprintf("%s matches no link", quote(s))
		}
		return pattern(s, "eth*")
	}
	return linkName(s)
}

// pattern checks a glob that is matched against one thing.
func pattern(s, example string) string {
	if _, err := path.Match(s, ""); err != nil || s == "" || strings.ContainsAny(s, "/ \t\n") {
		return fmt.Sprintf("%s is no valid pattern; write it like %s", quote(s), example)
	}
	return ""
}
