package nocloud

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Network translates a cloud-init network-config, version 1 or 2, to
// rancher.network: Ethernet links with DHCP, addresses, default gateways, MTU
// and DNS. What else it finds is reported as not supported.
func Network(doc *osconfig.Node) (*osconfig.Node, osconfig.Report) {
	if inner := doc.Child("network"); inner != nil && inner.Kind == osconfig.Map {
		doc = inner
	}
	t := translator{network: osconfig.NewMap(doc.Pos), links: osconfig.NewMap(doc.Pos)}
	switch version := doc.Child("version"); {
	case version != nil && version.Text == "1":
		t.version1(doc)
	case version != nil && version.Text == "2", doc.Child("ethernets") != nil:
		t.version2(doc)
	default:
		t.report = append(t.report, problem(doc, osconfig.Error, "network-config without version: 1 or 2"))
	}
	if len(t.links.Map) > 0 {
		set(t.network, "interfaces", t.links)
	}
	if t.dns != nil {
		set(t.network, "dns", t.dns)
	}
	if len(t.network.Map) == 0 {
		return nil, t.report
	}
	return t.network, t.report
}

type translator struct {
	network, links, dns *osconfig.Node
	report              osconfig.Report
}

func problem(n *osconfig.Node, sev osconfig.Severity, text string) osconfig.Problem {
	return osconfig.Problem{
		Severity: sev, Kind: osconfig.Unsupported, Layer: n.Pos.Layer, File: n.Pos.File,
		Line: n.Pos.Line, Col: n.Pos.Col, Text: text,
	}
}

func (t *translator) skip(n *osconfig.Node, what string) {
	t.report = append(t.report, problem(n, osconfig.Warning, what+" in network-config is not supported yet; it has no effect"))
}

func set(m *osconfig.Node, key string, value *osconfig.Node) {
	m.Map = append(m.Map, osconfig.Entry{Key: key, KeyPos: value.Pos, Value: value})
}

func add(m *osconfig.Node, key string, values ...*osconfig.Node) {
	if len(values) == 0 {
		return
	}
	list := m.Child(key)
	if list == nil {
		list = osconfig.NewList(values[0].Pos)
		set(m, key, list)
	}
	list.List = append(list.List, values...)
}

// addDNS collects name servers; rancher.network has one list for all links.
func (t *translator) addDNS(key string, n *osconfig.Node) {
	if n.IsNull() {
		return
	}
	if t.dns == nil {
		t.dns = osconfig.NewMap(n.Pos)
	}
	add(t.dns, key, values(n)...)
}

// values are the items of a list, or a single value as one.
func values(n *osconfig.Node) []*osconfig.Node {
	switch {
	case n.IsNull():
		return nil
	case n.Kind == osconfig.List:
		return n.List
	}
	return []*osconfig.Node{n}
}

func (t *translator) version2(doc *osconfig.Node) {
	for _, e := range doc.Map {
		switch e.Key {
		case "version", "ethernets", "renderer":
		default:
			t.skip(e.Value, e.Key)
		}
	}
	ethernets := doc.Child("ethernets")
	if ethernets.IsNull() {
		return
	}
	for _, e := range ethernets.Map {
		link := osconfig.NewMap(e.KeyPos)
		for _, o := range e.Value.Map {
			t.option2(link, o)
		}
		set(t.links, e.Key, link)
	}
}

func (t *translator) option2(link *osconfig.Node, o osconfig.Entry) {
	v := o.Value
	switch o.Key {
	case "match":
		mac, name := v.Child("macaddress"), v.Child("name")
		switch {
		case !mac.IsNull():
			set(link, "match", osconfig.NewString(mac.Pos, "mac="+strings.ToLower(mac.Text)))
		case !name.IsNull():
			set(link, "match", name)
		default:
			t.skip(v, "this match")
		}
	case "dhcp4":
		set(link, "dhcp", v)
	case "dhcp6":
		if v.Text == "true" && link.Child("dhcp") == nil {
			t.skip(v, "dhcp6 by itself")
		}
	case "addresses":
		add(link, "addresses", values(v)...)
	case "gateway4":
		set(link, "gateway", v)
	case "gateway6":
		set(link, "gateway_ipv6", v)
	case "mtu":
		set(link, "mtu", v)
	case "nameservers":
		t.addDNS("nameservers", v.Child("addresses"))
		t.addDNS("search", v.Child("search"))
	case "routes":
		for _, r := range values(v) {
			t.route(link, r, r.Child("to"), r.Child("via"))
		}
	case "set-name", "optional", "accept-ra", "link-local", "dhcp-identifier", "wakeonlan", "critical":
	default:
		t.skip(v, o.Key)
	}
}

// route takes default routes; there is no list of others yet.
func (t *translator) route(link, r, to, via *osconfig.Node) {
	if to.IsNull() || via.IsNull() {
		t.skip(r, "this route")
		return
	}
	key := "gateway"
	if strings.Contains(via.Text, ":") {
		key = "gateway_ipv6"
	}
	switch to.Text {
	case "default", "0.0.0.0/0", "::/0", "0.0.0.0", "::":
		if link.Child(key) == nil {
			set(link, key, via)
		}
	default:
		t.skip(r, "a route to "+to.Text)
	}
}

func (t *translator) version1(doc *osconfig.Node) {
	config := doc.Child("config")
	for _, c := range values(config) {
		kind := c.Child("type")
		switch {
		case kind.IsNull():
			t.skip(c, "an entry without a type")
		case kind.Text == "physical":
			t.physical(c)
		case kind.Text == "nameserver":
			t.addDNS("nameservers", c.Child("address"))
			t.addDNS("search", c.Child("search"))
		case kind.Text == "loopback":
		default:
			t.skip(c, "type "+kind.Text)
		}
	}
}

func (t *translator) physical(c *osconfig.Node) {
	name, mac := c.Child("name"), c.Child("mac_address")
	link := osconfig.NewMap(c.Pos)
	key := ""
	switch {
	case !mac.IsNull():
		key = "mac=" + strings.ToLower(mac.Text)
	case !name.IsNull():
		key = name.Text
	default:
		t.skip(c, "a link without name and mac_address")
		return
	}
	if mtu := c.Child("mtu"); !mtu.IsNull() {
		set(link, "mtu", mtu)
	}
	for _, s := range values(c.Child("subnets")) {
		t.subnet(link, s)
	}
	set(t.links, key, link)
}

func (t *translator) subnet(link, s *osconfig.Node) {
	kind := s.Child("type")
	if kind.IsNull() {
		t.skip(s, "a subnet without a type")
		return
	}
	switch kind.Text {
	case "dhcp", "dhcp4":
		set(link, "dhcp", osconfig.ResolvePlain(kind.Pos, "true"))
	case "static", "static6":
		address := s.Child("address")
		if address.IsNull() {
			t.report = append(t.report, problem(s, osconfig.Error, "a static subnet without an address"))
			return
		}
		text := address.Text
		if bits := prefixOf(s.Child("netmask")); bits >= 0 && !strings.Contains(text, "/") {
			text = fmt.Sprintf("%s/%d", text, bits)
		}
		add(link, "addresses", osconfig.NewString(address.Pos, text))
		if gw := s.Child("gateway"); !gw.IsNull() {
			key := "gateway"
			if strings.Contains(gw.Text, ":") {
				key = "gateway_ipv6"
			}
			if link.Child(key) == nil {
				set(link, key, gw)
			}
		}
	case "manual", "ipv6_slaac", "ipv6_dhcpv6-stateless", "ipv6_dhcpv6-stateful", "dhcp6":
	default:
		t.skip(s, "subnet type "+kind.Text)
	}
	t.addDNS("nameservers", s.Child("dns_nameservers"))
	t.addDNS("search", s.Child("dns_search"))
	for _, r := range values(s.Child("routes")) {
		to := r.Child("network")
		if to == nil {
			to = r.Child("destination")
		}
		t.route(link, r, to, r.Child("gateway"))
	}
}

// prefixOf returns the length of a netmask (255.255.255.0 or 24), -1 when
// there is none.
func prefixOf(n *osconfig.Node) int {
	if n.IsNull() {
		return -1
	}
	var bits int
	if _, err := fmt.Sscanf(n.Text, "%d", &bits); err == nil && !strings.ContainsAny(n.Text, ".:") {
		return bits
	}
	if a, err := netip.ParseAddr(n.Text); err == nil {
		if ones, size := net.IPMask(a.AsSlice()).Size(); size > 0 {
			return ones
		}
	}
	return -1
}
