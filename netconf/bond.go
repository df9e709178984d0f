package netconf

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// BondNames lists, by option, the values of a bond's options that have names;
// the number of each is its place. The configuration has the kernel's names.
func BondNames() map[string][]string { return osconfig.BondNames() }

// BondValue returns the one spelling of a bond option's value: the name where
// it has one, numbers without leading zeros, lists without spaces.
func BondValue(option, value string) string {
	value = strings.TrimSpace(value)
	if names := BondNames()[option]; names != nil {
		if names[0] == "off" {
			value = onOff(value)
		}
		if i, err := strconv.Atoi(value); err == nil && i >= 0 && i < len(names) {
			return names[i]
		}
		return value
	}
	switch option {
	case "arp_ip_target", "ns_ip6_target":
		var list []string
		for s := range strings.SplitSeq(value, ",") {
			s = strings.TrimSpace(s)
			if a, err := netip.ParseAddr(s); err == nil {
				s = a.String()
			}
			if s != "" {
				list = append(list, s)
			}
		}
		return strings.Join(list, ",")
	case "ad_actor_system":
		return strings.ToLower(value)
	case "primary", "active_slave":
		return value
	}
	if i, err := strconv.Atoi(value); err == nil {
		return strconv.Itoa(i)
	}
	return value
}

// onOff turns YAML's words for a truth value into those of bonding.
func onOff(value string) string {
	switch strings.ToLower(value) {
	case "true", "yes", "y":
		return "on"
	case "false", "no", "n":
		return "off"
	}
	return strings.ToLower(value)
}

// bondDiffers compares one option; one that is not asked for never differs.
// The order of addresses to watch does not matter. Delays are whole multiples
// of miimon: the kernel rounds them down.
func bondDiffers(want, have map[string]string, option string) bool {
	w, asked := want[option]
	if !asked || w == "" {
		return false
	}
	if slices.Contains([]string{"updelay", "downdelay", "peer_notif_delay"}, option) {
		every, _ := strconv.Atoi(cmp.Or(want["miimon"], have["miimon"]))
		if n, err := strconv.Atoi(w); err == nil && every > 0 {
			w = strconv.Itoa(n / every * every)
		}
	}
	return sorted(BondValue(option, w)) != sorted(BondValue(option, have[option]))
}

func sorted(list string) string {
	parts := strings.Split(list, ",")
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
