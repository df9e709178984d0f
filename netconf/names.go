package netconf

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// DefaultHostname is the machine's name when nobody gives it one.
const DefaultHostname = "pharos"

// Names is what the resolver's files are made of.
type Names struct {
	Hostname    string
	FQDN        string // with its domain; may be empty
	Nameservers []netip.Addr
	Search      []string
}

// equal compares two Names.
func (n Names) equal(o Names) bool {
	return n.Hostname == o.Hostname && n.FQDN == o.FQDN && slices.Equal(n.Nameservers, o.Nameservers) && slices.Equal(n.Search, o.Search)
}

// NameWriter makes names known to the machine. Writing the same names twice
// is no error.
type NameWriter interface {
	Write(Names) error
}

// source is what one link has to say about names.
type source struct {
	spec    LinkSpec
	carrier bool
	lease   *Lease  // also one that is not confirmed yet; nil: none
	lease6  *Lease6 // nil: none
	servers []netip.Addr
	domains []string // these two as routers advertise them
}

// nameservers are the link's: of the configuration, of leases, of routers.
func (s source) nameservers() []netip.Addr {
	var told []netip.Addr
	if !s.spec.DHCPOptions.IgnoreDNS {
		if s.lease != nil {
			told = append(told, s.lease.DNS...)
		}
		if s.lease6 != nil {
			told = append(told, s.lease6.DNS...)
		}
	}
	told = slices.DeleteFunc(append(told, s.servers...), func(a netip.Addr) bool { return !host(a) })
	return union(s.spec.Nameservers, told)
}

// search is the link's, in the same order. What came over the wire counts only
// if it is a domain name.
func (s source) search() []string {
	var told []string
	if !s.spec.DHCPOptions.IgnoreDomains {
		if s.lease != nil {
			told = append(told, s.lease.Search...)
			if len(s.lease.Search) == 0 {
				told = strings.Fields(s.lease.Domain)
			}
		}
		if s.lease6 != nil {
			told = append(told, s.lease6.Search...)
		}
	}
	list := s.spec.Search
	for _, d := range append(told, s.domains...) {
		if d = cleanDomain(d); d != "" {
			list = union(list, []string{d})
		}
	}
	return list
}

// merge joins the configuration and what links have to say, in their order.
// Nameservers, search list and hostname are each the configuration's if it has
// one; otherwise nameservers and search are all links', and the hostname the
// first lease's that has one. Name servers of links without a carrier come
// last: nobody may reach them by another link, and each costs a wait.
func merge(spec Spec, links []source) Names {
	n := Names{Hostname: spec.Hostname, FQDN: spec.FQDN, Nameservers: spec.Nameservers, Search: spec.Search}
	for _, l := range links {
		if n.Hostname == "" && l.lease != nil && !l.spec.DHCPOptions.IgnoreHostname {
			n.Hostname = cleanHostname(l.lease.Hostname)
		}
		if len(spec.Nameservers) == 0 && l.carrier {
			n.Nameservers = union(n.Nameservers, l.nameservers())
		}
		if len(spec.Search) == 0 {
			n.Search = union(n.Search, l.search())
		}
	}
	for _, l := range links {
		if len(spec.Nameservers) == 0 && !l.carrier {
			n.Nameservers = union(n.Nameservers, l.nameservers())
		}
	}
	if n.Hostname == "" {
		n.Hostname = DefaultHostname
	}
	return n
}

// sources are those of all links that are not down.
func (m *Manager) sources(now time.Time) []source {
	var out []source
	for _, mb := range m.graph.members {
		if p := m.ports[mb.link.Index]; p != nil && !p.spec.Down {
			out = append(out, p.source(now))
		}
	}
	return out
}

func (p *port) source(now time.Time) source {
	s := source{spec: p.spec, carrier: p.link.Carrier, lease: cmp.Or(p.lease, p.adopted), lease6: p.lease6}
	s.servers, s.domains, _ = p.advertised(now)
	return s
}

func union[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// cleanHostname returns the name if it may be written into files, else "".
// A lease is not to be trusted with line breaks.
func cleanHostname(s string) string {
	s = strings.TrimSuffix(strings.TrimRight(s, "\x00"), ".")
	if s == "" || len(s) > 64 || s == "localhost" || strings.HasPrefix(s, "localhost.") { // HOST_NAME_MAX
		return ""
	}
	return cleanDomain(s)
}

// cleanDomain returns the domain name without its final dot, or "" if it is
// none (RFC 1123, underscores allowed).
func cleanDomain(s string) string {
	s = strings.TrimSuffix(strings.TrimRight(s, "\x00"), ".")
	if s == "" || len(s) > 253 {
		return ""
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return ""
		}
		for _, c := range []byte(label) {
			if !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
				return ""
			}
		}
	}
	return s
}
