package nocloud

import (
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// version2 reads cloud-init's "Networking Config Version 2", which is
// netplan's format.
func (t *translator) version2(doc *osconfig.Node) {
	for _, e := range doc.Map {
		kind := ""
		switch e.Key {
		case "version", "renderer":
			continue
		case "ethernets":
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
			t.link2(l, kind)
		}
	}
}

func (t *translator) link2(e osconfig.Entry, kind string) {
	link := t.link(e.Key, e.KeyPos)
	if kind != "" {
		set(link, "type", osconfig.NewString(e.KeyPos, kind))
	}
	for _, o := range e.Value.Map {
		if !t.copied2(link, o) && !t.option2(link, o) {
			t.kind2(link, o, kind)
		}
	}
}

// copied2 takes options that are the same here, but for the name.
func (t *translator) copied2(link *osconfig.Node, o osconfig.Entry) bool {
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
	switch o.Key {
	case "renderer", "wakeonlan", "critical", "ignore-carrier", "optional-addresses", "dhcp-identifier":
		return true // nothing here depends on it
	}
	return false
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
					add(link, "addresses", osconfig.NewString(e.KeyPos, e.Key))
				}
				continue
			}
			add(link, "addresses", a)
		}
	case "nameservers":
		t.addDNS("nameservers", v.Child("addresses"))
		t.addDNS("search", v.Child("search"))
	case "routes":
		for _, r := range values(v) {
			t.route(link, routeData{
				at: r, to: r.Child("to"), via: r.Child("via"), from: r.Child("from"), metric: r.Child("metric"),
				table: r.Child("table"), mtu: r.Child("mtu"), onLink: r.Child("on-link"), kind: r.Child("type"), scope: r.Child("scope"),
			})
		}
	case "routing-policy":
		t.policy2(v)
	case "dhcp4-overrides", "dhcp6-overrides":
		t.overrides2(link, v)
	case "link-local":
		for _, family := range values(v) {
			if text(family) == "ipv4" {
				setOnce(link, "ipv4ll", yes(family))
			}
		}
	case "activation-mode":
		setOnce(link, "up", osconfig.ResolvePlain(v.Pos, "false"))
	default:
		return false
	}
	return true
}

func (t *translator) match2(link, v *osconfig.Node) {
	mac, name, driver := v.Child("macaddress"), v.Child("name"), v.Child("driver")
	switch {
	case text(mac) != "":
		set(link, "match", osconfig.NewString(mac.Pos, "mac="+strings.ToLower(text(mac))))
	case text(name) != "":
		set(link, "match", name)
	case len(values(driver)) == 1:
		set(link, "match", osconfig.NewString(driver.Pos, "driver="+text(values(driver)[0])))
	default:
		t.skip(v, "this match")
	}
}

// kind2 takes what only some kinds of links have.
func (t *translator) kind2(link *osconfig.Node, o osconfig.Entry, kind string) {
	switch {
	case o.Key == "interfaces" && kind != "":
		add(link, "members", words(o.Value)...)
	case o.Key == "parameters" && kind == "bond":
		bondOptions(link, o.Value)
	case o.Key == "parameters" && kind == "bridge":
		for _, p := range o.Value.Map {
			switch p.Key {
			case "stp":
				set(link, "stp", truth(p.Value))
			case "forward-delay":
				set(link, "forward_delay", p.Value)
			default:
				t.skip(p.Value, "the bridge's "+p.Key)
			}
		}
	default:
		t.skip(o.Value, o.Key)
	}
}

// policy2 makes rancher.network.rules.
func (t *translator) policy2(v *osconfig.Node) {
	for _, r := range values(v) {
		rule := osconfig.NewMap(r.Pos)
		for _, e := range r.Map {
			switch e.Key {
			case "from", "to", "table", "priority", "mark":
				set(rule, e.Key, e.Value)
			default:
				t.skip(e.Value, "the rule's "+e.Key)
			}
		}
		if t.rules == nil {
			t.rules = osconfig.NewList(v.Pos)
		}
		t.rules.List = append(t.rules.List, rule)
	}
}

// overrides2 makes dhcp_options. There is one set for both families: the
// first that says something counts.
func (t *translator) overrides2(link, v *osconfig.Node) {
	options := osconfig.NewMap(v.Pos)
	if have := link.Child("dhcp_options"); have != nil {
		options = have
	}
	for _, e := range v.Map {
		switch e.Key {
		case "use-dns", "use-routes", "use-mtu", "use-ntp", "use-hostname":
			setOnce(options, strings.ReplaceAll(e.Key, "-", "_"), truth(e.Value))
		case "use-domains":
			setOnce(options, "use_domains", truth(e.Value))
		case "hostname":
			setOnce(options, "hostname", e.Value)
		case "route-metric":
			setOnce(link, "metric", e.Value)
		case "send-hostname":
		default:
			t.skip(e.Value, "the override "+e.Key)
		}
	}
	if link.Child("dhcp_options") == nil && len(options.Map) > 0 {
		set(link, "dhcp_options", options)
	}
}
