package netconf

import (
	"cmp"
	"net/netip"
	"slices"
)

// graph is a specification laid over the links that are there: which link is
// whose, and what refers to what.
type graph struct {
	spec    Spec
	links   []Link
	members []*member // in order of index, then those that are made, in order of Spec.Links
}

// member is a link with its specification.
type member struct {
	link  Link // without an index: it is to be made
	spec  LinkSpec
	place int // of spec among Spec.Links
}

func newGraph(spec Spec, links []Link) *graph {
	g := &graph{spec: spec, links: links}
	owner := assign(spec.Links, links)
	made := make(map[int]Link)
	for _, l := range links {
		i, ok := owner[l.Index]
		switch {
		case ok && spec.Links[i].Make != nil:
			made[i] = l
		case ok:
			g.members = append(g.members, &member{link: l, spec: spec.Links[i], place: i})
		}
	}
	for i, s := range spec.Links {
		if s.Make == nil {
			continue
		}
		l, there := made[i]
		if !there {
			l = Link{LinkID: LinkID{Name: cmp.Or(s.SetName, s.Match.Name, s.Key)}, Kind: s.Make.Kind}
		}
		g.members = append(g.members, &member{link: l, spec: s, place: i})
	}
	g.followDown()
	return g
}

// followDown lets what is on a link that is to be down be down, too: the
// kernel refuses anything else.
func (g *graph) followDown() {
	for changed := true; changed; {
		changed = false
		for _, m := range g.members {
			if _, on := g.find(m.parent()); on != nil && on.spec.Down && !m.spec.Down {
				m.spec.Down, changed = true, true
			}
		}
	}
}

// find is the link that a reference means: by key of a specification (of
// several links the first), else by name.
func (g *graph) find(ref string) (Link, *member) {
	if ref == "" {
		return Link{}, nil
	}
	for _, m := range g.members {
		if m.spec.Key == ref {
			return m.link, m
		}
	}
	for _, m := range g.members {
		if m.name() == ref {
			return m.link, m
		}
	}
	for _, l := range g.links {
		if l.Name == ref {
			return l, nil
		}
	}
	return Link{}, nil
}

// name is the name of the link that a reference means, after renaming; the
// reference itself if there is none.
func (g *graph) name(ref string) string {
	l, m := g.find(ref)
	if m != nil {
		return m.name()
	}
	return cmp.Or(l.Name, ref)
}

// name is the one that the link is to have.
func (m *member) name() string { return cmp.Or(m.spec.SetName, m.link.Name) }

// device is what the link is made as; nil if it is not made.
func (g *graph) device(s LinkSpec) *Device {
	if s.Make == nil {
		return nil
	}
	d := *s.Make
	d.Parent = g.name(d.Parent)
	return &d
}

// kind is the kind of the link that a reference means.
func (g *graph) kind(ref string) string {
	l, m := g.find(ref)
	if m != nil && m.spec.Make != nil {
		return m.spec.Make.Kind
	}
	return l.Kind
}

// passive tells whether the link only belongs to a bond or bridge: then it
// has nothing of its own.
func (g *graph) passive(s LinkSpec) bool {
	return s.Master != "" && g.kind(s.Master) != KindVRF
}

// acceptRA tells whether router advertisements count.
func (g *graph) acceptRA(s LinkSpec) bool {
	if s.AcceptRA != nil {
		return *s.AcceptRA
	}
	return !g.passive(s)
}

// table is the routing table of a link: the VRF's that it is or belongs to;
// 0 is main.
func (g *graph) table(s LinkSpec) int {
	if s.Make != nil && s.Make.Kind == KindVRF {
		return s.Make.Table
	}
	l, m := g.find(s.Master)
	switch {
	case m != nil && m.spec.Make != nil && m.spec.Make.Kind == KindVRF:
		return m.spec.Make.Table
	case l.Kind == KindVRF:
		return l.Device.Table
	}
	return 0
}

// bare lists the links that something is made on and that nobody configures.
func (g *graph) bare() []Link {
	var links []Link
	for _, m := range g.members {
		if m.spec.Make == nil || m.spec.Down {
			continue
		}
		if l, p := g.find(m.spec.Make.Parent); p == nil && l.Index != 0 {
			seen := false
			for _, o := range links {
				seen = seen || o.Index == l.Index
			}
			if !seen {
				links = append(links, l)
			}
		}
	}
	return links
}

// expects tells whether there is an address that the link is to get.
func (g *graph) expects(s LinkSpec) bool {
	return !s.Down && !g.passive(s) &&
		(s.DHCP || s.DHCP6 == ModeYes || s.IPv4LL || len(s.Addresses) > 0 || s.DelegateFrom != "")
}

// delegated gives each link that refers to another's delegated prefix the
// first address of a /64 of it: the first link the first, and so on.
func (g *graph) delegated(of func(*member) *Lease6) map[string]netip.Prefix {
	out := make(map[string]netip.Prefix)
	count := make(map[string]int)
	members := slices.Clone(g.members)
	slices.SortStableFunc(members, func(a, b *member) int { return cmp.Compare(a.place, b.place) })
	for _, m := range members {
		if m.spec.DelegateFrom == "" {
			continue
		}
		source := g.name(m.spec.DelegateFrom)
		n := count[source]
		count[source]++
		_, from := g.find(m.spec.DelegateFrom)
		if from == nil {
			continue
		}
		if lease := of(from); lease != nil && len(lease.Prefixes) > 0 {
			if p, ok := subnet(lease.Prefixes[0].Prefix, n); ok {
				out[m.name()] = p
			}
		}
	}
	return out
}

// subnet is the first address of the n-th /64 of a prefix; false if the prefix
// is too small.
func subnet(p netip.Prefix, n int) (netip.Prefix, bool) {
	bits := 64 - p.Bits()
	if !p.IsValid() || !p.Addr().Is6() || bits < 0 || bits < 31 && n >= 1<<bits {
		return netip.Prefix{}, false
	}
	a := p.Masked().Addr().As16()
	for i := 7; n > 0; i-- { // bits that are free are 0
		a[i] |= byte(n)
		n >>= 8
	}
	a[15] = 1
	return netip.PrefixFrom(netip.AddrFrom16(a), 64), true
}

// has tells whether a specification has a link, or will have one made.
func (g *graph) has(place int) bool {
	return slices.ContainsFunc(g.members, func(m *member) bool { return m.place == place })
}

// parent is what the link is made on, as the configuration refers to it.
func (m *member) parent() string {
	if m.spec.Make == nil {
		return ""
	}
	return m.spec.Make.Parent
}

// needsCarrier tells whether there is anything that could give the link a
// carrier: a bridge that nothing belongs to has none and works.
func (g *graph) needsCarrier(p *port) bool {
	return p.link.Kind != KindBridge || slices.ContainsFunc(g.members, func(m *member) bool {
		return m.spec.Master != "" && g.name(m.spec.Master) == p.link.Name
	})
}
