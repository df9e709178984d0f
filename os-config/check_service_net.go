package osconfig

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// What services are reached by.

// publishedPort checks [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL].
func publishedPort(s string) string {
	ports, protocol, named := strings.Cut(s, "/")
	if named && !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return fmt.Sprintf("%s is not one of: tcp, udp, sctp", quote(protocol))
	}
	address := ""
	if i := strings.LastIndexByte(ports, ':'); i >= 0 {
		if j := strings.LastIndexByte(ports[:i], ':'); j >= 0 {
			address, ports = ports[:j], ports[j+1:]
			if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err != nil {
				return fmt.Sprintf("%s is no IP address; write [[ADDRESS:]HOST:]CONTAINER", quote(address))
			}
		}
	}
	host, container, both := strings.Cut(ports, ":")
	if !both {
		host, container = "", ports
	}
	if problem := portRange(container); problem != "" {
		return problem
	}
	if host == "" {
		return ""
	}
	if problem := portRange(host); problem != "" {
		return problem
	}
	if a, b := portCount(host), portCount(container); a != b && b != 1 {
		return fmt.Sprintf("%s: %d ports of the host for %d of the container", quote(s), a, b)
	}
	return ""
}

func portCount(s string) int {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		return 1
	}
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(last)
	return b - a + 1
}

func exposed(s string) string {
	port, protocol, named := strings.Cut(s, "/")
	if named && !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return fmt.Sprintf("%s is not one of: tcp, udp, sctp", quote(protocol))
	}
	return portRange(port)
}

func extraHost(s string) string {
	name, address, ok := strings.Cut(s, ":")
	if other, value, equals := strings.Cut(s, "="); equals {
		name, address, ok = other, value, true
	}
	address = strings.Trim(address, "[]")
	switch {
	case !ok:
		return fmt.Sprintf("%s has no address; write NAME:ADDRESS", quote(s))
	case domain(name) != "":
		return domain(name)
	case address == "host-gateway":
		return ""
	}
	return ipAddress(address)
}

// linkedService checks NAME[:ALIAS].
func linkedService(s string) string {
	name, alias, aliased := strings.Cut(s, ":")
	if problem := serviceWord(name); problem != "" {
		return problem
	}
	if aliased && !spelled(alias, "A-Za-z0-9_", "A-Za-z0-9_.-") {
		return fmt.Sprintf("%s is no alias", quote(alias))
	}
	return ""
}
