package netconf

import (
	"fmt"
	"slices"
)

// deleteLinks deletes own links that nobody wants any longer and those that
// have to be made again, members and what is on them first.
func (d *differ) deleteLinks() {
	renamed := make(map[string]string)
	for _, n := range d.nodes {
		if n.t != nil && n.t.Name != "" {
			renamed[n.Name] = n.t.Name
		}
	}
	gone := make(map[string]bool)
	for _, n := range d.nodes {
		gone[n.Name] = d.unwanted(n, renamed)
	}
	order := d.byDepth()
	for _, n := range order { // what is on a link goes with it
		gone[n.Name] = gone[n.Name] || n.Device.Parent != "" && gone[n.Device.Parent]
	}
	slices.Reverse(order)
	for _, n := range order {
		if !gone[n.Name] {
			continue
		}
		if n.Own {
			d.emit(Op{Kind: OpDelLink, Link: n.LinkID})
		}
		n.deleted = true
		for _, member := range d.nodes {
			if member.Master != n.Index || n.Index == 0 {
				continue
			}
			member.Master = 0
			d.leave(member, n)
		}
	}
}

// leave is what the kernel does with a link that is taken out of its master.
func (d *differ) leave(n, master *node) {
	switch {
	case master == nil:
	case master.Kind == KindBond: // sets them down and gives them back what they had
		d.isDown(n)
		n.MAC, n.MTU = "", 0
	case master.Kind == KindVRF: // sets them down and up
		n.lost = true
	}
}

// unwanted tells whether a link is to be deleted, and says so when it should
// be but is not ours; nothing is done to it then.
func (d *differ) unwanted(n *node, renamed map[string]string) bool {
	if n.t == nil || n.t.Make == nil {
		return n.Own
	}
	have := n.Device
	if name, ok := renamed[have.Parent]; ok {
		have.Parent = name
	}
	have.Kind = n.Kind
	if !n.t.Make.Recreate(have) {
		return false
	}
	if n.Own {
		return true
	}
	kind := n.Kind
	if kind == "" {
		kind = "hardware"
	}
	if kind != n.t.Make.Kind {
		d.problem(n.t.Key, "%s is there and is not a %s but %s; rename one of them", n.Name, n.t.Make.Kind, kind)
	} else {
		d.problem(n.t.Key, "%s is there, made by somebody else, and cannot become %s; delete it", n.Name, n.t.Make)
	}
	n.t = nil
	return false
}

// renameLinks renames, in an order in which each name is free; a circle takes
// a name that nobody has.
func (d *differ) renameLinks() {
	var pending []*node
	for _, n := range d.nodes {
		if n.t != nil && !n.deleted && n.t.Name != "" && n.t.Name != n.Name {
			pending = append(pending, n)
		}
	}
	rename := func(n *node, name string) {
		d.emit(Op{Kind: OpSetName, Link: n.LinkID, Name: name})
		for _, o := range d.nodes {
			if o.Device.Parent == n.Name {
				o.Device.Parent = name
			}
		}
		n.Name = name
	}
	for len(pending) > 0 {
		i := slices.IndexFunc(pending, func(n *node) bool { return d.named(n.t.Name) == nil })
		if i >= 0 {
			rename(pending[i], pending[i].t.Name)
			pending = slices.Delete(pending, i, i+1)
			continue
		}
		n := pending[0]
		if holder := d.named(n.t.Name); slices.Contains(pending, holder) {
			rename(holder, fmt.Sprintf("rename%d", holder.Index))
			continue
		}
		d.problem(n.t.Key, "%s cannot be named %s, there is a link of that name", n.Name, n.t.Name)
		pending = pending[1:]
	}
}

// makeLinks makes what is missing, parents before what is on them. A link
// whose parent is not there has to wait.
func (d *differ) makeLinks(targets []Target) {
	var missing []*node
	for i := range targets {
		t := &targets[i]
		if t.Make == nil || d.named(t.final()) != nil {
			continue
		}
		n := &node{Link: Link{LinkID: LinkID{Name: t.final()}, Kind: t.Make.Kind, IPv6: IPv6{Unset: true}}, t: t}
		missing = append(missing, n)
	}
	for len(missing) > 0 {
		i := slices.IndexFunc(missing, func(n *node) bool {
			return n.t.Make.Parent == "" || d.named(n.t.Make.Parent) != nil
		})
		if i < 0 {
			return
		}
		n := missing[i]
		missing = slices.Delete(missing, i, i+1)
		d.emit(Op{Kind: OpAddLink, Link: n.LinkID, Key: n.t.Key, Device: *n.t.Make})
		n.Own, n.Key, n.Device = true, n.t.Key, *n.t.Make
		d.nodes = append(d.nodes, n)
	}
}

func (d *differ) changeDevices() {
	for _, n := range d.nodes {
		if n.t == nil || n.t.Make == nil || n.deleted || n.Index == 0 {
			continue
		}
		have := n.Device
		have.Kind = n.Kind
		if n.t.Make.Differs(have) {
			d.emit(Op{Kind: OpSetDevice, Link: n.LinkID, Device: *n.t.Make})
		}
	}
}

// joinsBond tells whether n is to get into a bond that it is not in.
func (d *differ) joinsBond(n *node) bool {
	m := d.masterOf(n)
	return m != nil && m.Kind == KindBond && (m.Index == 0 || m.Index != n.Master)
}

// newMAC tells whether n needs another hardware address. The members of a
// bond have the bond's.
func (d *differ) newMAC(n *node) bool {
	if n.t == nil || n.t.MAC == "" || n.t.MAC == n.MAC {
		return false
	}
	m := d.masterOf(n)
	return m == nil || m.Kind != KindBond || d.joinsBond(n)
}

// setDown sets down what is to stay so, and for a moment what gets into a
// bond and hardware that gets another address, which not every driver changes
// while it runs.
func (d *differ) setDown(nodes []*node) {
	for _, n := range slices.Backward(nodes) {
		if n.t == nil || n.t.Bare || !n.Up {
			continue
		}
		var bond LinkID
		if d.joinsBond(n) {
			bond = d.masterOf(n).LinkID
		}
		if n.t.Down || bond.Name != "" || d.newMAC(n) && n.Kind == "" {
			d.emit(Op{Kind: OpSetDown, Link: n.LinkID, Master: bond})
			d.isDown(n)
		}
	}
}

// isDown is what the kernel does when a link is set down: the VLANs on it
// follow.
func (d *differ) isDown(n *node) {
	n.Up, n.lost = false, true
	for _, o := range d.nodes {
		if o.Kind == KindVLAN && o.Up && !o.deleted && o.Device.Parent == n.Name {
			d.isDown(o)
		}
	}
}

func (d *differ) setMACs() {
	for _, n := range d.nodes {
		if !n.deleted && d.newMAC(n) {
			d.emit(Op{Kind: OpSetMAC, Link: n.LinkID, MAC: n.t.MAC})
		}
	}
}

// setMTUs lets no link be larger than the one that it is on: what shrinks does
// so from above, then what grows from below.
func (d *differ) setMTUs(nodes []*node) {
	differs := func(n *node) bool { return n.t != nil && n.t.MTU != 0 && n.t.MTU != n.MTU }
	for _, n := range slices.Backward(nodes) {
		if differs(n) && n.t.MTU < n.MTU {
			d.emit(Op{Kind: OpSetMTU, Link: n.LinkID, MTU: n.t.MTU})
		}
	}
	for _, n := range nodes {
		if differs(n) && n.t.MTU > n.MTU {
			d.emit(Op{Kind: OpSetMTU, Link: n.LinkID, MTU: n.t.MTU})
		}
	}
}

// leaveMasters takes links out of masters that they have no longer. It comes
// first: a link that belongs to a bridge can have no macvlan, for instance.
func (d *differ) leaveMasters() {
	for _, n := range d.nodes {
		old := d.index(n.Master)
		if n.deleted || old == nil {
			continue
		}
		managed := n.t != nil && !n.t.Bare
		if managed && n.t.Master == "" && d.masterOf(n) == nil || d.abandoned(n) {
			d.emit(Op{Kind: OpSetMaster, Link: n.LinkID})
			d.leave(n, old)
			n.Master = 0
		}
	}
}

func (d *differ) setMasters(nodes []*node) {
	for _, n := range nodes {
		if n.t == nil || n.t.Bare {
			continue
		}
		if m := d.masterOf(n); m != nil && m != n && (m.Index == 0 || m.Index != n.Master) {
			d.emit(Op{Kind: OpSetMaster, Link: n.LinkID, Master: m.LinkID})
			n.lost = n.lost || m.Kind == KindVRF // sets it down and up
		}
	}
}

// abandoned tells whether n is hardware that nobody manages any longer and
// that is still in a link of ours. What others have put there stays.
func (d *differ) abandoned(n *node) bool {
	m := d.index(n.Master)
	return n.t == nil && n.Kind == "" && m != nil && m.Own && !foreign(n.Name)
}

func (d *differ) setHardware() {
	for _, n := range d.nodes {
		if n.t != nil && !n.deleted && (len(n.t.Hardware.Offloads) > 0 || n.t.Hardware.RingRX != 0 || n.t.Hardware.RingTX != 0) {
			d.emit(Op{Kind: OpSetHardware, Link: n.LinkID, Hardware: n.t.Hardware})
		}
	}
}

func (d *differ) setIPv6() {
	for _, n := range d.nodes {
		if n.t != nil && !n.deleted && n.t.IPv6 != nil && *n.t.IPv6 != n.IPv6 {
			d.emit(Op{Kind: OpSetIPv6, Link: n.LinkID, IPv6: *n.t.IPv6})
		}
	}
}

func (d *differ) setUp(nodes []*node) {
	for _, n := range nodes {
		if !n.Up && (n.Loopback || n.t != nil && !n.t.Down) {
			d.emit(Op{Kind: OpSetUp, Link: n.LinkID})
		}
	}
}
