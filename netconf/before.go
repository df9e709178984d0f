package netconf

import "cmp"

// before is what a link had before this package changed it; zero: it has not.
// It is kept in memory: a manager that starts anew leaves the link as it is.
type before struct {
	mtu int    // bytes
	mac string // the permanent one where there is such
}

// note takes a change of a link, which was like was, that has been made. Not
// noted is what belongs to others: a bond's member has what the bond has, a
// bridge follows its members until somebody sets it, and VLANs and the like
// have their parent's hardware address and no larger MTU.
func (b *before) note(o Op, was Link, master string) {
	if master == KindBond {
		return
	}
	switch {
	case o.Kind == OpSetMTU && was.Kind != KindBridge && was.Device.Parent == "":
		if b.mtu = cmp.Or(b.mtu, was.MTU); b.mtu == o.MTU {
			b.mtu = 0
		}
	case o.Kind == OpSetMAC && !was.SharesMAC():
		if b.mac = cmp.Or(b.mac, was.PermMAC, was.MAC); b.mac == o.MAC {
			b.mac = ""
		}
	}
}

// giveBack lets a link have again what it had, if nobody asks for anything
// else. A lease that is still to come may ask for an MTU.
func (g *graph) giveBack(t *Target, s LinkSpec, f facts) {
	if g.kind(s.Master) == KindBond {
		return
	}
	t.MAC = cmp.Or(t.MAC, f.before.mac)
	if !s.DHCP || f.lease != nil || s.DHCPOptions.IgnoreMTU {
		t.MTU = cmp.Or(t.MTU, f.before.mtu)
	}
}
