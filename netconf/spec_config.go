package netconf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// FromConfig turns rancher.network into a Spec, without the hostname, which
// is not part of that section. A bad value is left out and reported; the rest
// stands. Without interfaces every eth* and en* is configured by DHCP.
func FromConfig(c osconfig.Network) (Spec, []error) {
	p := parser{config: c, links: map[string]*LinkSpec{}}
	spec := Spec{DHCPTimeout: DefaultDHCPTimeout}
	switch {
	case c.DHCPTimeout > 0:
		spec.DHCPTimeout = time.Duration(c.DHCPTimeout) * time.Second
	case c.DHCPTimeout < 0:
		p.bad("dhcp_timeout", fmt.Sprint(c.DHCPTimeout), "is negative")
	}
	spec.Nameservers, spec.Search = p.dns("dns", c.DNS)
	spec.PreCmds = p.commands("pre_cmds", c.PreCmds)
	spec.PostCmds = p.commands("post_cmds", c.PostCmds)
	spec.Links = p.linkSpecs()
	spec.Rules = p.rules(c.Rules)
	return spec, p.errs
}

// parser turns a section into a Spec and collects what is wrong in it.
type parser struct {
	config osconfig.Network
	links  map[string]*LinkSpec // by key
	byName map[string]string    // keys by names of links; nil before the first reference
	// below are links that others are on and that no entry is about: they
	// have to be up, and any pattern that matches them says more.
	below []LinkSpec
	errs  []error
}

func (p *parser) bad(path, value, what string) {
	p.errs = append(p.errs, fmt.Errorf("rancher.network.%s: %q %s", path, value, what))
}

// wrong reports what is no single value's fault, or a secret's.
func (p *parser) wrong(path, what string) {
	p.errs = append(p.errs, fmt.Errorf("rancher.network.%s %s", path, what))
}

// linkSpecs makes the links of all entries, in order of precedence.
func (p *parser) linkSpecs() []LinkSpec {
	keys := slices.Sorted(maps.Keys(p.config.Interfaces))
	for _, key := range keys {
		if link, ok := p.link(key, p.config.Interfaces[key]); ok {
			p.links[key] = &link
		}
	}
	if len(keys) == 0 {
		for _, key := range []string{"en*", "eth*"} {
			p.links[key] = &LinkSpec{Key: key, Match: Match{Glob: key}, DHCP: true}
		}
	}
	p.makeLinks(keys)
	p.joinLinks(keys)
	p.breakLoops()
	p.settleMembers()
	var links []LinkSpec
	for _, key := range slices.Sorted(maps.Keys(p.links)) {
		links = append(links, *p.links[key])
	}
	slices.SortStableFunc(links, func(a, b LinkSpec) int { return a.Match.compare(b.Match) })
	return append(links, p.below...)
}

// dns reads name servers and search domains, each once.
func (p *parser) dns(path string, c osconfig.DNS) (servers []netip.Addr, search []string) {
	for i, s := range c.Nameservers {
		if a, ok := p.addr(fmt.Sprintf("%s.nameservers[%d]", path, i), s); ok && !slices.Contains(servers, a) {
			servers = append(servers, a)
		}
	}
	for i, s := range c.Search {
		if name := cleanDomain(s); name == "" {
			p.bad(fmt.Sprintf("%s.search[%d]", path, i), s, "is not a domain name")
		} else if !slices.Contains(search, name) {
			search = append(search, name)
		}
	}
	return servers, search
}

func (p *parser) addr(path, s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		p.bad(path, s, "is not the address of a host")
		return a, false
	}
	return a.Unmap(), true
}

// prefix reads an address with its prefix length.
func (p *parser) prefix(path, s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		p.bad(path, s, fmt.Sprintf("lacks its prefix length: write %s/24 or whatever it is", a))
		return netip.Prefix{}, false
	}
	pre, err := netip.ParsePrefix(s)
	if err != nil || pre.Addr().IsUnspecified() || pre.Addr().IsMulticast() || pre.Addr().Is4In6() {
		p.bad(path, s, "is not an address with a prefix length")
		return netip.Prefix{}, false
	}
	return pre, true
}

// network reads a network, or an address for one with a single machine.
func (p *parser) network(path, s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	pre, err := netip.ParsePrefix(s)
	if err != nil || pre.Addr().Is4In6() {
		p.bad(path, s, "is not a network, like 10.0.0.0/8")
		return netip.Prefix{}, false
	}
	if pre != pre.Masked() {
		p.bad(path, s, fmt.Sprintf("is an address in a network; the network is %s", pre.Masked()))
		return netip.Prefix{}, false
	}
	return pre, true
}

// number returns a number within bounds; others are reported and count as 0.
func (p *parser) number(path string, n, low, high int, unit string) int {
	if n != 0 && (n < low || n > high) {
		p.bad(path, fmt.Sprint(n), fmt.Sprintf("is not between %d and %d%s", low, high, unit))
		return 0
	}
	return n
}
