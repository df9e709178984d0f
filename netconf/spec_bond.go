package netconf

import (
	"maps"
	"slices"
	"strings"
)

// bondOptions reads the options of a bond, in the kernel's names. A bond of
// which nothing is said works with every switch; every one notices a cut
// cable, which the kernel's own default does not.
func (p *parser) bondOptions(path string, opts map[string]string) map[string]string {
	out := map[string]string{"mode": "balance-rr"} // the kernel's own
	if len(opts) == 0 {
		out["mode"] = "active-backup"
	}
	mode := out["mode"]
	if given := BondValue("mode", opts["mode"]); slices.Contains(BondNames()["mode"], given) {
		mode = given
	}
	for _, key := range slices.Sorted(maps.Keys(opts)) {
		value := opts[key]
		if value = BondValue(key, value); value == "" {
			continue
		}
		names := BondNames()[key]
		if names != nil && !slices.Contains(names, value) {
			p.bad(path+".bond_opts."+key, value, "is not one of: "+strings.Join(names, ", "))
			continue
		}
		if modes := bondOptionModes()[key]; modes != nil && !slices.Contains(modes, mode) {
			p.bad(path+".bond_opts."+key, value, "does not go with mode "+mode)
			continue
		}
		if key == "primary" || key == "active_slave" {
			value = p.linkName(value)
		}
		out[key] = value
	}
	watched := func(key string) bool { return out[key] != "" && out[key] != "0" }
	if _, given := out["miimon"]; !given && !watched("arp_interval") {
		out["miimon"] = "100" // milliseconds
	}
	return out
}

// bondOptionModes are the modes of options that others refuse, which would
// cost the whole bond (unsuppmodes in drivers/net/bonding/bond_options.c).
func bondOptionModes() map[string][]string {
	lacp, active := []string{"802.3ad"}, []string{"active-backup", "balance-tlb", "balance-alb"}
	asking := []string{"balance-rr", "active-backup", "balance-xor", "broadcast"}
	return map[string][]string{
		"packets_per_slave": {"balance-rr"}, "tlb_dynamic_lb": {"balance-tlb", "balance-alb"},
		"lacp_rate": lacp, "lacp_active": lacp, "ad_actor_sys_prio": lacp, "ad_actor_system": lacp, "ad_user_port_key": lacp,
		"primary": active, "active_slave": active,
		"arp_interval": asking, "arp_validate": asking,
	}
}
