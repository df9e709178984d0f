package netconf

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Recreate tells whether a link that is like have has to be deleted and made
// again to become like d: the kernel does not change the difference on a link
// that exists. Zero fields of d, which leave the kernel its choice, never
// differ.
func (d Device) Recreate(have Device) bool {
	if d.Kind != have.Kind {
		return true
	}
	if d.Parent != "" && d.Parent != have.Parent || d.ID != 0 && d.ID != have.ID {
		return true
	}
	switch d.Kind {
	case KindVLAN:
		return d.Protocol != "" && !strings.EqualFold(d.Protocol, have.Protocol)
	case KindBond: // needs a bond without members
		return bondDiffers(d.Bond, have.Bond, "mode") || bondDiffers(d.Bond, have.Bond, "fail_over_mac")
	case KindMacvlan:
		return d.Mode != "" && d.Mode != have.Mode && (d.Mode == "passthru" || have.Mode == "passthru")
	case KindVXLAN:
		return addrDiffers(d.Remote, have.Remote) || addrDiffers(d.Local, have.Local) ||
			addrDiffers(d.Group, have.Group) || d.Port != 0 && d.Port != have.Port
	case KindVRF:
		return d.Table != 0 && d.Table != have.Table
	}
	return false
}

// Differs tells whether a link that is like have is not like d: whether
// SetDevice, or Recreate, has something to do. Zero fields of d never differ.
func (d Device) Differs(have Device) bool {
	if d.Recreate(have) {
		return true
	}
	switch d.Kind {
	case KindVLAN:
		return qosDiffers(d.Egress, have.Egress) || qosDiffers(d.Ingress, have.Ingress)
	case KindBond:
		for option := range d.Bond {
			if bondDiffers(d.Bond, have.Bond, option) {
				return true
			}
		}
	case KindBridge:
		return pointerDiffers(d.Bridge.STP, have.Bridge.STP) ||
			pointerDiffers(d.Bridge.ForwardDelay, have.Bridge.ForwardDelay) ||
			pointerDiffers(d.Bridge.VLANFiltering, have.Bridge.VLANFiltering)
	case KindMacvlan, KindIPvlan:
		return d.Mode != "" && d.Mode != have.Mode
	case KindWireGuard:
		return d.Port != 0 && d.Port != have.Port || d.WireGuard.differs(have.WireGuard)
	}
	return false
}

// differs is Device.Differs for what is WireGuard's own. A list of peers is
// whole: others are to go, and so is a key that a peer has no longer.
func (w WireGuard) differs(have WireGuard) bool {
	if w.PrivateKey != "" && clamped(w.PrivateKey) != clamped(have.PrivateKey) ||
		w.FirewallMark != 0 && w.FirewallMark != have.FirewallMark {
		return true
	}
	if w.Peers == nil {
		return false
	}
	byKey := make(map[string]Peer)
	for _, p := range have.Peers {
		byKey[p.PublicKey] = p
	}
	for _, p := range w.Peers {
		h, ok := byKey[p.PublicKey]
		if !ok || p.PresharedKey != h.PresharedKey || p.Keepalive != h.Keepalive ||
			p.Endpoint != "" && p.Endpoint != h.Endpoint || !slices.Equal(networks(p.AllowedIPs), networks(h.AllowedIPs)) {
			return true
		}
	}
	return len(w.Peers) != len(have.Peers)
}

// clamped is a private key as the kernel keeps it: some of its bits are always
// the same (RFC 7748, section 5). What is no key stays as it is.
func clamped(key string) string {
	b, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(b) != 32 {
		return key
	}
	b[0] &= 248
	b[31] = b[31]&127 | 64
	return base64.StdEncoding.EncodeToString(b)
}

// networks masks and sorts, which is how the kernel keeps them.
func networks(list []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, p := range list {
		out = append(out, p.Masked())
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// qosDiffers compares maps of priorities; a mapping to 0 is none.
func qosDiffers(want, have map[uint32]uint32) bool {
	clean := func(m map[uint32]uint32) map[uint32]uint32 {
		m = maps.Clone(m)
		maps.DeleteFunc(m, func(_, to uint32) bool { return to == 0 })
		return m
	}
	return want != nil && !maps.Equal(clean(want), clean(have))
}

func addrDiffers(want, have netip.Addr) bool { return want.IsValid() && want != have }

func pointerDiffers[T comparable](want, have *T) bool {
	return want != nil && (have == nil || *want != *have)
}
