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

func bondModes() []string {
	return []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
}

// bondValues are the options whose values have names; the number of each is
// its place.
func bondValues() map[string][]string {
	return map[string][]string{
		"mode":      bondModes(),
		"lacp_rate": {"slow", "fast"},
		"xmit_hash_policy": {
			"layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac",
		},
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

// bondNumbers are the options that are numbers, and the largest of each.
func bondNumbers() map[string]int {
	const most = 1<<31 - 1
	return map[string]int{
		"miimon": most, "updelay": most, "downdelay": most, "arp_interval": most, "peer_notif_delay": most,
		"lp_interval": most, "min_links": most, "packets_per_slave": 65535, "resend_igmp": 255,
		"num_grat_arp": 255, "num_unsol_na": 255, "ad_actor_sys_prio": 65535, "ad_user_port_key": 1023,
		"arp_missed_max": 255,
	}
}

// bondTexts are the other options.
func bondTexts() map[string]func(string) string {
	return map[string]func(string) string{
		"primary": linkName, "active_slave": linkName, "ad_actor_system": ownMAC,
		"arp_ip_target": addressList, "ns_ip6_target": addressList,
	}
}

// bondOption checks a key of bond_opts.
func bondOption(key string, _ *Node) string {
	var known []string
	known = slices.AppendSeq(known, maps.Keys(bondValues()))
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
	if most, ok := bondNumbers()[key]; ok {
		if _, err := strconv.Atoi(s); err != nil {
			return fmt.Sprintf("%s is no whole number", quote(s))
		}
		return between(0, most)(s)
	}
	if check, ok := bondTexts()[key]; ok {
		return check(s)
	}
	names := bondValues()[key]
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

func addressList(s string) string {
	for a := range strings.SplitSeq(s, ",") {
		if problem := hostAddress(strings.TrimSpace(a)); problem != "" {
			return problem
		}
	}
	return ""
}

// bondMode is the name of a bond's mode, also when it is given by its number.
func bondMode(opts *Node) string {
	mode := opts.Child("mode")
	if mode.IsNull() {
		return bondModes()[0]
	}
	if i, err := strconv.Atoi(mode.Text); err == nil && i >= 0 && i < len(bondModes()) {
		return bondModes()[i]
	}
	return mode.Text
}

// bondConflicts looks at options of a whole document that do not go together.
func bondConflicts(opts *Node) []finding {
	conflict := func(severity Severity, key, text string) []finding {
		return []finding{{severity: severity, kind: Conflict, key: key, text: text}}
	}
	given := func(key string) bool { c := opts.Child(key); return !c.IsNull() && c.Text != "0" && c.Text != "" }
	mode := bondMode(opts)
	switch {
	case given("miimon") && given("arp_interval"):
		return conflict(Error, "arp_interval", "miimon is set too; a bond has one of the two")
	case given("arp_interval") && !given("arp_ip_target") && !given("ns_ip6_target"):
		return conflict(Error, "arp_interval", "arp_ip_target is missing: there is nobody to ask")
	case given("arp_interval") && slices.Contains([]string{"802.3ad", "balance-tlb", "balance-alb"}, mode):
		return conflict(Error, "arp_interval", fmt.Sprintf("mode %s watches its links with miimon only", mode))
	case given("updelay") && !given("miimon"):
		return conflict(Warning, "updelay", "it has no effect without miimon")
	case given("downdelay") && !given("miimon"):
		return conflict(Warning, "downdelay", "it has no effect without miimon")
	case !opts.Child("lacp_rate").IsNull() && mode != "802.3ad":
		return conflict(Error, "lacp_rate", fmt.Sprintf("it is for mode 802.3ad only, not for %s", mode))
	case !opts.Child("packets_per_slave").IsNull() && mode != "balance-rr":
		return conflict(Error, "packets_per_slave", fmt.Sprintf("it is for mode balance-rr only, not for %s", mode))
	case !opts.Child("lacp_active").IsNull() && mode != "802.3ad":
		return conflict(Error, "lacp_active", fmt.Sprintf("it is for mode 802.3ad only, not for %s", mode))
	case given("primary") && !slices.Contains([]string{"active-backup", "balance-tlb", "balance-alb"}, mode):
		return conflict(Error, "primary", fmt.Sprintf("mode %s has no primary link", mode))
	}
	return nil
}

// prefixOf reads an address with a prefix length; it is false for others.
func prefixOf(n *Node) (netip.Prefix, bool) {
	if n.IsNull() || !n.Scalar() {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(n.Text)
	return p, err == nil
}
