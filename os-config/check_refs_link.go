package osconfig

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// keysOfKinds are the keys that only some kinds of links have.
func keysOfKinds() map[string][]string {
	return map[string][]string{
		"bond_opts": {"bond"}, "stp": {"bridge"}, "forward_delay": {"bridge"}, "vlan_filtering": {"bridge"},
		"members": {"bond", "bridge", "vrf"}, "link": {"vlan", "macvlan", "ipvlan", "vxlan"}, "id": {"vlan", "vxlan"},
		"protocol": {"vlan"}, "mode": {"macvlan", "ipvlan"}, "egress_qos": {"vlan"}, "ingress_qos": {"vlan"},
		"remote": {"vxlan"}, "local": {"vxlan"}, "group": {"vxlan"}, "port": {"vxlan", "wireguard"}, "table": {"vrf"},
		"private_key": {"wireguard"}, "firewall_mark": {"wireguard"}, "peers": {"wireguard"},
	}
}

// linkKind looks at what a link of its kind needs and cannot have.
func (r *referee) linkKind(l *link) {
	all := keysOfKinds()
	for _, e := range l.node.Map {
		kinds := all[e.Key]
		if len(kinds) == 0 || e.Value.IsNull() || slices.Contains(kinds, l.kind) {
			continue
		}
		of := "a " + strings.Join(kinds, " or ")
		if l.kind == "" {
			r.say(Warning, e.Value.Pos, join(l.path, e.Key), fmt.Sprintf(
				"it has no effect: it is for %s, and type is missing", of))
		} else {
			r.say(Warning, e.Value.Pos, join(l.path, e.Key), fmt.Sprintf(
				"it has no effect: it is for %s, and this is a %s", of, l.kind))
		}
	}
	if !l.made {
		return
	}
	if l.wild {
		r.say(Error, l.pos, l.path, fmt.Sprintf("a %s is made, so its key is its name, without * and =", l.kind))
	}
	r.linkNeeds(l)
	if opts := l.node.Child("bond_opts"); l.kind == "bond" && !opts.IsNull() && opts.Kind == Map {
		r.findings(join(l.path, "bond_opts"), opts, bondConflicts(opts))
	}
}

// linkNeeds looks at what a link of its kind cannot do without.
func (r *referee) linkNeeds(l *link) {
	need := map[string][]string{
		"vlan": {"link", "id"}, "macvlan": {"link"}, "ipvlan": {"link"}, "vxlan": {"id"}, "wireguard": {"private_key"},
		"vrf": {"table"},
	}
	for _, key := range need[l.kind] {
		if l.node.Child(key).IsNull() {
			r.say(Error, l.pos, l.path, fmt.Sprintf("%s is missing: a %s needs it", key, l.kind))
		}
	}
	number := func(key string) int { i, _ := strconv.Atoi(textAt(l.node, key)); return i }
	mode := textAt(l.node, "mode")
	switch l.kind {
	case "vlan":
		if id := number("id"); id > 4094 {
			r.at(Error, l.path, l.node, "id", "%d is not between 1 and 4094", id)
		}
	case "macvlan":
		if mode != "" && !slices.Contains([]string{"bridge", "private", "vepa", "passthru"}, mode) {
			r.at(Error, l.path, l.node, "mode", "%s is not one of: bridge, private, vepa, passthru", quote(mode))
		}
	case "ipvlan":
		if mode != "" && !slices.Contains([]string{"l2", "l3", "l3s"}, mode) {
			r.at(Error, l.path, l.node, "mode", "%s is not one of: l2, l3, l3s", quote(mode))
		}
	case "vxlan":
		r.vxlan(l)
	case "vrf":
		if t := number("table"); t >= 253 && t <= 255 {
			r.at(Error, l.path, l.node, "table", "%d is one of the kernel's own tables (253 to 255)", t)
		}
	case "wireguard":
		if l.node.Child("peers").IsNull() {
			r.say(Warning, l.pos, l.path, "peers is missing: nobody can talk to it")
		}
	case "bridge":
		if delay := l.node.Child("forward_delay"); saysYes(l.node.Child("stp")) && !delay.IsNull() && number("forward_delay") < 2 {
			r.at(Error, l.path, l.node, "forward_delay", "with stp it is between 2 and 30")
		}
	}
}

func (r *referee) vxlan(l *link) {
	remote, group := textAt(l.node, "remote"), textAt(l.node, "group")
	switch {
	case remote != "" && group != "":
		r.at(Error, l.path, l.node, "group", "remote is set too; a VXLAN has one of the two")
	case remote == "" && group == "":
		r.say(Warning, l.pos, l.path, "remote and group are missing: it knows nobody to send to")
	case group != "" && textAt(l.node, "link") == "":
		r.at(Error, l.path, l.node, "group", "link is missing: the link on which the group is")
	}
	for _, key := range []string{"remote", "group"} {
		if f := family(textAt(l.node, key)); f != 0 && family(textAt(l.node, "local")) != 0 && f != family(textAt(l.node, "local")) {
			r.at(Error, l.path, l.node, "local", "%s is not of the same family as %s", textAt(l.node, "local"), key)
		}
	}
}

// addressNodes are the addresses of a link.
func (l *link) addressNodes() []*Node {
	var out []*Node
	if a := l.node.Child("address"); !a.IsNull() && a.Scalar() {
		out = append(out, a)
	}
	return append(out, items(l.node.Child("addresses"))...)
}

// prefixes are the addresses of a link that can be read.
func (l *link) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, n := range l.addressNodes() {
		if p, ok := prefixOf(n); ok {
			out = append(out, p)
		}
	}
	return out
}

// linkAddresses looks at addresses, gateways and what configures them.
func (r *referee) linkAddresses(l *link) {
	if l.owner != "" {
		for _, key := range []string{"address", "addresses", "dhcp", "ipv4ll", "gateway", "gateway_ipv6", "routes", "delegate_from"} {
			c := l.node.Child(key)
			if c.IsNull() || c.Kind == List && len(c.List) == 0 || c.Scalar() && (c.Text == "" || saysNo(c)) {
				continue
			}
			r.at(Error, l.path, l.node, key, "this link is part of %s; put it there", l.owner)
		}
		return
	}
	r.gateways(l)
	has := func(key string) bool { return !l.node.Child(key).IsNull() }
	if saysYes(l.node.Child("ipv6_privacy")) && saysNo(l.node.Child("accept_ra")) {
		r.at(Warning, l.path, l.node, "ipv6_privacy", "it has no effect with accept_ra: false")
	}
	if has("dhcp_options") && !saysYes(l.node.Child("dhcp")) && !saysYes(l.node.Child("dhcp6")) {
		r.at(Warning, l.path, l.node, "dhcp_options", "they have no effect without dhcp: true or dhcp6: true")
	}
	if mtu, err := strconv.Atoi(textAt(l.node, "mtu")); err == nil && mtu > 0 && mtu < 1280 {
		if slices.ContainsFunc(l.prefixes(), func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			r.at(Warning, l.path, l.node, "mtu", "%d is too small for IPv6, which needs 1280", mtu)
		}
	}
	if name := textAt(l.node, "set_name"); name != "" && l.wild && !strings.HasPrefix(l.key+textAt(l.node, "match"), "mac=") {
		if pattern := l.key + textAt(l.node, "match"); strings.ContainsAny(pattern, "*?[") {
			r.at(Warning, l.path, l.node, "set_name", "more than one link may match, and only one can be %s", name)
		}
	}
}

// gateways looks at the gateways of a link.
func (r *referee) gateways(l *link) {
	for _, key := range []string{"gateway", "gateway_ipv6"} {
		gateway, err := netip.ParseAddr(textAt(l.node, key))
		if err != nil {
			continue
		}
		unknown := len(l.prefixes()) < len(l.addressNodes()) || gateway.Is4() && saysYes(l.node.Child("dhcp")) ||
			gateway.Is6() && (saysYes(l.node.Child("dhcp6")) || gateway.IsLinkLocalUnicast())
		same := slices.DeleteFunc(l.prefixes(), func(p netip.Prefix) bool { return p.Addr().Is4() != gateway.Is4() })
		switch {
		case unknown: // what other addresses there will be
		case len(l.addressNodes()) == 0:
			r.at(Warning, l.path, l.node, key, "a gateway without an address; the link cannot reach it")
		case len(same) == 0:
			r.at(Warning, l.path, l.node, key, "the link has no address of the family of %s", gateway)
		case slices.ContainsFunc(same, func(p netip.Prefix) bool { return p.Bits() == p.Addr().BitLen() }):
			// A single address has no network: its gateway is on the link.
		case !slices.ContainsFunc(same, func(p netip.Prefix) bool { return p.Contains(gateway) }):
			r.at(Warning, l.path, l.node, key, "%s is in none of the link's networks (%s)", gateway, networks(same))
		case slices.ContainsFunc(same, func(p netip.Prefix) bool { return p.Addr() == gateway }):
			r.at(Error, l.path, l.node, key, "%s is the link's own address", gateway)
		}
	}
}

func networks(all []netip.Prefix) string {
	var out []string
	for _, p := range all {
		out = append(out, p.Masked().String())
	}
	return strings.Join(out, ", ")
}
