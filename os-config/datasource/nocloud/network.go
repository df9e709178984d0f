package nocloud

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Network translates a cloud-init network-config, version 1 or 2, to
// rancher.network. Every value keeps its position. What has no counterpart is
// reported as not supported; what cannot be right is the validator's to say.
func Network(doc *osconfig.Node) (*osconfig.Node, osconfig.Report) {
	if inner := doc.Child("network"); inner != nil && inner.Kind == osconfig.Map {
		doc = inner
	}
	t := translator{network: osconfig.NewMap(doc.Pos), links: osconfig.NewMap(doc.Pos), named: map[string]*osconfig.Node{}}
	switch version := doc.Child("version"); {
	case doc.Child("config") != nil && text(doc.Child("config")) == "disabled":
		return nil, nil // the network is to be left as it is
	case text(version) == "1":
		t.version1(doc)
	case text(version) == "2", doc.Child("ethernets") != nil:
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
	if t.rules != nil {
		set(t.network, "rules", t.rules)
	}
	if t.wifi != nil {
		set(t.network, "wifi_networks", t.wifi)
	}
	if len(t.network.Map) == 0 {
		return nil, t.report
	}
	return t.network, t.report
}

type translator struct {
	network, links, dns, rules, wifi *osconfig.Node

	named  map[string]*osconfig.Node // version 1: links by their names there
	report osconfig.Report
}

func problem(n *osconfig.Node, sev osconfig.Severity, text string) osconfig.Problem {
	return osconfig.Problem{
		Severity: sev, Kind: osconfig.Unsupported, Layer: n.Pos.Layer, File: n.Pos.File,
		Line: n.Pos.Line, Col: n.Pos.Col, Text: text,
	}
}

func (t *translator) skip(n *osconfig.Node, what string) {
	t.report = append(t.report, problem(n, osconfig.Warning, what+" in network-config is not supported; it has no effect"))
}

func (t *translator) wrong(n *osconfig.Node, what string) {
	t.report = append(t.report, problem(n, osconfig.Error, what))
}

// link returns the entry of interfaces with a key, a new one when there is
// none.
func (t *translator) link(key string, pos osconfig.Pos) *osconfig.Node {
	if l := t.links.Child(key); l != nil {
		return l
	}
	l := osconfig.NewMap(pos)
	t.links.Map = append(t.links.Map, osconfig.Entry{Key: key, KeyPos: pos, Value: l})
	return l
}

// addDNS collects name servers for all links.
func (t *translator) addDNS(key string, n *osconfig.Node) {
	if n.IsNull() {
		return
	}
	if t.dns == nil {
		t.dns = osconfig.NewMap(n.Pos)
	}
	add(t.dns, key, split(n)...)
}

// linkDNS collects the name servers that a link brings.
func linkDNS(link *osconfig.Node, key string, n *osconfig.Node) {
	list := split(n)
	if len(list) == 0 {
		return
	}
	dns := link.Child("dns")
	if dns == nil {
		dns = osconfig.NewMap(n.Pos)
		set(link, "dns", dns)
	}
	add(dns, key, list...)
}

// others reports the keys that nobody has looked at: what has no meaning here
// is said, never passed over.
func (t *translator) others(m *osconfig.Node, of string, known ...string) {
	if m.IsNull() || m.Kind != osconfig.Map {
		return
	}
	for _, e := range m.Map {
		if !slices.Contains(known, e.Key) && !e.Value.IsNull() {
			t.skip(e.Value, of+e.Key)
		}
	}
}

// route gives a link a route. The first default one of each family is the
// link's gateway.
func (t *translator) route(link *osconfig.Node, r routeData) {
	to := text(r.to)
	if to == "" || r.via.IsNull() && text(r.onLink) == "" && text(r.kind) == "" && text(r.scope) == "" {
		t.skip(r.at, "a route without destination or gateway")
		return
	}
	if kind := text(r.kind); kind != "" && !slices.Contains([]string{"unicast", "blackhole", "unreachable", "prohibit"}, kind) {
		t.skip(r.kind, "a route of type "+kind)
		return
	}
	if isDefault(to) {
		key := "gateway"
		if strings.Contains(text(r.via), ":") {
			key = "gateway_ipv6"
		}
		if link.Child(key) == nil && r.plain() && text(link.Child("type")) != "vrf" {
			set(link, key, r.via)
			if !r.metric.IsNull() && link.Child("metric") == nil {
				set(link, "metric", r.metric)
			}
			return
		}
		to = "default"
	}
	if bits := prefixOf(r.mask); bits >= 0 && !strings.Contains(to, "/") && to != "default" {
		to = fmt.Sprintf("%s/%d", to, bits)
	}
	if a, err := netip.ParseAddr(to); err == nil {
		to = fmt.Sprintf("%s/%d", to, a.BitLen())
	}
	out := osconfig.NewMap(r.at.Pos)
	set(out, "to", osconfig.NewString(r.to.Pos, to))
	for key, n := range map[string]*osconfig.Node{"via": r.via, "from": r.from, "type": r.kind, "scope": r.scope} {
		if !n.IsNull() {
			set(out, key, osconfig.NewString(n.Pos, n.Text))
		}
	}
	for key, n := range map[string]*osconfig.Node{"metric": r.metric, "table": r.table, "mtu": r.mtu} {
		if !n.IsNull() {
			set(out, key, n)
		}
	}
	if !r.onLink.IsNull() {
		set(out, "on_link", truth(r.onLink))
	}
	sortEntries(out)
	add(link, "routes", out)
}

// routeData is a route of either version; what it does not say is nil.
type routeData struct {
	at, to, mask, via, from, metric, table, mtu, onLink, kind, scope *osconfig.Node
}

// plain says whether a link's gateway can stand for a default route. Whether
// a gateway is on the link needs no word there.
func (r routeData) plain() bool {
	return !r.via.IsNull() && r.from.IsNull() && r.table.IsNull() && r.mtu.IsNull() && r.kind.IsNull() && r.scope.IsNull()
}

func isDefault(to string) bool {
	switch to {
	case "default", "0.0.0.0/0", "::/0", "0.0.0.0", "::", "0/0":
		return true
	}
	return false
}

// prefixOf returns the length of a netmask (255.255.255.0, ffff:: or 24), -1
// when there is none.
func prefixOf(n *osconfig.Node) int {
	if n.IsNull() || !n.Scalar() {
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
