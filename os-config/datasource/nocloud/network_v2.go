package nocloud

import (
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// version2 reads cloud-init's "Networking Config Version 2", which is
// netplan's format.
func (t *translator) version2(doc *osconfig.Node) {
	for _, e := range doc.Map {
		kind := ""
		switch e.Key {
		case "version":
			continue
		case "ethernets", "wifis", "tunnels":
		case "bonds", "bridges", "vlans", "vrfs":
			kind = strings.TrimSuffix(e.Key, "s")
		case "dummy-devices":
			kind = "dummy"
		default:
			t.skip(e.Value, e.Key)
			continue
		}
		if e.Value.IsNull() {
			continue
		}
		if e.Value.Kind != osconfig.Map {
			t.wrong(e.Value, e.Key+": want a mapping of names to links")
			continue
		}
		for _, l := range e.Value.Map {
			switch {
			case l.Value.Kind != osconfig.Map && !l.Value.IsNull():
				t.wrong(l.Value, e.Key+": want a mapping of options")
			case e.Key == "tunnels":
				t.tunnel2(l)
			case e.Key == "wifis":
				t.wifi2(l)
			default:
				t.link2(l, kind)
			}
		}
	}
}

func (t *translator) link2(e osconfig.Entry, kind string) {
	link := t.link(e.Key, e.KeyPos)
	if kind != "" {
		set(link, "type", osconfig.NewString(e.KeyPos, kind))
	}
	if e.Value.IsNull() {
		return
	}
	for _, o := range e.Value.Map {
		if !t.common2(link, o) {
			t.kind2(link, o, kind)
		}
	}
	if kind == "vrf" { // its rules are about its table, unless they say another
		t.intoTable(e.Value)
	}
}

// common2 takes what links of all kinds have, and says so.
func (t *translator) common2(link *osconfig.Node, o osconfig.Entry) bool {
	return copied2(link, o) || t.option2(link, o) || t.without2(link, o)
}

// copied2 takes options that are the same here, but for the name.
func copied2(link *osconfig.Node, o osconfig.Entry) bool {
	names := map[string]string{
		"set-name": "set_name", "gateway4": "gateway", "gateway6": "gateway_ipv6", "mtu": "mtu",
		"macaddress": "mac_address", "id": "id", "link": "link", "table": "table",
	}
	switches := map[string]string{
		"dhcp4": "dhcp", "dhcp6": "dhcp6", "optional": "optional", "accept-ra": "accept_ra", "ipv6-privacy": "ipv6_privacy",
	}
	if name := names[o.Key]; name != "" {
		if !o.Value.IsNull() {
			setOnce(link, name, o.Value)
		}
		return true
	}
	if name := switches[o.Key]; name != "" {
		if !o.Value.IsNull() {
			setOnce(link, name, truth(o.Value))
		}
		return true
	}
	if name := offloads2(o.Key); name != "" && !o.Value.IsNull() {
		offloads := link.Child("offloads")
		if offloads == nil {
			offloads = osconfig.NewMap(o.Value.Pos)
			set(link, "offloads", offloads)
		}
		setOnce(offloads, name, truth(o.Value))
		return true
	}
	return false
}

// offloads2 is ethtool's name of what netplan calls an offload.
func offloads2(key string) string {
	return map[string]string{
		"receive-checksum-offload": "rx", "transmit-checksum-offload": "tx", "tcp-segmentation-offload": "tso",
		"tcp6-segmentation-offload": "tx-tcp6-segmentation", "generic-segmentation-offload": "gso",
		"generic-receive-offload": "gro", "large-receive-offload": "lro",
	}[key]
}

// without2 takes options that have no meaning here, and says so unless they
// ask for what is the case anyway.
func (t *translator) without2(link *osconfig.Node, o osconfig.Entry) bool {
	switch v := o.Value; o.Key {
	case "wakeonlan", "critical", "ignore-carrier":
		if !isFalse(v) {
			t.skip(v, o.Key)
		}
	case "dhcp-identifier": // the hardware address is sent in any case
		if text(v) != "mac" {
			t.skip(v, "dhcp-identifier other than mac")
		}
	case "link-local":
		families := []string{}
		for _, family := range values(v) {
			families = append(families, text(family))
			if text(family) == "ipv4" {
				setOnce(link, "ipv4ll", yes(family))
			}
		}
		if !slices.Contains(families, "ipv6") {
			t.skip(v, "link-local without ipv6")
		}
	case "activation-mode":
		switch text(v) {
		case "manual", "off":
			setOnce(link, "up", osconfig.ResolvePlain(v.Pos, "false"))
		default:
			t.skip(v, "activation-mode "+text(v))
		}
	default:
		return false
	}
	return true
}

func (t *translator) option2(link *osconfig.Node, o osconfig.Entry) bool {
	v := o.Value
	switch o.Key {
	case "match":
		t.match2(link, v)
	case "addresses":
		for _, a := range values(v) {
			if a.Kind == osconfig.Map { // {ADDRESS: {label: …, lifetime: …}}
				for _, e := range a.Map {
					t.others(e.Value, "an address's ")
					add(link, "addresses", osconfig.NewString(e.KeyPos, e.Key))
				}
				continue
			}
			add(link, "addresses", a)
		}
	case "nameservers":
		linkDNS(link, "nameservers", v.Child("addresses"))
		linkDNS(link, "search", v.Child("search"))
		t.others(v, "the nameservers' ", "addresses", "search")
	case "routes":
		for _, r := range values(v) {
			t.others(r, "the route's ", "to", "via", "from", "metric", "table", "mtu", "on-link", "type", "scope")
			t.route(link, routeData{
				at: r, to: r.Child("to"), via: r.Child("via"), from: r.Child("from"), metric: r.Child("metric"),
				table: r.Child("table"), mtu: r.Child("mtu"), onLink: r.Child("on-link"), kind: r.Child("type"), scope: r.Child("scope"),
			})
		}
	case "routing-policy":
		t.policy2(v)
	case "dhcp4-overrides", "dhcp6-overrides":
		t.overrides2(link, v)
	default:
		return false
	}
	return true
}

// match2 takes what decides: a MAC address before a name before a driver.
func (t *translator) match2(link, v *osconfig.Node) {
	mac, name, driver := v.Child("macaddress"), v.Child("name"), values(v.Child("driver"))
	known := []string{}
	switch {
	case text(mac) != "":
		set(link, "match", osconfig.NewString(mac.Pos, "mac="+strings.ToLower(text(mac))))
		known = append(known, "macaddress")
	case text(name) != "":
		set(link, "match", name)
		known = append(known, "name")
	case len(driver) == 1:
		set(link, "match", osconfig.NewString(driver[0].Pos, "driver="+text(driver[0])))
		known = append(known, "driver")
	case v.IsNull() || len(v.Map) == 0:
		t.skip(v, "an empty match")
	}
	t.others(v, "besides what else is matched, ", known...)
}

// kind2 takes what only some kinds of links have.
func (t *translator) kind2(link *osconfig.Node, o osconfig.Entry, kind string) {
	switch {
	case o.Key == "interfaces" && kind != "":
		add(link, "members", words(o.Value)...)
	case o.Key == "parameters" && kind == "bond":
		t.bondOptions(link, o.Value)
	case o.Key == "parameters" && kind == "bridge":
		for _, p := range o.Value.Map {
			switch p.Key {
			case "stp":
				setOnce(link, "stp", truth(p.Value))
			case "forward-delay":
				setOnce(link, "forward_delay", seconds(p.Value))
			default:
				t.skip(p.Value, "the bridge's "+p.Key)
			}
		}
	default:
		t.skip(o.Value, o.Key)
	}
}
