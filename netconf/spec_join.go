package netconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// joinLinks says which link belongs to which bond, bridge or VRF.
func (p *parser) joinLinks(keys []string) {
	for _, key := range keys {
		c, path := p.config.Interfaces[key], "interfaces."+key
		link := p.links[key]
		if link == nil {
			continue
		}
		if c.Bond != "" {
			p.join(path+".bond", link, p.key(c.Bond), KindBond)
		}
		if name := c.JoinsBridge(); name != "" {
			p.join(path+".bridge", link, p.key(name), KindBridge)
		}
		if link.Make == nil || !slices.Contains([]string{KindBond, KindBridge, KindVRF}, link.Make.Kind) {
			continue
		}
		for i, m := range c.Members {
			where := fmt.Sprintf("%s.members[%d]", path, i)
			if member := p.member(where, m, link.Make.Kind); member != nil {
				p.join(where, member, key, link.Make.Kind)
			}
		}
	}
}

// member is the link that members names: its entry's, or a new one. A VRF
// changes only which table a link's routes are in, so that a new member of one
// is configured as the pattern says that matches its name.
func (p *parser) member(path, reference, kind string) *LinkSpec {
	key := p.key(reference)
	if link := p.links[key]; link != nil {
		return link
	}
	match, err := ParseMatch(reference)
	if err != nil {
		p.bad(path, reference, err.Error())
		return nil
	}
	link := LinkSpec{Key: key, Match: match}
	if kind == KindVRF && match.Name != "" {
		for _, other := range p.links {
			ours := other.Match.Glob != "" && other.Match.Matches(Link{LinkID: LinkID{Name: match.Name}})
			if ours && (link.Key == key && link.Match.Glob == "" || other.Match.compare(link.Match) < 0) {
				link = *other
			}
		}
		link.Key, link.Match, link.SetName = key, match, ""
		link.Routes = slices.Clone(link.Routes) // they get another table than the pattern's
	}
	p.links[key] = &link
	return &link
}

func (p *parser) join(path string, link *LinkSpec, master, kind string) {
	m := p.links[master]
	switch {
	case m == nil || m.Make == nil || m.Make.Kind != kind: // makeLinks has said why
	case link.Master != "" && link.Master != master:
		p.bad(path, master, fmt.Sprintf("cannot have it: %s is part of %s already", link.Key, link.Master))
	default:
		link.Master = master
	}
}

// breakLoops takes apart links that are made of themselves.
func (p *parser) breakLoops() {
	members := map[string][]string{}
	var keys []string
	for key, link := range p.links {
		keys = append(keys, key)
		if link.Master != "" {
			members[link.Master] = append(members[link.Master], key)
		}
	}
	slices.Sort(keys)
	const active, done = 1, 2
	state := map[string]int{}
	var visit func(string)
	visit = func(key string) {
		link := p.links[key]
		if link == nil || state[key] != 0 {
			return
		}
		state[key] = active
		if link.Make != nil {
			if parent := link.Make.Parent; state[parent] == active {
				p.bad("interfaces."+key, parent, "is on this link itself")
				delete(p.links, key)
			} else {
				visit(parent)
			}
		}
		slices.Sort(members[key])
		for _, m := range members[key] {
			if state[m] == active {
				p.bad("interfaces."+key, m, "is made of this link itself")
				p.links[m].Master = ""
			} else {
				visit(m)
			}
		}
		state[key] = done
	}
	for _, key := range keys {
		visit(key)
	}
}

// settleMembers takes from members of bonds and bridges what only their
// master can have, and puts the routes of a VRF into its table.
func (p *parser) settleMembers() {
	for _, key := range slices.Sorted(maps.Keys(p.links)) {
		link := p.links[key]
		if master := p.links[link.Master]; link.Master == "" {
		} else if master == nil {
			link.Master = ""
		} else if master.Make.Kind == KindVRF {
			intoTable(link.Routes, master.Make.Table)
		} else if said := link.addressing(); len(said) > 0 {
			p.wrong("interfaces."+key, fmt.Sprintf("is part of %s: %s belongs there", link.Master, strings.Join(said, ", ")))
			link.DHCP, link.IPv4LL, link.Addresses, link.Gateways, link.Routes = false, false, nil, nil, nil
			link.DHCP6, link.DelegateFrom = ModeAuto, ""
		}
		if link.Make != nil && link.Make.Kind == KindVRF {
			intoTable(link.Routes, link.Make.Table)
		}
	}
	slices.SortFunc(p.below, func(a, b LinkSpec) int { return strings.Compare(a.Key, b.Key) })
}

func intoTable(routes []Route, table int) {
	for i := range routes {
		if routes[i].Table == 0 {
			routes[i].Table = table
		}
	}
}

// addressing lists the keys by which a link gets addresses and routes.
func (s *LinkSpec) addressing() []string {
	var out []string
	for _, k := range []struct {
		key   string
		there bool
	}{
		{"dhcp", s.DHCP},
		{"dhcp6", s.DHCP6 == ModeYes},
		{"ipv4ll", s.IPv4LL},
		{"address", len(s.Addresses) > 0},
		{"gateway", len(s.Gateways) > 0},
		{"routes", len(s.Routes) > 0},
		{"delegate_from", s.DelegateFrom != ""},
	} {
		if k.there {
			out = append(out, k.key)
		}
	}
	return out
}
