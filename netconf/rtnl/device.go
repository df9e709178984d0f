package rtnl

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Attributes below IFLA_INFO_DATA, by kind (linux/if_link.h).
const (
	vlanID         = 1
	vlanEgress     = 3
	vlanIngress    = 4
	vlanProtocol   = 5 // network order
	vlanQoSMapping = 1

	bridgeForwardDelay  = 1 // hundredths of a second
	bridgeSTP           = 5
	bridgeVLANFiltering = 7

	macvlanMode = 1
	ipvlanMode  = 1 // 16 bits

	vxlanID     = 1
	vxlanGroup  = 2 // or remote
	vxlanLink   = 3
	vxlanLocal  = 4
	vxlanPort   = 15 // network order
	vxlanGroup6 = 16
	vxlanLocal6 = 17

	vrfTable = 1
)

// vxlanUDP is the port of RFC 7348; the kernel's own choice is an older one.
const vxlanUDP = 4789

// ticks is what the kernel counts a second as when it talks to programs.
const ticks = 100

func vlanProtocols() map[string]int {
	return map[string]int{"802.1q": unix.ETH_P_8021Q, "802.1ad": unix.ETH_P_8021AD}
}

func macvlanModes() map[string]int {
	return map[string]int{"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
}

func ipvlanModes() map[string]int { return map[string]int{"l2": 0, "l3": 1, "l3s": 2} }

// word returns the word for a number.
func word(words map[string]int, n int) string {
	for w, i := range words {
		if i == n {
			return w
		}
	}
	return fmt.Sprint(n)
}

// decode says what a link of a kind that netconf makes is like.
func decode(f *found, names map[int]string) netconf.Device {
	d := netconf.Device{Kind: f.Kind}
	i := f.info
	switch f.Kind {
	case netconf.KindVLAN:
		d.Parent, d.ID, d.Protocol = names[f.parent], i.number(vlanID), word(vlanProtocols(), i.port(vlanProtocol))
		d.Egress, d.Ingress = priorities(i[vlanEgress]), priorities(i[vlanIngress])
	case netconf.KindBond:
		d.Bond = decodeBond(i, names)
	case netconf.KindBridge:
		stp, filtering := i.number(bridgeSTP) != 0, i.number(bridgeVLANFiltering) != 0
		delay := i.number(bridgeForwardDelay) / ticks
		d.Bridge = netconf.Bridge{STP: &stp, ForwardDelay: &delay, VLANFiltering: &filtering}
	case netconf.KindMacvlan:
		d.Parent, d.Mode = names[f.parent], word(macvlanModes(), i.number(macvlanMode))
	case netconf.KindIPvlan:
		d.Parent, d.Mode = names[f.parent], word(ipvlanModes(), i.number(ipvlanMode))
	case netconf.KindVXLAN:
		d.Parent, d.ID, d.Port = names[i.number(vxlanLink)], i.number(vxlanID), i.port(vxlanPort)
		d.Local = either(i, vxlanLocal, vxlanLocal6)
		if to := either(i, vxlanGroup, vxlanGroup6); to.IsMulticast() {
			d.Group = to
		} else {
			d.Remote = to
		}
	case netconf.KindVRF:
		d.Table = i.number(vrfTable)
	case netconf.KindDummy, netconf.KindWireGuard:
	default:
		return netconf.Device{}
	}
	return d
}

// either reads an address that has two attributes, one for each family.
func either(a attrs, four, six uint16) netip.Addr {
	ip := a.addr(four)
	if !ip.IsValid() || ip.IsUnspecified() {
		ip = a.addr(six)
	}
	if ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}

// priorities reads a VLAN's map.
func priorities(b []byte) map[uint32]uint32 {
	var m map[uint32]uint32
	each(b, func(kind uint16, value []byte) {
		if kind != vlanQoSMapping || len(value) < 8 {
			return
		}
		if m == nil {
			m = make(map[uint32]uint32)
		}
		m[binary.NativeEndian.Uint32(value)] = binary.NativeEndian.Uint32(value[4:])
	})
	return m
}

// encode adds to data what makes or changes a link of d's kind. have is the
// link that is there, zero for a new one; parent is the index of the one that
// it is on; index finds others.
func encode(data *nl.RtAttr, d, have netconf.Device, parent int, index func(string) (int, error)) error {
	fresh := have.Kind == ""
	switch d.Kind {
	case netconf.KindVLAN:
		if fresh {
			data.AddChild(number16(vlanID, d.ID))
			proto, ok := vlanProtocols()[cmp.Or(strings.ToLower(d.Protocol), "802.1q")]
			if !ok {
				return fmt.Errorf("protocol %s is none of VLANs: %w", d.Protocol, unix.EINVAL)
			}
			data.AddChild(port16(vlanProtocol, proto))
		}
		addPriorities(data, vlanEgress, d.Egress, have.Egress)
		addPriorities(data, vlanIngress, d.Ingress, have.Ingress)
	case netconf.KindBond:
		return encodeBond(data, d.Bond, have.Bond, index)
	case netconf.KindBridge:
		encodeBridge(data, d.Bridge, have.Bridge)
	case netconf.KindMacvlan:
		return addMode(data, macvlanModes(), d.Mode, func(n int) *nl.RtAttr { return number32(macvlanMode, n) })
	case netconf.KindIPvlan:
		return addMode(data, ipvlanModes(), d.Mode, func(n int) *nl.RtAttr { return number16(ipvlanMode, n) })
	case netconf.KindVXLAN:
		encodeVXLAN(data, d, parent)
	case netconf.KindVRF:
		data.AddChild(number32(vrfTable, d.Table))
	}
	return nil
}

// addPriorities adds a VLAN's map; what is there and not wanted becomes 0,
// which is none. A nil map is left as it is.
func addPriorities(data *nl.RtAttr, kind int, want, have map[uint32]uint32) {
	if want == nil {
		return
	}
	list := nl.NewRtAttr(kind|unix.NLA_F_NESTED, nil)
	add := func(from, to uint32) {
		list.AddRtAttr(vlanQoSMapping, slices.Concat(nl.Uint32Attr(from), nl.Uint32Attr(to)))
	}
	for from := range have {
		if _, ok := want[from]; !ok {
			add(from, 0)
		}
	}
	for from, to := range want {
		if have[from] != to {
			add(from, to)
		}
	}
	data.AddChild(list)
}

func addMode(data *nl.RtAttr, modes map[string]int, mode string, attr func(int) *nl.RtAttr) error {
	if mode == "" {
		return nil
	}
	n, ok := modes[mode]
	if !ok {
		return fmt.Errorf("mode %s is none of this kind: %w", mode, unix.EINVAL)
	}
	data.AddChild(attr(n))
	return nil
}

// encodeBridge adds what differs. A new bridge has neither a spanning tree nor
// VLANs, and some kernels do not know the latter at all.
func encodeBridge(data *nl.RtAttr, want, have netconf.Bridge) {
	differs := func(want, have *bool) bool {
		return want != nil && *want != (have != nil && *have)
	}
	flag := map[bool]int{true: 1}
	if want.ForwardDelay != nil && (have.ForwardDelay == nil || *want.ForwardDelay != *have.ForwardDelay) {
		data.AddChild(number32(bridgeForwardDelay, *want.ForwardDelay*ticks))
	}
	if differs(want.STP, have.STP) {
		data.AddChild(number32(bridgeSTP, flag[*want.STP]))
	}
	if differs(want.VLANFiltering, have.VLANFiltering) {
		data.AddChild(number8(bridgeVLANFiltering, flag[*want.VLANFiltering]))
	}
}

func encodeVXLAN(data *nl.RtAttr, d netconf.Device, parent int) {
	data.AddChild(number32(vxlanID, d.ID))
	if parent != 0 {
		data.AddChild(number32(vxlanLink, parent))
	}
	add := func(a netip.Addr, four, six int) {
		switch {
		case !a.IsValid():
		case a.Is4():
			data.AddRtAttr(four, a.AsSlice())
		default:
			data.AddRtAttr(six, a.AsSlice())
		}
	}
	add(d.Remote, vxlanGroup, vxlanGroup6)
	add(d.Group, vxlanGroup, vxlanGroup6)
	add(d.Local, vxlanLocal, vxlanLocal6)
	port := d.Port
	if port == 0 {
		port = vxlanUDP
	}
	data.AddChild(port16(vxlanPort, port))
}
