package netconftest

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// none is the MAC address of a bridge that has no members.
const none = "00:00:00:00:00:00"

func (k *Kernel) members(master *link) []*link {
	return slices.Collect(func(yield func(*link) bool) {
		for _, l := range k.links {
			if l.Master == master.Index && !yield(l) {
				return
			}
		}
	})
}

func (k *Kernel) children(parent *link) []*link {
	return slices.Collect(func(yield func(*link) bool) {
		for _, l := range k.links {
			if l.parent == parent.Index && !yield(l) {
				return
			}
		}
	})
}

// settle lets links follow their members and parents, as Linux does: carrier,
// and a bridge's MAC address and MTU.
func (k *Kernel) settle() {
	for changed := true; changed; {
		changed = false
		for _, l := range k.links {
			if l.Kind == netconf.KindBridge {
				k.settleBridge(l)
			}
			if c := l.Up && k.lower(l); c != l.Carrier {
				l.Carrier, changed = c, true
			}
		}
	}
}

// lower tells whether what a link is made of has a carrier.
func (k *Kernel) lower(l *link) bool {
	any := slices.ContainsFunc(k.members(l), func(m *link) bool { return m.Carrier })
	switch l.Kind {
	case netconf.KindBond:
		return any
	case netconf.KindBridge: // a fresh one has a carrier until its first member has gone
		return any || !l.used
	case netconf.KindVLAN, netconf.KindMacvlan, netconf.KindIPvlan:
		if p := k.index(l.parent); p != nil {
			return p.Carrier
		}
	}
	return l.plugged
}

func (k *Kernel) settleBridge(l *link) {
	members := k.members(l)
	l.used = l.used || len(members) > 0
	if !l.used {
		return
	}
	mac, mtu := "", 0
	for _, m := range members {
		if mac == "" || m.MAC < mac {
			mac = m.MAC
		}
		if mtu == 0 || m.MTU < mtu {
			mtu = m.MTU
		}
	}
	if mac == "" {
		mac, mtu = none, 1500
	}
	if !l.ownMAC {
		l.MAC = mac
	}
	if !l.ownMTU {
		l.MTU = mtu
	}
}

// up sets a link up, and the VLANs on it.
func (k *Kernel) up(l *link) error {
	if p := k.index(l.parent); p != nil && l.Kind == netconf.KindVLAN && !p.Up {
		return unix.ENETDOWN
	}
	if l.Up {
		return nil
	}
	l.Up = true
	k.settle()
	for _, c := range k.children(l) {
		if c.Kind == netconf.KindVLAN {
			if err := k.up(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// down sets a link down: its routes go, its IPv6 addresses, and the VLANs on
// it are set down too.
func (k *Kernel) down(l *link) {
	l.Up, l.Carrier = false, false
	k.dropRoutes(func(r route) bool { return r.Link.Index == l.Index })
	l.Addresses = slices.DeleteFunc(l.Addresses, func(a netconf.Address) bool { return a.Prefix.Addr().Is6() && !l.Loopback })
	for _, c := range k.children(l) {
		if c.Kind == netconf.KindVLAN {
			k.down(c)
		}
	}
}

// drop removes a link, what is on it, and its routes; members are set free.
func (k *Kernel) drop(l *link) {
	for _, c := range k.children(l) {
		k.drop(c)
	}
	for _, m := range k.members(l) {
		k.release(m)
	}
	k.links = slices.DeleteFunc(k.links, func(o *link) bool { return o == l })
	k.dropRoutes(func(r route) bool { return r.Link.Index == l.Index })
}

// release takes a link out of its master. A bond's member is set down and
// gets its own MAC address and MTU back.
func (k *Kernel) release(l *link) {
	if m := k.index(l.Master); m != nil && m.Kind == netconf.KindBond {
		k.down(l)
		k.setMAC(l, l.before)
		k.setMTU(l, l.beforeMTU)
	}
	l.Master = 0
}

// setMAC changes a MAC address; VLANs and members that had the same follow.
func (k *Kernel) setMAC(l *link, mac string) {
	old := l.MAC
	l.MAC = mac
	for _, c := range k.children(l) {
		if c.Kind == netconf.KindVLAN && c.MAC == old {
			k.setMAC(c, mac)
		}
	}
	if l.Kind == netconf.KindBond {
		for _, m := range k.members(l) {
			k.setMAC(m, mac)
		}
	}
}
