package netconf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// DefaultDHCPTimeout is how long a link may be without a lease before that
// counts as a problem.
const DefaultDHCPTimeout = 30 * time.Second

// Spec is the desired state of the network.
type Spec struct {
	Links       []LinkSpec // by precedence: the first that matches a link is its own
	Rules       []Rule
	Hostname    string // empty: a lease's, else DefaultHostname
	FQDN        string // with its domain; may be empty
	Nameservers []netip.Addr
	Search      []string
	DHCPTimeout time.Duration
	// PreCmds run once before the first link is configured, PostCmds after
	// all have been; each is an argument vector.
	PreCmds, PostCmds [][]string
	// LinkLocal gives links without a lease a link-local address meanwhile.
	// It does not make the machine online.
	LinkLocal bool
}

// LinkSpec is the desired state of the links that Match matches.
type LinkSpec struct {
	Key     string // of rancher.network.interfaces, for messages and references
	Match   Match
	Make    *Device // the link is made when it is missing; nil: it comes from elsewhere
	SetName string  // new name; empty leaves it
	Master  string  // key or name of the bond, bridge or VRF that it belongs to

	Down     bool // up: false
	Optional bool // "online" does not wait for it
	MTU      int  // bytes; 0: the lease's, else unchanged
	MAC      string
	Hardware Hardware

	DHCP        bool
	DHCPOptions DHCPOptions
	DHCP6       Mode  // ModeAuto: as advertisements say
	AcceptRA    *bool // nil leaves it to what the link is: not on members of a bond or bridge
	Privacy     bool
	IPv4LL      bool // an address of RFC 3927 while there is no other
	Addresses   []netip.Prefix
	Gateways    []netip.Addr
	Metric      int     // of its default routes; 0 is by order of links
	Routes      []Route // Link is filled in
	// DelegateFrom is the link whose delegated prefix (DHCPv6, IA_PD) this one
	// takes its first address from, by key or name.
	DelegateFrom string
	Nameservers  []netip.Addr
	Search       []string

	PreUp, PostUp [][]string // argument vectors; $iface is the link's name
	WifiNetwork   string     // key of wifi_networks
}

// Mode is whether something is done.
type Mode int

// Modes.
const (
	ModeAuto Mode = iota
	ModeYes
	ModeNo
)

// DHCPOptions says what is sent to a DHCP server and which of its answers
// count.
type DHCPOptions struct {
	ClientID    []byte // option 61; nil: the hardware address
	VendorClass string // option 60
	Hostname    string // option 12; empty: the machine's
	// What an answer is not used for.
	IgnoreDNS, IgnoreDomains, IgnoreRoutes, IgnoreMTU, IgnoreNTP, IgnoreHostname bool
}

// static tells whether the link has anything to do besides asking DHCP.
func (s LinkSpec) static() bool { return len(s.Addresses) > 0 }

// FromConfig turns rancher.network into a Spec, without the hostname, which
// is not part of that section. A bad value is left out and reported; the rest
// stands. Without interfaces every eth* and en* is configured by DHCP.
func FromConfig(c osconfig.Network) (Spec, []error) {
	var p parser
	spec := Spec{DHCPTimeout: DefaultDHCPTimeout}
	switch {
	case c.DHCPTimeout > 0:
		spec.DHCPTimeout = time.Duration(c.DHCPTimeout) * time.Second
	case c.DHCPTimeout < 0:
		p.bad("dhcp_timeout", fmt.Sprint(c.DHCPTimeout), "is negative")
	}
	for i, s := range c.DNS.Nameservers {
		if a, ok := p.addr(fmt.Sprintf("dns.nameservers[%d]", i), s); ok && !slices.Contains(spec.Nameservers, a) {
			spec.Nameservers = append(spec.Nameservers, a)
		}
	}
	for i, s := range c.DNS.Search {
		if name := cleanDomain(s); name == "" {
			p.bad(fmt.Sprintf("dns.search[%d]", i), s, "is not a domain name")
		} else if !slices.Contains(spec.Search, name) {
			spec.Search = append(spec.Search, name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Interfaces)) {
		if link, ok := p.link(key, c.Interfaces[key]); ok {
			spec.Links = append(spec.Links, link)
		}
	}
	if len(c.Interfaces) == 0 {
		for _, key := range []string{"en*", "eth*"} {
			spec.Links = append(spec.Links, LinkSpec{Key: key, Match: Match{Glob: key}, DHCP: true})
		}
	}
	slices.SortStableFunc(spec.Links, func(a, b LinkSpec) int { return a.Match.compare(b.Match) })
	return spec, p.errs
}

// parser collects what is wrong in a section.
type parser struct{ errs []error }

func (p *parser) bad(path, value, what string) {
	p.errs = append(p.errs, fmt.Errorf("rancher.network.%s: %q %s", path, value, what))
}

func (p *parser) addr(path, s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		p.bad(path, s, "is not the address of a host")
		return a, false
	}
	return a.Unmap(), true
}

func (p *parser) prefix(path, s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		p.bad(path, s, fmt.Sprintf("lacks its prefix length: write %s/24 or whatever it is", a))
		return netip.Prefix{}, false
	}
	pre, err := netip.ParsePrefix(s)
	if err != nil || pre.Addr().IsUnspecified() || pre.Addr().IsMulticast() {
		p.bad(path, s, "is not an address with a prefix length")
		return netip.Prefix{}, false
	}
	return pre, true
}

func (p *parser) link(key string, c osconfig.Interface) (LinkSpec, bool) {
	path := "interfaces." + key
	pattern := key
	if c.Match != "" {
		pattern = c.Match
	}
	match, err := ParseMatch(pattern)
	if err != nil {
		p.bad(path, pattern, err.Error())
		return LinkSpec{}, false
	}
	link := LinkSpec{Key: key, Match: match, DHCP: c.DHCP != nil && *c.DHCP}
	addresses := c.Addresses
	if c.Address != "" {
		addresses = slices.Insert(slices.Clone(addresses), 0, c.Address)
	}
	for _, s := range addresses {
		if pre, ok := p.prefix(path+".address", s); ok && !slices.Contains(link.Addresses, pre) {
			link.Addresses = append(link.Addresses, pre)
		}
	}
	for _, gw := range [][2]string{{"gateway", c.Gateway}, {"gateway_ipv6", c.GatewayIPv6}} {
		if gw[1] == "" {
			continue
		}
		if a, ok := p.addr(path+"."+gw[0], gw[1]); ok && !slices.Contains(link.Gateways, a) {
			link.Gateways = append(link.Gateways, a)
		}
	}
	if c.MTU != 0 && (c.MTU < 68 || c.MTU > 65536) {
		p.bad(path+".mtu", fmt.Sprint(c.MTU), "is not between 68 and 65536 bytes")
	} else {
		link.MTU = c.MTU
	}
	return link, true
}
