package nocloud

import (
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

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
			if text(e.Value) == "route" {
				t.skip(e.Value, "use-domains: route")
				continue
			}
			setOnce(options, "use_domains", truth(e.Value))
		case "hostname":
			setOnce(options, "hostname", e.Value)
		case "route-metric":
			setOnce(link, "metric", e.Value)
		case "send-hostname":
			if !isTrue(e.Value) {
				t.skip(e.Value, "send-hostname: false")
			}
		default:
			t.skip(e.Value, "the override "+e.Key)
		}
	}
	if link.Child("dhcp_options") == nil && len(options.Map) > 0 {
		set(link, "dhcp_options", options)
	}
}

// intoTable gives the rules of a VRF its table.
func (t *translator) intoTable(vrf *osconfig.Node) {
	table, mine := vrf.Child("table"), len(values(vrf.Child("routing-policy")))
	if t.rules == nil || table.IsNull() || mine > len(t.rules.List) {
		return
	}
	for _, rule := range t.rules.List[len(t.rules.List)-mine:] {
		setOnce(rule, "table", table)
	}
}
