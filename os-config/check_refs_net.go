package osconfig

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

const interfacesPath = "rancher.network.interfaces"

// link is one entry of interfaces, as the whole document knows it.
type link struct {
	key   string
	path  string
	pos   Pos // of the key
	node  *Node
	kind  string // what is made, "" for a link that is there
	made  bool   // it says itself that it is made, and as what
	wild  bool   // it matches by more than a plain name
	owner string // the bond or bridge that it is part of
	by    *Node  // where that was written
}

// topology is all links of a document.
type topology struct {
	links  []*link
	byName map[string]*link  // by key, and by the name that is set
	wild   []string          // the globs that links are matched by
	made   map[string]string // what references and vlans make, by name: its kind
	all    []string          // every name, for guesses
}

// network looks at rancher.network.
func (r *referee) network(rancher *Node) {
	network := rancher.Child("network")
	if network.IsNull() {
		return
	}
	t := newTopology(network.Child("interfaces"))
	for _, l := range t.links {
		r.linkNames(t, l, network)
		r.linkKind(l)
		r.linkAddresses(l)
	}
	r.sameThings(t)
	r.defaultRoutes(t)
	r.linkLoops(t)
	r.networkLinks(t, network)
	r.wifi(network.Child("wifi_networks"))
	r.firewall(network.Child("firewall"), rancher)
}

// newTopology reads the entries twice: what an entry is may be said by
// another one.
func newTopology(interfaces *Node) *topology {
	t := &topology{byName: map[string]*link{}, made: map[string]string{}}
	if interfaces.IsNull() || interfaces.Kind != Map {
		return t
	}
	for _, e := range interfaces.Map {
		if e.Value.IsNull() || e.Value.Kind != Map {
			continue
		}
		l := &link{key: e.Key, path: join(interfacesPath, e.Key), pos: e.KeyPos, node: e.Value}
		l.wild = wildName(e.Key) && textAt(l.node, "match") == "" || wildName(textAt(l.node, "match"))
		l.kind = textAt(l.node, "type")
		bridge := l.node.Child("bridge")
		if l.kind == "" && saysYes(bridge) {
			l.kind = "bridge"
		}
		if l.kind == "" && !l.node.Child("bond_opts").IsNull() {
			l.kind = "bond"
		}
		l.made = l.kind != ""
		if name := textAt(l.node, "bond"); name != "" {
			t.made[name] = "bond"
			l.owner, l.by = name, l.node.Child("bond")
		}
		if name := bridgeToJoin(bridge); name != "" {
			t.made[name] = "bridge"
			l.owner, l.by = name, bridge
		}
		vlans, _ := parseVLANs(textAt(l.node, "vlans"))
		for _, v := range vlans {
			t.made[v.link(e.Key)] = "vlan"
		}
		t.add(l)
	}
	for _, l := range t.links {
		if l.kind == "" {
			l.kind = t.made[l.key]
		}
	}
	t.ownMembers()
	return t
}

func (t *topology) add(l *link) {
	t.links = append(t.links, l)
	if name := textAt(l.node, "set_name"); name != "" && t.byName[name] == nil {
		t.byName[name] = l
	}
	t.byName[l.key] = l
	for _, pattern := range []string{l.key, textAt(l.node, "match")} {
		if strings.ContainsAny(pattern, "*?[") {
			t.wild = append(t.wild, pattern)
		}
	}
}

// link is the name of a VLAN on the link base.
func (v vlan) link(base string) string {
	if v.name != "" {
		return v.name
	}
	return fmt.Sprintf("%s.%d", base, v.id)
}

// ownMembers says of which bond or bridge links are part by its members.
func (t *topology) ownMembers() {
	for _, l := range t.links {
		if l.kind == "vrf" {
			continue
		}
		for _, m := range items(l.node.Child("members")) {
			if other := t.entry(m.Text); other != nil && other.owner == "" {
				other.owner, other.by = l.key, m
			}
		}
	}
}

// entry is the entry with a key, nil when there is none.
func (t *topology) entry(name string) *link {
	if name == "" {
		return nil
	}
	return t.byName[name]
}

// knows says whether a name can be that of a link: of an entry, of what
// entries make, or of a network card.
func (t *topology) knows(name string) bool {
	const most = 100 // globs; nobody has more, and every name is held against each
	if t.entry(name) != nil || t.made[name] != "" || wildName(name) || looksPhysical(name) || len(t.wild) > most {
		return true
	}
	return slices.ContainsFunc(t.wild, func(pattern string) bool {
		hit, err := path.Match(pattern, name)
		return hit && err == nil
	})
}

// names are those of entries and of what they make, sorted.
func (t *topology) names() []string {
	if t.all == nil {
		for _, l := range t.links {
			t.all = append(t.all, l.key)
		}
		t.all = slices.Sorted(slices.Values(slices.AppendSeq(t.all, maps.Keys(t.made))))
	}
	return t.all
}

// noLink is what to say about a link that no entry is about. It is a warning:
// a machine may have a network card of any name.
func (r *referee) noLink(t *topology, name string) string {
	return fmt.Sprintf("no entry of interfaces is or makes %s%s", quote(name), r.near(name, t.names()))
}

// linkNames looks at what an entry names.
func (r *referee) linkNames(t *topology, l *link, network *Node) {
	for _, key := range []string{"bond", "bridge"} {
		name, want := textAt(l.node, key), key
		if key == "bridge" {
			name = bridgeToJoin(l.node.Child(key))
		}
		if other := t.entry(name); name != "" && other != nil && other.kind != "" && other.kind != want {
			r.at(Error, l.path, l.node, key, "%s is a %s, not a %s", name, other.kind, want)
		}
	}
	if textAt(l.node, "bond") != "" && bridgeToJoin(l.node.Child("bridge")) != "" {
		r.at(Error, l.path, l.node, "bridge", "this link is part of %s, too, and it can be part of one thing only; put the bridge on %s",
			textAt(l.node, "bond"), textAt(l.node, "bond"))
	}
	if name := textAt(l.node, "link"); name != "" && !t.knows(name) {
		r.at(Warning, l.path, l.node, "link", "%s", r.noLink(t, name))
	}
	switch name := textAt(l.node, "delegate_from"); {
	case name == "":
	case t.entry(name) == l:
		r.at(Error, l.path, l.node, "delegate_from", "this is the link itself")
	case !t.knows(name):
		r.at(Warning, l.path, l.node, "delegate_from", "%s", r.noLink(t, name))
	case t.entry(name) != nil && saysNo(t.entry(name).node.Child("dhcp6")):
		r.at(Warning, l.path, l.node, "delegate_from", "%s has dhcp6: false, so that no prefix is asked for there", name)
	}
	for i, m := range items(l.node.Child("members")) {
		here := fmt.Sprintf("%s.members[%d]", l.path, i)
		other := t.entry(m.Text)
		switch {
		case !t.knows(m.Text):
			r.say(Warning, m.Pos, here, r.noLink(t, m.Text))
		case other != nil && l.kind != "vrf" && other.owner != l.key:
			r.say(Error, m.Pos, here, fmt.Sprintf("%s is part of %s already", m.Text, other.owner))
		}
	}
	if name := textAt(l.node, "wifi_network"); name != "" && network.Child("wifi_networks").Child(name).IsNull() {
		var known []string
		if all := network.Child("wifi_networks"); all != nil {
			for _, e := range all.Map {
				known = append(known, e.Key)
			}
		}
		r.at(Error, l.path, l.node, "wifi_network", "there is no %s in wifi_networks%s", quote(name), r.near(name, known))
	}
}

// linkLoops reports links that are made of themselves.
func (r *referee) linkLoops(t *topology) {
	var edges []edge
	for _, l := range t.links {
		if name := textAt(l.node, "link"); name != "" {
			edges = append(edges, edge{l.key, name, l.node.Child("link"), join(l.path, "link")})
		}
		if l.by != nil {
			key := "members"
			if l.by == l.node.Child("bond") {
				key = "bond"
			} else if l.by == l.node.Child("bridge") {
				key = "bridge"
			}
			where := join(l.path, key)
			if key == "members" {
				where = join(join(interfacesPath, l.owner), key)
			}
			edges = append(edges, edge{l.owner, l.key, l.by, where})
		}
		vlans, _ := parseVLANs(textAt(l.node, "vlans"))
		for _, v := range vlans {
			edges = append(edges, edge{v.link(l.key), l.key, l.node.Child("vlans"), join(l.path, "vlans")})
		}
	}
	r.loops(edges, "a link is made of itself: %s")
}

// networkLinks looks at the links that rules and the firewall name.
func (r *referee) networkLinks(t *topology, network *Node) {
	check := func(n *Node, path, key string) {
		if name := textAt(n, key); name != "" && !t.knows(name) {
			r.at(Warning, path, n, key, "%s", r.noLink(t, name))
		}
	}
	if rules := network.Child("rules"); rules != nil {
		for i, n := range rules.List {
			check(n, fmt.Sprintf("rancher.network.rules[%d]", i), "iif")
			check(n, fmt.Sprintf("rancher.network.rules[%d]", i), "oif")
		}
	}
	if allow := network.Child("firewall").Child("allow"); allow != nil {
		for i, n := range allow.List {
			check(n, fmt.Sprintf("rancher.network.firewall.allow[%d]", i), "interface")
		}
	}
}
