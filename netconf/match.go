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

// ParseMatch reads a key of rancher.network.interfaces: an exact name, a glob,
// or "mac=", "path=" or "driver=" and a value or glob.
func ParseMatch(s string) (Match, error) {
	by, value, ok := strings.Cut(s, "=")
	if !ok {
		if strings.ContainsAny(s, `*?[\`) {
			return Match{Glob: s}, validPattern(s, "/: \t\n")
		}
		return Match{Name: s}, validName(s)
	}
	switch by {
	case "mac":
		return parseMAC(value)
	case "path":
		return Match{Path: value}, validPattern(value, "/ \t\n")
	case "driver":
		return Match{Driver: value}, validPattern(value, "/ \t\n")
	}
	return Match{}, errors.New("is nothing to match by: mac=, driver=, path=, a name or a glob")
}

// parseMAC reads a hardware address or a pattern of such, with hyphens or
// colons. Between brackets a hyphen is part of the pattern.
func parseMAC(s string) (Match, error) {
	if mac, err := net.ParseMAC(s); err == nil {
		return Match{MAC: mac.String()}, nil
	}
	if !wild(s) {
		return Match{}, errors.New("is not a hardware address")
	}
	pattern, brackets := []byte(strings.ToLower(s)), false
	for i, c := range pattern {
		switch {
		case c == '[':
			brackets = true
		case c == ']':
			brackets = false
		case c == '-' && !brackets:
			pattern[i] = ':'
		case !strings.ContainsRune("0123456789abcdef:*?-^", rune(c)):
			return Match{}, errors.New("is not a pattern of hardware addresses")
		}
	}
	return Match{MAC: string(pattern)}, validPattern(string(pattern), "")
}

func wild(s string) bool { return strings.ContainsAny(s, `*?[\`) }

// validPattern checks a glob that is matched against one thing.
func validPattern(s, without string) error {
	if _, err := path.Match(s, ""); err != nil || s == "" || strings.ContainsAny(s, without) {
		return errors.New("is not a pattern")
	}
	return nil
}

// validName checks the name of a link that may be there (dev_valid_name in
// the kernel's net/core/dev.c).
func validName(s string) error {
	const most = 15 // IFNAMSIZ - 1
	switch {
	case s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n\v\f\r\x00"):
		return errors.New("is not a link name")
	case len(s) > most:
		return errors.New("is longer than a link name can be, 15 bytes")
	}
	return nil
}

// newName checks the name that a link is given. A percent sign would be a
// number for the kernel to fill in.
func newName(s string) error {
	if strings.ContainsAny(s, "%=") || wild(s) || s == "lo" {
		return errors.New("is not a name to give to a link")
	}
	return validName(s)
}

// rank is the place in the order of precedence: an exact MAC address, an
// exact name, a path, a driver, a pattern of MAC addresses, one of names.
func (m Match) rank() int {
	switch {
	case m.MAC != "" && !wild(m.MAC):
		return 0
	case m.Name != "":
		return 1
	case m.Path != "":
		return 2
	case m.Driver != "":
		return 3
	case m.MAC != "":
		return 4
	}
	return 5
}

// compare orders by precedence; of one rank the longer pattern is first.
func (m Match) compare(o Match) int {
	length := func(m Match) int { return len(m.MAC) + len(m.Path) + len(m.Driver) + len(m.Glob) }
	return cmp.Or(cmp.Compare(m.rank(), o.rank()), cmp.Compare(length(o), length(m)))
}

// many tells whether it may match any number of links, none included.
func (m Match) many() bool {
	return m.Name == "" && (m.MAC == "" || wild(m.MAC)) && (m.Path == "" || wild(m.Path))
}

// Matches tells whether the link is selected. A MAC address selects the
// hardware alone, never a VLAN or bridge that has inherited it.
func (m Match) Matches(l Link) bool {
	if m.Name != "" {
		return l.Name == m.Name
	}
	if l.Loopback || foreign(l.Name) {
		return false
	}
	switch {
	case m.MAC != "":
		mac := l.PermMAC
		if mac == "" && !stacked(l.Kind) {
			mac = l.MAC
		}
		return globbed(m.MAC, mac)
	case m.Path != "":
		return globbed(m.Path, l.Path)
	case m.Driver != "":
		return globbed(m.Driver, l.Driver)
	}
	return globbed(m.Glob, l.Name)
}

// globbed matches what is known; nothing matches what is not.
func globbed(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil && s != ""
}

// stacked tells whether links of this kind get their MAC address from others.
func stacked(kind string) bool {
	switch kind {
	case KindBond, KindBridge, KindVLAN, KindMacvlan, KindIPvlan, "macvtap", "ipvtap", "team", "macsec", "hsr":
		return true
	}
	return false
}

// SharesMAC tells whether the link may have its hardware address from another
// one, which then has the same.
func (l Link) SharesMAC() bool { return l.PermMAC == "" && stacked(l.Kind) }

// String says what is looked for, to follow "no link".
func (m Match) String() string {
	switch {
	case m.MAC != "":
		return "has the MAC address " + m.MAC
	case m.Name != "":
		return "is named " + m.Name
	case m.Path != "":
		return "is at " + m.Path
	case m.Driver != "":
		return "has the driver " + m.Driver
	}
	return "matches " + m.Glob
}

// assign gives each link the first spec that is about it; the map's key is the
// link's index, its value an index into specs.
func assign(specs []LinkSpec, links []Link) map[int]int {
	owner := make(map[int]int)
	for _, l := range links {
		for i, s := range specs {
			if s.about(l) {
				owner[l.Index] = i
				break
			}
		}
	}
	return owner
}

// about tells whether the spec is about the link: it matches, or it has done
// so until it gave the link its new name.
func (s LinkSpec) about(l Link) bool {
	byName := s.Match.Name != "" || s.Match.Glob != ""
	return s.Match.Matches(l) || byName && s.SetName != "" && s.SetName == l.Name && !l.Loopback
}
