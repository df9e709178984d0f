package netconf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// wanted is a link that is made because an entry says so, its own or another.
type wanted struct {
	key  string // of the link's own entry; its name, if it has none
	path string // of what asks for it, for messages
	kind string
	// Of a VLAN that its parent's entry asks for.
	parent string
	id     int
}

// makeLinks finds out which links are made and gives them a Device. RancherOS
// says what a link is in other entries: "bond: bond0" makes bond0 a bond,
// which may have an entry with bond_opts and addresses, or none.
func (p *parser) makeLinks(keys []string) {
	all := map[string]wanted{}
	var order []string
	want := func(w wanted) {
		w.key = p.key(w.key)
		if have, ok := all[w.key]; !ok {
			all[w.key] = w
			order = append(order, w.key)
		} else if have.kind != w.kind || have.parent != w.parent && w.parent != "" || have.id != w.id && w.id != 0 {
			p.bad(w.path, w.key, fmt.Sprintf("is a %s, as %s says", have.kind, have.path))
		}
	}
	for _, key := range keys {
		if kind := declared(p.config.Interfaces[key]); kind != "" && p.links[key] != nil {
			want(wanted{key: key, path: "interfaces." + key, kind: kind})
		}
	}
	for _, key := range keys {
		c := p.config.Interfaces[key]
		if p.links[key] == nil {
			continue
		}
		where := "interfaces." + key
		if c.Bond != "" {
			want(wanted{key: c.Bond, path: where + ".bond", kind: KindBond})
		}
		if name := c.JoinsBridge(); name != "" {
			want(wanted{key: name, path: where + ".bridge", kind: KindBridge})
		}
		for _, w := range p.vlans(key, c) {
			want(w)
		}
	}
	for _, key := range order {
		p.make(all[key])
	}
}

// declared is what an entry itself says that its link is.
func declared(c osconfig.Interface) string {
	switch {
	case c.Type != "":
		return c.Type
	case c.IsBridge():
		return KindBridge
	case len(c.BondOpts) > 0:
		return KindBond
	}
	return ""
}

// key is the key of the entry that a reference means: one of that key, or one
// whose link has that name. Without such an entry it is the reference itself.
func (p *parser) key(reference string) string {
	if p.links[reference] != nil {
		return reference
	}
	if p.byName == nil {
		p.byName = map[string]string{}
		for key, link := range p.links {
			for _, name := range []string{link.SetName, link.Match.Name} {
				if other, ok := p.byName[name]; name != "" && (!ok || key < other) {
					p.byName[name] = key
				}
			}
		}
	}
	if key, ok := p.byName[reference]; ok {
		return key
	}
	return reference
}

// vlans reads the VLANs on a link. RancherOS calls them LINK.ID unless they
// have a name of their own.
func (p *parser) vlans(key string, c osconfig.Interface) []wanted {
	where := "interfaces." + key + ".vlans"
	list, err := c.VLANList()
	if err != nil {
		p.bad(where, c.VLANs, err.Error())
	}
	var out []wanted
	for _, v := range list {
		w := wanted{key: v.Name, path: where, kind: KindVLAN, parent: key, id: v.ID}
		base := p.links[key]
		switch {
		case v.Name != "":
		case base.name() != "":
			w.key = fmt.Sprintf("%s.%d", base.name(), v.ID)
		default:
			out = append(out, p.vlansOfUnnamed(w)...)
			continue
		}
		out = append(out, w)
	}
	return out
}

// vlansOfUnnamed finds the names of a VLAN on a link whose own name is not
// known before it is there: an entry eth0.100 says it.
func (p *parser) vlansOfUnnamed(w wanted) []wanted {
	glob := p.links[w.parent].Match.Glob
	var out []wanted
	for key, link := range p.links {
		name, ok := strings.CutSuffix(key, fmt.Sprintf(".%d", w.id))
		if !ok || name == "" || link.Match.Name != key || declared(p.config.Interfaces[key]) != "" {
			continue
		}
		found := w
		found.key = key
		if glob != "" {
			if hit, err := path.Match(glob, name); err != nil || !hit {
				continue
			}
			found.parent = name
		}
		out = append(out, found)
	}
	slices.SortFunc(out, func(a, b wanted) int { return strings.Compare(a.key, b.key) })
	switch {
	case len(out) > 0 && glob == "":
		return out[:1] // of one link there is one
	case len(out) == 0 && glob == "":
		w.key = fmt.Sprintf("vlan%d", w.id)
		return []wanted{w}
	case len(out) == 0:
		p.bad(w.path, fmt.Sprint(w.id), "is on no link of a known name: make an entry with the link's own name, and put vlans there")
	}
	return out
}

// make gives a link its Device. What cannot be made is left out.
func (p *parser) make(w wanted) {
	link := p.links[w.key]
	c := p.config.Interfaces[w.key]
	if link == nil {
		if err := newName(w.key); err != nil {
			p.bad(w.path, w.key, err.Error())
			return
		}
		link = &LinkSpec{Key: w.key, Match: Match{Name: w.key}}
	}
	where := "interfaces." + w.key
	if link.Match.Name == "" && link.SetName == "" {
		p.wrong(where, fmt.Sprintf("is a %s that is made, so its key or set_name has to be its name", w.kind))
		delete(p.links, w.key)
		return
	}
	if w.parent != "" {
		c.Link, c.ID = w.parent, w.id
	}
	device, ok := p.device(where, w.kind, c)
	if !ok {
		delete(p.links, w.key)
		return
	}
	// A link that is made has its last name from the start.
	link.Match, link.SetName = Match{Name: link.name()}, ""
	if err := newName(link.Match.Name); err != nil {
		p.bad(where, link.Match.Name, err.Error())
		delete(p.links, w.key)
		return
	}
	link.Make = &device
	p.links[w.key] = link
}

// name is the name that the link has once it is configured; empty if that is
// only known when it is there.
func (s *LinkSpec) name() string {
	if s.SetName != "" {
		return s.SetName
	}
	return s.Match.Name
}
