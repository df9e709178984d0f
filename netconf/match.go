package netconf

import (
	"cmp"
	"errors"
	"net"
	"path"
	"strings"
)

// Match selects links. Exactly one field is set.
type Match struct {
	MAC    string // permanent hardware address, lower case, may be a glob
	Name   string
	Path   string // as udev's ID_PATH, may be a glob: "pci-0000:00:03.0"
	Driver string // may be a glob: "virtio_net"
	Glob   string // of names
}

// ParseMatch reads a key of rancher.network.interfaces: an exact name, a glob
// or "mac=" and a hardware address.
func ParseMatch(s string) (Match, error) {
	if mac, ok := strings.CutPrefix(s, "mac="); ok {
		mac = strings.ToLower(strings.ReplaceAll(mac, "-", ":"))
		if _, err := net.ParseMAC(mac); err != nil && !strings.ContainsAny(mac, "*?") {
			return Match{}, errors.New("is not a hardware address")
		}
		if _, err := path.Match(mac, ""); err != nil {
			return Match{}, errors.New("is not a pattern")
		}
		return Match{MAC: mac}, nil
	}
	if s == "" || strings.ContainsAny(s, "/ \t\n") {
		return Match{}, errors.New("is not a link name")
	}
	if strings.ContainsAny(s, "*?[") {
		if _, err := path.Match(s, ""); err != nil {
			return Match{}, errors.New("is not a pattern")
		}
		return Match{Glob: s}, nil
	}
	if len(s) > 15 { // IFNAMSIZ - 1
		return Match{}, errors.New("is longer than a link name can be, 15 bytes")
	}
	return Match{Name: s}, nil
}

// compare orders by precedence: MAC, name, glob; the longer pattern first.
func (m Match) compare(o Match) int {
	rank := func(m Match) int {
		switch {
		case m.MAC != "":
			return 0
		case m.Name != "":
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(m), rank(o)),
		cmp.Compare(len(o.Glob)+len(o.MAC), len(m.Glob)+len(m.MAC)))
}

// many tells whether it may match any number of links, none included.
func (m Match) many() bool { return m.Glob != "" || strings.ContainsAny(m.MAC, "*?[") }

// Matches tells whether the link is selected. A MAC address selects the
// hardware alone, never a VLAN or bridge that has inherited it.
func (m Match) Matches(l Link) bool {
	switch {
	case m.Name != "":
		return l.Name == m.Name
	case l.Loopback || foreign(l.Name):
		return false
	case m.MAC != "":
		mac := l.PermMAC
		if mac == "" && !stacked(l.Kind) {
			mac = l.MAC
		}
		ok, _ := path.Match(m.MAC, mac)
		return ok
	}
	ok, _ := path.Match(m.Glob, l.Name)
	return ok
}

// stacked tells whether links of this kind get their MAC address from others.
func stacked(kind string) bool {
	switch kind {
	case "bond", "bridge", "vlan", "macvlan", "macvtap", "ipvlan", "team":
		return true
	}
	return false
}

// String says what is looked for, to follow "no link".
func (m Match) String() string {
	switch {
	case m.MAC != "":
		return "has the MAC address " + m.MAC
	case m.Name != "":
		return "is named " + m.Name
	}
	return "matches " + m.Glob
}

// assign gives each link the first spec that matches it; the map's key is the
// link's index, its value an index into specs.
func assign(specs []LinkSpec, links []Link) map[int]int {
	owner := make(map[int]int)
	for _, l := range links {
		for i, s := range specs {
			if s.Match.Matches(l) {
				owner[l.Index] = i
				break
			}
		}
	}
	return owner
}
