package osconfig

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Options of a bond and their values: the kernel's
// Documentation/networking/bonding.rst and drivers/net/bonding/bond_options.c.

// BondNames lists, by option, the values of a bond's options that have names;
// the number of each is its place.
func BondNames() map[string][]string {
	return map[string][]string{
		"mode":              {"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"},
		"lacp_rate":         {"slow", "fast"},
		"xmit_hash_policy":  {"layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"},
		"ad_select":         {"stable", "bandwidth", "count"},
		"arp_all_targets":   {"any", "all"},
		"arp_validate":      {"none", "active", "backup", "all", "filter", "filter_active", "filter_backup"},
		"fail_over_mac":     {"none", "active", "follow"},
		"primary_reselect":  {"always", "better", "failure"},
		"use_carrier":       {"off", "on"},
		"all_slaves_active": {"off", "on"},
		"tlb_dynamic_lb":    {"off", "on"},
		"lacp_active":       {"off", "on"},
	}
}

// bondNumbers are the options that are numbers, with the least and the most
// of each.
func bondNumbers() map[string][2]int {
	const most = 1<<31 - 1
	return map[string][2]int{
		"miimon": {0, most}, "updelay": {0, most}, "downdelay": {0, most}, "arp_interval": {0, most},
		"peer_notif_delay": {0, 300_000}, "lp_interval": {1, most}, "min_links": {0, most}, "packets_per_slave": {0, 65535},
		"resend_igmp": {0, 255}, "num_grat_arp": {0, 255}, "num_unsol_na": {0, 255}, "ad_actor_sys_prio": {1, 65535},
		"ad_user_port_key": {0, 1023}, "arp_missed_max": {1, 255},
	}
}

// bondTexts are the other options.
func bondTexts() map[string]func(string) string {
	return map[string]func(string) string{
		"primary": linkName, "active_slave": linkName, "ad_actor_system": ownMAC,
		"arp_ip_target": bondTargets(4), "ns_ip6_target": bondTargets(6),
	}
}

// BondOptionModes are the modes in which a bond takes an option; nil is all.
// In others the kernel refuses the whole bond (unsuppmodes of its bond_opts).
func BondOptionModes(option string) []string {
	switch option {
	case "packets_per_slave":
		return []string{"balance-rr"}
	case "tlb_dynamic_lb":
		return []string{"balance-tlb", "balance-alb"}
	case "lacp_rate", "lacp_active", "ad_actor_sys_prio", "ad_actor_system", "ad_user_port_key":
		return []string{"802.3ad"}
	case "primary", "active_slave":
		return []string{"active-backup", "balance-tlb", "balance-alb"}
	case "arp_interval", "arp_validate", "arp_missed_max":
		return []string{"balance-rr", "active-backup", "balance-xor", "broadcast"}
	}
	return nil
}

// BondOptionOff says whether a value is left out where the option does not fit.
func BondOptionOff(value string) bool {
	return slices.Contains([]string{"", "0", "none", "off"}, value)
}

// bondOption checks a key of bond_opts.
func bondOption(key string, _ *Node) string {
	var known []string
	known = slices.AppendSeq(known, maps.Keys(BondNames()))
	known = slices.AppendSeq(known, maps.Keys(bondNumbers()))
	known = slices.AppendSeq(known, maps.Keys(bondTexts()))
	if slices.Contains(known, key) {
		return ""
	}
	slices.Sort(known)
	return fmt.Sprintf("%s is no option of a bond%s", quote(key), nearest(key, known))
}

// bondOptions checks the values of bond_opts.
func bondOptions(n *Node) []finding {
	var out []finding
	for _, e := range n.Map {
		if e.Value.IsNull() || !e.Value.Scalar() {
			continue
		}
		if problem := bondValue(e.Key, e.Value); problem != "" {
			out = append(out, finding{severity: Error, kind: Value, key: e.Key, text: problem})
		}
	}
	return out
}

func bondValue(key string, value *Node) string {
	s := value.Text
	if bounds, ok := bondNumbers()[key]; ok {
		if _, err := strconv.Atoi(s); err != nil {
			return fmt.Sprintf("%s is no whole number", quote(s))
		}
		return between(bounds[0], bounds[1])(s)
	}
	if check, ok := bondTexts()[key]; ok {
		return check(s)
	}
	names := BondNames()[key]
	if len(names) == 0 || slices.Contains(names, s) {
		return ""
	}
	if i, err := strconv.Atoi(s); err == nil && i >= 0 && i < len(names) {
		return ""
	}
	if names[0] == "off" && (saysYes(value) || saysNo(value)) {
		return ""
	}
	return fmt.Sprintf("%s is not one of: %s, or their numbers 0 to %d", quote(s), strings.Join(names, ", "), len(names)-1)
}

// bondTargets checks a list of the machines that a bond asks for, all of one
// IP version.
func bondTargets(version int) func(string) string {
	const most = 16 // BOND_MAX_ARP_TARGETS
	return func(s string) string {
		known := map[netip.Addr]bool{}
		for text := range strings.SplitSeq(s, ",") {
			text = strings.TrimSpace(text)
			if problem := hostAddress(text); problem != "" {
				return problem
			}
			switch a := netip.MustParseAddr(text); {
			case family(text) != version || a.Is4In6() || a.Zone() != "":
				return fmt.Sprintf("%s is no plain IPv%d address", text, version)
			case known[a]:
				return fmt.Sprintf("%s is there twice", text)
			default:
				known[a] = true
			}
		}
		if len(known) > most {
			return fmt.Sprintf("%d addresses; a bond asks at most %d", len(known), most)
		}
		return ""
	}
}

// bondMode is the name of a bond's mode, also when it is given by its number.
func bondMode(opts *Node) string {
	mode, names := opts.Child("mode"), BondNames()["mode"]
	if mode.IsNull() {
		return names[0]
	}
	if i, err := strconv.Atoi(mode.Text); err == nil && i >= 0 && i < len(names) {
		return names[i]
	}
	return mode.Text
}

// bondConflicts looks at options of a whole document that do not go together.
func bondConflicts(opts *Node) []finding {
	var out []finding
	say := func(severity Severity, key, text string) {
		out = append(out, finding{severity: severity, kind: Conflict, key: key, text: text})
	}
	mode := bondMode(opts)
	// What is off needs no mode: a stronger layer may have switched it off.
	given := func(key string) bool { return !BondOptionOff(textAt(opts, key)) && !saysNo(opts.Child(key)) }
	fits := func(key string) bool { m := BondOptionModes(key); return m == nil || slices.Contains(m, mode) }
	for _, e := range opts.Map {
		if modes := BondOptionModes(e.Key); given(e.Key) && !fits(e.Key) {
			say(Error, e.Key, fmt.Sprintf("mode %s does not take it; it is for %s", mode, strings.Join(modes, ", ")))
		}
	}
	asks := given("arp_interval") && fits("arp_interval")
	switch {
	case given("miimon") && asks:
		say(Error, "arp_interval", "miimon is set too; a bond has one of the two")
	case asks && !given("arp_ip_target") && !given("ns_ip6_target"):
		say(Error, "arp_interval", "arp_ip_target is missing: there is nobody to ask")
	case given("arp_validate") && fits("arp_validate") && !asks:
		say(Error, "arp_validate", "arp_interval is missing: nobody is asked")
	}
	if miimon := textAt(opts, "miimon"); miimon == "0" || miimon == "" && asks {
		for _, key := range []string{"updelay", "downdelay", "peer_notif_delay"} {
			if given(key) {
				say(Warning, key, "it has no effect without miimon")
			}
		}
	}
	if a, b := textAt(opts, "num_grat_arp"), textAt(opts, "num_unsol_na"); a != "" && b != "" && a != b {
		say(Error, "num_unsol_na", "it is another name of num_grat_arp, which is "+a)
	}
	return out
}

// prefixOf reads an address with a prefix length; it is false for others.
func prefixOf(n *Node) (netip.Prefix, bool) {
	if n.IsNull() || !n.Scalar() {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(n.Text)
	return p, err == nil
}
