package nocloud

import (
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// bondNames are the kernel's names of options that are not theirs with
// hyphens for underscores.
func bondNames() map[string]string {
	return map[string]string{
		"mii-monitor-interval": "miimon", "transmit-hash-policy": "xmit_hash_policy", "arp-ip-targets": "arp_ip_target",
		"up-delay": "updelay", "down-delay": "downdelay", "gratuitous-arp": "num_grat_arp",
		"primary-reselect-policy": "primary_reselect", "fail-over-mac-policy": "fail_over_mac",
		"learn-packet-interval": "lp_interval", "all-members-active": "all_slaves_active",
		"packets-per-member": "packets_per_slave",
	}
}

// bondOptions gives a bond its options by the kernel's names: what cloud-init
// and netplan write with hyphens, or with the prefix bond. Those that are none
// stay for the validator to refuse.
func (t *translator) bondOptions(link, params *osconfig.Node) {
	if params.IsNull() || params.Kind != osconfig.Map {
		return
	}
	out := osconfig.NewMap(params.Pos)
	for _, e := range params.Map {
		key := strings.TrimPrefix(strings.TrimPrefix(e.Key, "bond-"), "bond_")
		if known := bondNames()[strings.ReplaceAll(key, "_", "-")]; known != "" {
			key = known
		}
		key = strings.ReplaceAll(key, "-", "_")
		value := e.Value
		switch {
		case slices.Contains([]string{"miimon", "updelay", "downdelay", "arp_interval"}, key):
			value = duration(value, time.Millisecond)
		case key == "lp_interval":
			value = seconds(value)
		}
		var parts []string
		for _, v := range values(value) {
			if s := text(v); s != "" {
				parts = append(parts, s)
			}
		}
		switch {
		case value.IsNull():
			continue
		case slices.Contains([]string{"all_slaves_active", "use_carrier", "tlb_dynamic_lb", "lacp_active"}, key):
			if isTrue(value) || isFalse(value) {
				parts = []string{map[bool]string{true: "on", false: "off"}[isTrue(value)]}
			}
		case key == "slaves" || key == "members": // of ifupdown; the same as bond_interfaces
			t.skip(value, "the bond's "+e.Key)
			continue
		}
		setOnce(out, key, osconfig.NewString(value.Pos, strings.Join(parts, ",")))
	}
	if len(out.Map) > 0 {
		set(link, "bond_opts", out)
	}
}
