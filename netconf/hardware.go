package netconf

import "path"

// features turns ethtool's older names of offloads into patterns of the
// kernel's (ethtool.c, off_flag_def). A name that is not here is the kernel's.
func features() map[string]string {
	out := make(map[string]string)
	for pattern, names := range map[string][]string{
		"rx-checksum":             {"rx", "rx-checksumming"},
		"tx-checksum-*":           {"tx", "tx-checksumming"},
		"tx-scatter-gather*":      {"sg", "scatter-gather"},
		"tx-tcp*-segmentation":    {"tso", "tcp-segmentation-offload"},
		"tx-udp-fragmentation":    {"ufo", "udp-fragmentation-offload"},
		"tx-generic-segmentation": {"gso", "generic-segmentation-offload"},
		"rx-gro":                  {"gro", "generic-receive-offload"},
		"rx-lro":                  {"lro", "large-receive-offload"},
		"rx-vlan-hw-parse":        {"rxvlan", "rx-vlan-offload"},
		"tx-vlan-hw-insert":       {"txvlan", "tx-vlan-offload"},
		"rx-ntuple-filter":        {"ntuple", "ntuple-filters"},
		"rx-hashing":              {"rxhash", "receive-hashing"},
	} {
		for _, name := range names {
			out[name] = pattern
		}
	}
	return out
}

// Features lists, for an offload by any of its names, those features of have
// that make it up.
func (h Hardware) Features(offload string) []string {
	pattern, old := features()[offload]
	if !old {
		pattern = offload
	}
	var list []string
	for feature := range h.Offloads {
		if ok, _ := path.Match(pattern, feature); ok {
			list = append(list, feature)
		}
	}
	return list
}

// Differs tells whether have is not as h asks; what h leaves out never
// differs. What the hardware does not have at all counts as off.
func (h Hardware) Differs(have Hardware) bool {
	if h.RingRX != 0 && h.RingRX != have.RingRX || h.RingTX != 0 && h.RingTX != have.RingTX {
		return true
	}
	for offload, on := range h.Offloads {
		if have.OffloadDiffers(offload, on) {
			return true
		}
	}
	return false
}

// OffloadDiffers tells whether the hardware h has one offload otherwise than
// it should be.
func (h Hardware) OffloadDiffers(offload string, on bool) bool {
	list := h.Features(offload)
	for _, feature := range list {
		if h.Offloads[feature] != on {
			return true
		}
	}
	return on && len(list) == 0
}
