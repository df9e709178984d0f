package osconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What two links cannot both have.

// sameThings looks for addresses, names and matches that two entries have.
func (r *referee) sameThings(t *topology) {
	addresses, names, macs := map[string]string{}, map[string]string{}, map[string]*link{}
	for _, l := range t.links {
		for _, n := range l.addressNodes() {
			p, ok := prefixOf(n)
			if !ok {
				continue
			}
			address := p.Addr().String()
			switch first := addresses[address]; {
			case first == "":
				addresses[address] = l.key
			case first == l.key:
				r.say(Warning, n.Pos, l.path, fmt.Sprintf("address %s stands there twice", address))
			default:
				r.say(Warning, n.Pos, l.path, fmt.Sprintf("address %s is %s's, too", address, first))
			}
		}
		if name := textAt(l.node, "set_name"); name != "" {
			if first := names[name]; first != "" {
				r.at(Error, l.path, l.node, "set_name", "%s is called %s, too", first, name)
			}
			names[name] = l.key
			if other := t.entry(name); other != nil && other != l && other.key == name {
				r.at(Warning, l.path, l.node, "set_name", "%s is the key of another entry; put both into one", name)
			}
		}
		match := l.key
		if m := textAt(l.node, "match"); m != "" {
			match = m
		}
		if mac, ok := strings.CutPrefix(strings.ToLower(match), "mac="); ok {
			mac = strings.ReplaceAll(mac, "-", ":")
			if first := macs[mac]; first != nil {
				sev := Error
				if first.pos.File != l.pos.File {
					sev = Warning // neither file is wrong by itself
				}
				r.say(sev, l.pos, l.path, fmt.Sprintf("%s is the same link; write its key the same way, for both to become one", first.key))
			}
			macs[mac] = l
		}
		r.smallerBelow(t, l)
	}
}

// smallerBelow looks for links whose packets do not fit through the link that
// they are on.
func (r *referee) smallerBelow(t *topology, l *link) {
	below := t.entry(textAt(l.node, "link"))
	if below == nil {
		return
	}
	mtu, err := strconv.Atoi(textAt(l.node, "mtu"))
	least, err2 := strconv.Atoi(textAt(below.node, "mtu"))
	if err == nil && err2 == nil && least > 0 && mtu > least {
		r.at(Warning, l.path, l.node, "mtu", "%d does not fit through %s, whose mtu is %d", mtu, below.key, least)
	}
}

// defaultRoutes looks for default routes of one family, table and metric.
func (r *referee) defaultRoutes(t *topology) {
	first := map[string]string{}
	add := func(l *link, n *Node, where string, version int, table, metric string) {
		if metric == "" || metric == "0" {
			return // by order of links, which differs
		}
		if table == "254" {
			table = ""
		}
		id := fmt.Sprintf("%d %s %s", version, table, metric)
		if other := first[id]; other != "" {
			r.say(Warning, n.Pos, where, fmt.Sprintf("%s has a default route with the metric %s, too; only one is used", other, metric))
			return
		}
		first[id] = l.key
	}
	for _, l := range t.links {
		metric := textAt(l.node, "metric")
		for i, key := range []string{"gateway", "gateway_ipv6"} {
			if n := l.node.Child(key); !n.IsNull() && n.Text != "" {
				add(l, n, join(l.path, key), 4+2*i, "", metric)
			}
		}
		routes := l.node.Child("routes")
		if routes == nil {
			continue
		}
		for i, n := range routes.List {
			if !slices.Contains([]string{"default", "0.0.0.0/0", "::/0"}, textAt(n, "to")) {
				continue
			}
			version := 4
			if textAt(n, "to") == "::/0" || family(textAt(n, "via")) == 6 {
				version = 6
			}
			own := textAt(n, "metric")
			if own == "" || own == "0" {
				own = metric
			}
			add(l, n, fmt.Sprintf("%s.routes[%d]", l.path, i), version, textAt(n, "table"), own)
		}
	}
}

// wifi looks at each network as a whole.
func (r *referee) wifi(networks *Node) {
	if networks.IsNull() || networks.Kind != Map {
		return
	}
	for _, e := range networks.Map {
		n, path := e.Value, join("rancher.network.wifi_networks", e.Key)
		if n.IsNull() || n.Kind != Map {
			continue
		}
		has := func(key string) bool { return !n.Child(key).IsNull() && n.Child(key).Text != "" }
		keys := strings.Fields(strings.ToUpper(textAt(n, "key_mgmt")))
		uses := func(mode string) bool { return slices.Contains(keys, mode) }
		if !has("ssid") {
			r.say(Error, e.KeyPos, path, "ssid is missing: the name of the network")
		}
		switch {
		case (uses("WPA-PSK") || uses("FT-PSK") || uses("WPA-PSK-SHA256")) && !has("psk"):
			r.at(Error, path, n, "key_mgmt", "psk is missing: %s needs it", textAt(n, "key_mgmt"))
		case uses("SAE") && !has("psk") && !has("password"):
			r.at(Error, path, n, "key_mgmt", "psk is missing: SAE needs it")
		case (uses("WPA-EAP") || has("eap")) && !has("identity") && n.Child("client_certs").IsNull():
			r.say(Error, e.KeyPos, path, "identity is missing: EAP needs it")
		case uses("NONE") && has("psk"):
			r.at(Warning, path, n, "psk", "it has no effect with key_mgmt: NONE")
		case len(keys) == 0 && !has("psk") && !has("eap"):
			r.say(Warning, e.KeyPos, path, "a network without a key, which everybody can listen to; key_mgmt: NONE says that this is meant")
		}
		if has("gateway") && !has("address") {
			r.at(Warning, path, n, "gateway", "it has no effect without address")
		}
	}
}

// firewall looks for what would lock everybody out, and for what does
// nothing.
func (r *referee) firewall(n, rancher *Node) {
	if n.IsNull() || n.Kind != Map {
		return
	}
	policy := textAt(n, "policy")
	if policy == "" {
		if allow := n.Child("allow"); !allow.IsNull() && len(allow.List) > 0 {
			r.at(Warning, "rancher.network.firewall", n, "allow", "nothing is filtered: policy is missing, write policy: drop")
		}
		return
	}
	ssh := rancher.Child("ssh")
	if policy != "drop" || saysNo(ssh.Child("daemon")) {
		return
	}
	port := 22
	if p, err := strconv.Atoi(textAt(ssh, "port")); err == nil && p > 0 {
		port = p
	}
	if allow := n.Child("allow"); allow != nil {
		for _, rule := range allow.List {
			if allowsTCP(rule, port) {
				return
			}
		}
	}
	r.at(Warning, "rancher.network.firewall", n, "policy", "no rule allows port %d, so nobody can log in by SSH", port)
}

func allowsTCP(rule *Node, port int) bool {
	switch textAt(rule, "protocol") {
	case "", "tcp", "any":
	default:
		return false
	}
	ports := items(rule.Child("ports"))
	for _, p := range ports {
		first, last, isRange := strings.Cut(p.Text, "-")
		if !isRange {
			last = first
		}
		a, err := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || a <= port && port <= b {
			return true
		}
	}
	return len(ports) == 0
}
