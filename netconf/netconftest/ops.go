package netconftest

import (
	"maps"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// longest is the length of a link's name, IFNAMSIZ - 1.
const longest = 15

// largestRing is how many entries the hardware's rings can have.
const largestRing = 4096

// SetUp implements netconf.Kernel. The loopback link gets its addresses.
func (k *Kernel) SetUp(id netconf.LinkID) error {
	return k.change(netconf.Op{Kind: netconf.OpSetUp, Link: id}, func(l *link) error {
		if l.Loopback && len(l.Addresses) == 0 {
			l.Addresses = []netconf.Address{{Prefix: netip.MustParsePrefix("127.0.0.1/8"), Kernel: true},
				{Prefix: netip.MustParsePrefix("::1/128"), Kernel: true}}
		}
		return k.up(l)
	})
}

// SetDown implements netconf.Kernel.
func (k *Kernel) SetDown(id netconf.LinkID) error {
	return k.change(netconf.Op{Kind: netconf.OpSetDown, Link: id}, func(l *link) error {
		k.down(l)
		return nil
	})
}

// SetName implements netconf.Kernel.
func (k *Kernel) SetName(id netconf.LinkID, name string) error {
	return k.change(netconf.Op{Kind: netconf.OpSetName, Link: id, Name: name}, func(l *link) error {
		switch o := k.byName(name); {
		case o == l:
			return nil
		case o != nil:
			return unix.EEXIST
		case name == "" || len(name) > longest || strings.ContainsAny(name, "/: \t\n"):
			return unix.EINVAL
		}
		l.Name = name
		return nil
	})
}

// SetMAC implements netconf.Kernel.
func (k *Kernel) SetMAC(id netconf.LinkID, mac string) error {
	return k.change(netconf.Op{Kind: netconf.OpSetMAC, Link: id, MAC: mac}, func(l *link) error {
		hw, err := net.ParseMAC(mac)
		if err != nil || len(hw) != 6 {
			return unix.EINVAL
		}
		if hw[0]&1 != 0 {
			return unix.EADDRNOTAVAIL
		}
		l.ownMAC = true
		k.setMAC(l, hw.String())
		return nil
	})
}

// SetMTU implements netconf.Kernel. A VLAN's MTU is at most its parent's and
// shrinks with it; a bond's is its members' too.
func (k *Kernel) SetMTU(id netconf.LinkID, mtu int) error {
	return k.change(netconf.Op{Kind: netconf.OpSetMTU, Link: id, MTU: mtu}, func(l *link) error {
		if mtu < 68 || mtu > 65535 {
			return unix.EINVAL
		}
		if p := k.index(l.parent); p != nil && l.Kind != netconf.KindVXLAN && mtu > p.MTU {
			if l.Kind == netconf.KindVLAN {
				return unix.ERANGE
			}
			return unix.EINVAL
		}
		l.ownMTU = true
		k.setMTU(l, mtu)
		return nil
	})
}

func (k *Kernel) setMTU(l *link, mtu int) {
	l.MTU = mtu
	for _, c := range k.children(l) {
		if c.Kind != netconf.KindVXLAN && c.MTU > mtu {
			k.setMTU(c, mtu)
		}
	}
	if l.Kind == netconf.KindBond {
		for _, m := range k.members(l) {
			k.setMTU(m, mtu)
		}
	}
}

// SetIPv6 implements netconf.Kernel.
func (k *Kernel) SetIPv6(id netconf.LinkID, v netconf.IPv6) error {
	return k.change(netconf.Op{Kind: netconf.OpSetIPv6, Link: id, IPv6: v}, func(l *link) error {
		l.IPv6 = netconf.IPv6{AcceptRA: v.AcceptRA, Privacy: v.Privacy}
		return nil
	})
}

// SetHardware implements netconf.Kernel.
func (k *Kernel) SetHardware(id netconf.LinkID, h netconf.Hardware) error {
	return k.change(netconf.Op{Kind: netconf.OpSetHardware, Link: id, Hardware: h}, func(l *link) error {
		for offload, on := range h.Offloads {
			list := l.set.Features(offload)
			if on && len(list) == 0 {
				return unix.EOPNOTSUPP
			}
			for _, feature := range list {
				l.set.Offloads[feature] = on
			}
		}
		if (h.RingRX != 0 || h.RingTX != 0) && l.set.RingRX == 0 {
			return unix.EOPNOTSUPP
		}
		if max(h.RingRX, h.RingTX) > largestRing {
			return unix.EINVAL
		}
		if h.RingRX != 0 {
			l.set.RingRX = h.RingRX
		}
		if h.RingTX != 0 {
			l.set.RingTX = h.RingTX
		}
		return nil
	})
}

// Hardware implements netconf.Kernel.
func (k *Kernel) Hardware(id netconf.LinkID) (netconf.Hardware, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.find(id)
	if l == nil {
		return netconf.Hardware{}, unix.ENODEV
	}
	h := l.set
	h.Offloads = maps.Clone(h.Offloads)
	return h, nil
}
