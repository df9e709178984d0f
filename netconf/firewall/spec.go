package firewall

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Policy is what happens to what no rule allows.
type Policy string

// Policies. Off is no table at all.
const (
	Off    Policy = ""
	Accept Policy = "accept"
	Drop   Policy = "drop"
)

// Spec is the desired firewall.
type Spec struct {
	Policy Policy
	Allow  []Rule
	// PublishedPorts makes the ports that containers publish subject to it.
	PublishedPorts bool
}

// Rule allows what meets all of its fields. An empty field is met by all.
type Rule struct {
	Protocol  string // "tcp", "udp", "icmp" (ICMP and ICMPv6), "any"
	Ports     []PortRange
	From      []netip.Prefix // masked
	Interface string         // name of a link, or its beginning and "*"
}

// PortRange is one port or several, both ends included.
type PortRange struct{ First, Last uint16 }

// FromConfig turns rancher.network.firewall into a Spec. A rule in which
// something cannot be read is left out as a whole, since half a rule would
// allow more than is written, and reported; the rest stands.
func FromConfig(c osconfig.Firewall) (Spec, []error) {
	spec := Spec{Policy: Policy(c.Policy), PublishedPorts: c.PublishedPorts}
	switch spec.Policy {
	case Off:
		return Spec{}, nil
	case Accept, Drop:
	default:
		return Spec{}, []error{fmt.Errorf("rancher.network.firewall.policy: %q is not accept or drop; nothing is filtered", c.Policy)}
	}
	var errs []error
	for i, entry := range c.Allow {
		rule, err := fromRule(entry)
		if err != nil {
			errs = append(errs, fmt.Errorf("rancher.network.firewall.allow[%d]: %w; the rule is left out", i, err))
			continue
		}
		spec.Allow = append(spec.Allow, rule)
	}
	return spec, errs
}

func fromRule(c osconfig.FirewallRule) (Rule, error) {
	rule := Rule{Protocol: strings.ToLower(c.Protocol), Interface: c.Interface}
	switch rule.Protocol {
	case "":
		rule.Protocol = "tcp"
	case "tcp", "udp", "icmp", "any":
	default:
		return Rule{}, fmt.Errorf("protocol %q is not tcp, udp, icmp or any", c.Protocol)
	}
	if len(c.Ports) > 0 && rule.Protocol != "tcp" && rule.Protocol != "udp" {
		return Rule{}, fmt.Errorf("protocol %s has no ports", rule.Protocol)
	}
	for _, s := range c.Ports {
		p, err := ParsePorts(s)
		if err != nil {
			return Rule{}, err
		}
		rule.Ports = append(rule.Ports, p)
	}
	for _, s := range c.From {
		p, err := parseNetwork(s)
		if err != nil {
			return Rule{}, err
		}
		rule.From = append(rule.From, p)
	}
	const most = 15 // IFNAMSIZ - 1
	name := strings.TrimSuffix(c.Interface, "*")
	if strings.ContainsAny(name, "*?[\\=/ \t\n") || len(name) > most {
		return Rule{}, fmt.Errorf("interface %q: the kernel's filter knows a link's name (eth0) or its beginning (eth*)", c.Interface)
	}
	return rule, nil
}

// ParsePorts reads "22" or "8000-8080".
func ParsePorts(s string) (PortRange, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	b, errB := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if errA != nil || errB != nil || a == 0 || b < a {
		return PortRange{}, fmt.Errorf("%q is no port and no range of ports like 8000-8080", s)
	}
	return PortRange{uint16(a), uint16(b)}, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no network like 192.0.2.0/24", s)
	}
	return p.Masked(), nil
}

// String prints the ports as they are written.
func (p PortRange) String() string {
	if p.First == p.Last {
		return strconv.Itoa(int(p.First))
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// String prints the rule as a sentence's end: "tcp 22, 8000-8080 from
// 192.0.2.0/24 on eth0".
func (r Rule) String() string {
	s := r.Protocol
	if len(r.Ports) > 0 {
		s += " " + list(r.Ports)
	}
	if len(r.From) > 0 {
		s += " from " + list(r.From)
	}
	if r.Interface != "" {
		s += " on " + r.Interface
	}
	return s
}

func list[T fmt.Stringer](values []T) string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return strings.Join(out, ", ")
}

// Lines describes the firewall for people, a line each.
func (s Spec) Lines() []string {
	if s.Policy == Off {
		return []string{"firewall off"}
	}
	lines := []string{"firewall policy " + string(s.Policy)}
	if s.PublishedPorts {
		lines[0] += ", also for published container ports"
	}
	for _, r := range s.Allow {
		lines = append(lines, "firewall allow "+r.String())
	}
	return lines
}
