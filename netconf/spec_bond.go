package netconf

import (
	"maps"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
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
		if modes := osconfig.BondOptionModes(key); modes != nil && !slices.Contains(modes, mode) {
			if osconfig.BondOptionOff(opts[key]) || osconfig.BondOptionOff(value) {
				continue
			}
			p.bad(path+".bond_opts."+key, value, "does not go with mode "+mode)
			continue
		}
		if key == "primary" || key == "active_slave" {
			value = p.linkName(value)
		}
		out[key] = value
	}
	if _, given := out["miimon"]; !given && osconfig.BondOptionOff(out["arp_interval"]) {
		out["miimon"] = "100" // milliseconds
	}
	p.withoutRefused(path, out)
	return out
}

// withoutRefused takes out what would cost the whole bond beside another
// option: each of the two is good alone (bond_changelink in
// drivers/net/bonding/bond_netlink.c).
func (p *parser) withoutRefused(path string, out map[string]string) {
	on := func(key string) bool { return !osconfig.BondOptionOff(out[key]) }
	drop := func(why string, keys ...string) {
		for _, key := range keys {
			if on(key) {
				p.bad(path+".bond_opts."+key, out[key], why)
				delete(out, key)
			}
		}
	}
	if on("miimon") {
		drop("does not go with miimon", "arp_interval", "arp_validate")
	} else {
		delays := []string{"updelay", "downdelay", "peer_notif_delay"}
		drop("has no effect without miimon", delays...)
		for _, key := range delays { // 0 is refused, too
			delete(out, key)
		}
	}
	if one, other := out["num_grat_arp"], out["num_unsol_na"]; one != "" && other != "" {
		if one != other {
			p.bad(path+".bond_opts.num_unsol_na", other, "is another name of num_grat_arp, which is "+one)
		}
		delete(out, "num_unsol_na")
	}
}
