package nocloud

import (
	"cmp"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Helpers for nodes that this package itself has made; those of a document
// are shared and stay as they are.

func set(m *osconfig.Node, key string, value *osconfig.Node) {
	m.Map = append(m.Map, osconfig.Entry{Key: key, KeyPos: value.Pos, Value: value})
}

func setOnce(m *osconfig.Node, key string, value *osconfig.Node) {
	if m.Child(key) == nil {
		set(m, key, value)
	}
}

func add(m *osconfig.Node, key string, values ...*osconfig.Node) {
	if len(values) == 0 {
		return
	}
	list := m.Child(key)
	if list == nil {
		list = osconfig.NewList(values[0].Pos)
		set(m, key, list)
	}
	list.List = append(list.List, values...)
}

// sortEntries brings what came out of a Go map into a fixed order.
func sortEntries(m *osconfig.Node) {
	slices.SortFunc(m.Map, func(a, b osconfig.Entry) int { return cmp.Compare(a.Key, b.Key) })
}

// values are the items of a list, or a single value as one.
func values(n *osconfig.Node) []*osconfig.Node {
	switch {
	case n.IsNull():
		return nil
	case n.Kind == osconfig.List:
		return n.List
	}
	return []*osconfig.Node{n}
}

// words are the items of a list, or the words of a text, as texts.
func words(n *osconfig.Node) []*osconfig.Node {
	var out []*osconfig.Node
	for _, v := range values(n) {
		for w := range strings.FieldsSeq(text(v)) {
			out = append(out, osconfig.NewString(v.Pos, w))
		}
	}
	return out
}

// text is a scalar's text, "" of everything else.
func text(n *osconfig.Node) string {
	if n.IsNull() || !n.Scalar() {
		return ""
	}
	return strings.TrimSpace(n.Text)
}

// truth makes a truth value of what YAML 1.1 takes for one; everything else
// stays for the validator to refuse.
func truth(n *osconfig.Node) *osconfig.Node {
	switch strings.ToLower(text(n)) {
	case "yes", "on", "true", "y", "1":
		return osconfig.ResolvePlain(n.Pos, "true")
	case "no", "off", "false", "n", "0":
		return osconfig.ResolvePlain(n.Pos, "false")
	}
	return n
}

func isTrue(n *osconfig.Node) bool { return n != nil && truth(n).Text == "true" }

func isFalse(n *osconfig.Node) bool { return n != nil && truth(n).Text == "false" }

func yes(n *osconfig.Node) *osconfig.Node { return osconfig.ResolvePlain(n.Pos, "true") }

// bondOptions gives a bond its options by the kernel's names: what cloud-init
// and netplan write with hyphens, or with the prefix bond.
func bondOptions(link, params *osconfig.Node) {
	if params.IsNull() || params.Kind != osconfig.Map {
		return
	}
	names := map[string]string{
		"mii-monitor-interval": "miimon", "transmit-hash-policy": "xmit_hash_policy", "ad-select": "ad_select",
		"arp-ip-targets": "arp_ip_target", "up-delay": "updelay", "down-delay": "downdelay",
		"gratuitous-arp": "num_grat_arp", "primary-reselect-policy": "primary_reselect",
		"fail-over-mac-policy": "fail_over_mac", "resend-igmp": "resend_igmp", "learn-packet-interval": "lp_interval",
		"all-members-active": "all_slaves_active", "all-slaves-active": "all_slaves_active",
	}
	out := osconfig.NewMap(params.Pos)
	for _, e := range params.Map {
		key := strings.TrimPrefix(strings.TrimPrefix(e.Key, "bond-"), "bond_")
		if known := names[key]; known != "" {
			key = known
		}
		var parts []string
		for _, v := range values(e.Value) {
			if s := text(v); s != "" {
				parts = append(parts, s)
			}
		}
		setOnce(out, strings.ReplaceAll(key, "-", "_"), osconfig.NewString(e.Value.Pos, strings.Join(parts, ",")))
	}
	if len(out.Map) > 0 {
		set(link, "bond_opts", out)
	}
}
