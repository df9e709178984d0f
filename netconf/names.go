package netconf

import (
	"net/netip"
	"slices"
	"strings"
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

// merge joins configuration and leases, the latter in order of their links.
// Nameservers, search list and hostname are each the configuration's if it
// has one; otherwise nameservers and search are all leases', and the hostname
// the first lease's.
func merge(spec Spec, leases []*Lease) Names {
	n := Names{Hostname: spec.Hostname, FQDN: spec.FQDN, Nameservers: spec.Nameservers, Search: spec.Search}
	for _, l := range leases {
		if n.Hostname == "" {
			n.Hostname = cleanHostname(l.Hostname)
		}
		if len(spec.Nameservers) == 0 {
			n.Nameservers = union(n.Nameservers, l.DNS)
		}
		if len(spec.Search) == 0 {
			search := l.Search
			if len(search) == 0 {
				search = strings.Fields(l.Domain)
			}
			var clean []string
			for _, s := range search {
				if s = cleanDomain(s); s != "" {
					clean = append(clean, s)
				}
			}
			n.Search = union(n.Search, clean)
		}
	}
	if n.Hostname == "" {
		n.Hostname = DefaultHostname
	}
	return n
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
