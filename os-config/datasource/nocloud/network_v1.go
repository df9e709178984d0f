package nocloud

import (
	"fmt"
	"net/netip"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// version1 reads cloud-init's "Networking Config Version 1".
func (t *translator) version1(doc *osconfig.Node) {
	config := values(doc.Child("config"))
	used := map[string]bool{} // names that bonds, bridges and VLANs refer to
	for _, c := range config {
		for _, key := range []string{"bond_interfaces", "bridge_interfaces", "vlan_link"} {
			for _, w := range words(c.Child(key)) {
				used[w.Text] = true
			}
		}
	}
	t.others(doc, "", "version", "config")
	var routes []*osconfig.Node
	for _, c := range config {
		switch kind := text(c.Child("type")); kind {
		case "":
			t.skip(c, "an entry without a type")
		case "physical", "infiniband", "bond", "bridge", "vlan":
			t.link1(c, kind, used)
		case "nameserver":
			t.nameserver1(c)
		case "route":
			t.others(c, "the route's ", "type", "id", "network", "destination", "netmask", "gateway", "metric")
			routes = append(routes, c)
		case "loopback": // it is always there
			for _, s := range values(c.Child("subnets")) {
				if kind := text(s.Child("type")); kind != "loopback" {
					t.skip(s, "a subnet of the loopback link")
				}
			}
		default:
			t.skip(c, "type "+kind)
		}
	}
	for _, r := range routes {
		t.globalRoute(r)
	}
}

// nameserver1 reads servers for all links or, with interface, for one.
func (t *translator) nameserver1(c *osconfig.Node) {
	t.others(c, "the nameserver's ", "type", "id", "name", "address", "search", "interface")
	name := text(c.Child("interface"))
	if name == "" {
		t.addDNS("nameservers", c.Child("address"))
		t.addDNS("search", c.Child("search"))
		return
	}
	link := t.named[name]
	if link == nil {
		t.skip(c, "a nameserver of an interface that no entry before it has")
		return
	}
	linkDNS(link, "nameservers", c.Child("address"))
	linkDNS(link, "search", c.Child("search"))
}

func (t *translator) link1(c *osconfig.Node, kind string, used map[string]bool) {
	key, ok := t.key1(c, kind, used)
	if !ok {
		t.skip(c, "a link without name and mac_address")
		return
	}
	link := t.link(key, c.Pos)
	t.named[text(c.Child("name"))] = link
	known := []string{"type", "id", "name", "mac_address", "mtu", "accept-ra", "accept_ra", "subnets"}
	name, mac := c.Child("name"), c.Child("mac_address")
	switch {
	case !isCard(kind):
		set(link, "type", osconfig.NewString(c.Pos, kind))
		if !mac.IsNull() {
			set(link, "mac_address", osconfig.NewString(mac.Pos, strings.ToLower(mac.Text)))
		}
	case key == text(name) && text(mac) != "":
		set(link, "match", osconfig.NewString(mac.Pos, "mac="+strings.ToLower(text(mac))))
		set(link, "set_name", osconfig.NewString(name.Pos, key))
	}
	switch kind {
	case "bond":
		add(link, "members", words(c.Child("bond_interfaces"))...)
		t.bondOptions(link, c.Child("params"))
		known = append(known, "bond_interfaces", "params")
	case "bridge":
		add(link, "members", words(c.Child("bridge_interfaces"))...)
		t.bridge1(link, c.Child("params"))
		known = append(known, "bridge_interfaces", "params")
	case "vlan":
		for _, k := range [][2]string{{"vlan_id", "id"}, {"vlan_link", "link"}} {
			if n := c.Child(k[0]); !n.IsNull() {
				set(link, k[1], n)
			}
		}
		known = append(known, "vlan_id", "vlan_link")
	}
	t.others(c, "a link's ", known...)
	if mtu := c.Child("mtu"); !mtu.IsNull() {
		set(link, "mtu", mtu)
	}
	for _, k := range []string{"accept-ra", "accept_ra"} {
		if ra := c.Child(k); !ra.IsNull() {
			setOnce(link, "accept_ra", truth(ra))
		}
	}
	for _, s := range values(c.Child("subnets")) {
		t.subnet(link, s)
	}
}

// isCard says whether a type is that of links that are there.
func isCard(kind string) bool { return kind == "physical" || kind == "infiniband" }

// key1 is the key of interfaces for a link. Hardware goes by its MAC address,
// for the name in the file may not be the kernel's, unless others refer to it
// by that name.
func (t *translator) key1(c *osconfig.Node, kind string, used map[string]bool) (string, bool) {
	name, mac := text(c.Child("name")), strings.ToLower(text(c.Child("mac_address")))
	if isCard(kind) && mac != "" && !used[name] {
		return "mac=" + mac, true
	}
	return name, name != ""
}

func (t *translator) bridge1(link, params *osconfig.Node) {
	if params.IsNull() || params.Kind != osconfig.Map {
		return
	}
	for _, e := range params.Map {
		switch strings.TrimPrefix(strings.ReplaceAll(e.Key, "-", "_"), "bridge_") {
		case "stp":
			setOnce(link, "stp", truth(e.Value))
		case "fd":
			setOnce(link, "forward_delay", seconds(e.Value))
		case "hw":
			setOnce(link, "mac_address", osconfig.NewString(e.Value.Pos, strings.ToLower(text(e.Value))))
		case "ports":
			if len(values(link.Child("members"))) == 0 {
				add(link, "members", words(e.Value)...)
			}
		default:
			t.skip(e.Value, "the bridge's "+e.Key)
		}
	}
}

func (t *translator) subnet(link, s *osconfig.Node) {
	switch kind := text(s.Child("type")); kind {
	case "":
		t.skip(s, "a subnet without a type")
		return
	case "dhcp", "dhcp4":
		setOnce(link, "dhcp", yes(s))
	case "dhcp6", "ipv6_dhcpv6-stateful":
		setOnce(link, "dhcp6", yes(s))
	case "static", "static6":
		if !t.static1(link, s) {
			return
		}
	case "manual":
	case "ipv6_slaac", "ipv6_dhcpv6-stateless": // router advertisements say the rest
		setOnce(link, "accept_ra", yes(s))
	default:
		t.skip(s, "subnet type "+kind)
	}
	if metric := s.Child("metric"); !metric.IsNull() {
		setOnce(link, "metric", metric)
	}
	linkDNS(link, "nameservers", s.Child("dns_nameservers"))
	for _, search := range values(s.Child("dns_search")) {
		linkDNS(link, "search", search)
	}
	switch control := s.Child("control"); text(control) {
	case "", "auto":
	case "manual":
		setOnce(link, "up", osconfig.ResolvePlain(control.Pos, "false"))
	default:
		t.skip(control, "the subnet's control "+text(control))
	}
	// Hetzner's ipv4 and ipv6 say again what the type says.
	t.others(s, "the subnet's ", "type", "control", "address", "netmask", "gateway", "metric", "routes",
		"dns_nameservers", "dns_search", "ipv4", "ipv6")
	for _, r := range values(s.Child("routes")) {
		t.others(r, "the route's ", "type", "id", "network", "destination", "netmask", "gateway", "metric")
		t.route(link, route1(r))
	}
}

func (t *translator) static1(link, s *osconfig.Node) bool {
	address := s.Child("address")
	if text(address) == "" {
		t.wrong(s, "a static subnet without an address")
		return false
	}
	where := text(address)
	if bits := prefixOf(s.Child("netmask")); bits >= 0 && !strings.Contains(where, "/") {
		where = fmt.Sprintf("%s/%d", where, bits)
	}
	add(link, "addresses", osconfig.NewString(address.Pos, where))
	if gw := s.Child("gateway"); !gw.IsNull() {
		key := "gateway"
		if strings.Contains(gw.Text, ":") {
			key = "gateway_ipv6"
		}
		switch have := link.Child(key); {
		case have == nil:
			set(link, key, gw)
		case text(have) != text(gw):
			t.skip(gw, "a second gateway of a link")
		}
	}
	return true
}

func route1(r *osconfig.Node) routeData {
	d := routeData{at: r, to: r.Child("network"), mask: r.Child("netmask"), via: r.Child("gateway"), metric: r.Child("metric")}
	if d.to == nil {
		d.to = r.Child("destination")
	}
	if prefixOf(d.mask) == 0 && !d.to.IsNull() {
		d.to = osconfig.NewString(d.to.Pos, "default")
	}
	return d
}

// globalRoute gives a route that names no link to the one in whose network
// its gateway is.
func (t *translator) globalRoute(r *osconfig.Node) {
	d := route1(r)
	via, err := netip.ParseAddr(text(d.via))
	for _, e := range t.links.Map {
		for _, a := range values(e.Value.Child("addresses")) {
			if p, bad := netip.ParsePrefix(a.Text); bad == nil && err == nil && p.Contains(via) {
				t.route(e.Value, d)
				return
			}
		}
	}
	t.skip(r, "a route by a gateway in none of the networks")
}
