package osconfig

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// networkText checks a network: an address with a prefix length and nothing
// behind the prefix.
func networkText(s string) string {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return fmt.Sprintf("%s has no prefix length; write %s/%d for one machine", s, s, a.BitLen())
		}
		return fmt.Sprintf("%s is no network, like 10.0.0.0/8", quote(s))
	}
	if p != p.Masked() {
		return fmt.Sprintf("%s is an address in a network; the network is %s", s, p.Masked())
	}
	return ""
}

// networkOrAddress checks what a source or a peer is told by.
func networkOrAddress(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	return networkText(s)
}

// fieldWrong makes a finding about a key below the checked node.
func fieldWrong(key, problem string) []finding {
	if problem == "" {
		return nil
	}
	return []finding{{severity: Error, kind: Value, key: key, text: problem}}
}

func fieldDoubtful(key, problem string) []finding {
	return []finding{{severity: Warning, kind: Conflict, key: key, text: problem}}
}

// checkText checks the text of a key if it has one.
func checkText(n *Node, key string, check func(string) string) []finding {
	if s := textAt(n, key); s != "" {
		return fieldWrong(key, check(s))
	}
	return nil
}

// family is 4 or 6, and 0 for what is no address.
func family(s string) int {
	s, _, _ = strings.Cut(s, "/")
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return 0
	case a.Is4():
		return 4
	}
	return 6
}

// sameFamily checks that a second address is of the first one's kind.
func sameFamily(n *Node, first, second string) []finding {
	a, b := family(textAt(n, first)), family(textAt(n, second))
	if a == 0 || b == 0 || a == b {
		return nil
	}
	return fieldWrong(second, fmt.Sprintf("%s is IPv%d, %s of the same entry is IPv%d", textAt(n, second), b, first, a))
}

// route checks one entry of routes.
func route(n *Node) []finding {
	const most = 1<<31 - 1
	to, via, kind := textAt(n, "to"), textAt(n, "via"), textAt(n, "type")
	if to == "" {
		return wrong("to is missing: a network like 10.0.0.0/8, or default")
	}
	var out []finding
	if to != "default" {
		out = append(out, fieldWrong("to", networkText(to))...)
	}
	out = append(out, checkText(n, "via", hostAddress)...)
	out = append(out, checkText(n, "from", hostAddress)...)
	out = append(out, checkText(n, "metric", between(0, most))...)
	out = append(out, checkText(n, "table", between(0, most))...)
	out = append(out, checkText(n, "mtu", zeroOr(68, 65535))...)
	out = append(out, checkText(n, "type", oneOf("unicast", "blackhole", "unreachable", "prohibit"))...)
	out = append(out, checkText(n, "scope", oneOf("global", "link", "host"))...)
	out = append(out, sameFamily(n, "to", "via")...)
	if len(sameFamily(n, "to", "from")) > 0 {
		out = append(out, sameFamily(n, "to", "from")...)
	} else {
		out = append(out, sameFamily(n, "via", "from")...)
	}
	switch {
	case via != "" && kind != "" && kind != "unicast":
		out = append(out, fieldWrong("via", fmt.Sprintf("a route of type %s has no gateway", kind))...)
	case via == "" && saysYes(n.Child("on_link")):
		out = append(out, fieldDoubtful("on_link", "it has no effect without via")...)
	case via != "" && textAt(n, "scope") == "host":
		out = append(out, fieldWrong("scope", "a route through a gateway cannot have the scope of the machine itself")...)
	}
	return out
}

// routeRule checks one entry of rancher.network.rules.
func routeRule(n *Node) []finding {
	const most, lastRule = 1<<31 - 1, 32765 // the kernel's own are 32766 and 32767
	var out []finding
	for _, key := range []string{"from", "to"} {
		out = append(out, checkText(n, key, networkOrAddress)...)
	}
	for _, key := range []string{"iif", "oif"} {
		out = append(out, checkText(n, key, linkName)...)
	}
	out = append(out, checkText(n, "mark", between(0, most))...)
	out = append(out, checkText(n, "priority", between(0, lastRule))...)
	out = append(out, sameFamily(n, "from", "to")...)
	switch table := textAt(n, "table"); {
	case table == "" || table == "0":
		out = append(out, wrong("table is missing: the number of the routing table to look in")...)
	default:
		out = append(out, checkText(n, "table", between(1, most))...)
	}
	selectors := []string{"from", "to", "mark", "iif", "oif"}
	if !slices.ContainsFunc(selectors, func(key string) bool { return textAt(n, key) != "" }) {
		out = append(out, doubtful("it matches every packet: from, to, mark, iif and oif are missing")...)
	}
	return out
}

// portRange checks a port or a range of ports.
func portRange(s string) string {
	first, last, isRange := strings.Cut(s, "-")
	if problem := between(1, 65535)(first); problem != "" {
		if _, err := strconv.Atoi(first); err != nil {
			return fmt.Sprintf("%s is no port; write 22 or 8000-8080", quote(s))
		}
		return problem
	}
	if !isRange {
		return ""
	}
	if problem := between(1, 65535)(last); problem != "" {
		return fmt.Sprintf("%s is no range of ports; write 8000-8080", quote(s))
	}
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(last)
	if b < a {
		return fmt.Sprintf("%s ends before it begins", s)
	}
	return ""
}

// firewallRule looks at one entry of allow as a whole.
func firewallRule(n *Node) []finding {
	ports := n.Child("ports")
	if ports.IsNull() {
		if p := textAt(n, "protocol"); p == "tcp" || p == "udp" {
			return doubtful(fmt.Sprintf("it allows every %s port: ports is missing", p))
		}
		if textAt(n, "protocol") == "" && n.Child("from").IsNull() && n.Child("interface").IsNull() {
			return doubtful("it allows every TCP port from everywhere: ports is missing")
		}
		return nil
	}
	if p := textAt(n, "protocol"); p == "icmp" || p == "any" {
		return fieldWrong("ports", fmt.Sprintf("protocol %s has no ports; use tcp or udp", p))
	}
	return nil
}
