package rtnl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// AddLink implements netconf.Kernel.
func (c *Conn) AddLink(name, key string, device netconf.Device) error {
	id := netconf.LinkID{Name: name}
	what := "add " + device.Kind
	device = bare(device)
	parent := 0
	if device.Parent != "" {
		var err error
		if parent, err = c.index(netconf.LinkID{Name: device.Parent}); err != nil {
			return fail(id, fmt.Sprintf("%s on %s", what, device.Parent), err)
		}
	}
	err := c.create(name, device, parent)
	if errors.Is(err, unix.EEXIST) && c.automatic(name, device.Kind) {
		if err = c.DelLink(id); err == nil {
			err = c.create(name, device, parent)
		}
	}
	if err != nil {
		return fail(id, what, advise(device, err))
	}
	if err := c.set(id, text(unix.IFLA_IFALIAS, netconf.Alias+key)); err != nil {
		// Without the mark nobody would delete it.
		return errors.Join(fail(id, "mark as ours", err), c.DelLink(id))
	}
	if device.Kind == netconf.KindWireGuard {
		f, err := c.get(id)
		if err == nil {
			err = c.setWireGuard(f.LinkID, device)
		}
		return fail(id, "set keys and peers", err)
	}
	return nil
}

func (c *Conn) create(name string, device netconf.Device, parent int) error {
	req := c.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	addLink(req, netconf.LinkID{Name: name})
	if parent != 0 && device.Kind != netconf.KindVXLAN {
		req.AddData(number32(unix.IFLA_LINK, parent))
	}
	info, data := linkInfo(device.Kind)
	if err := encode(data, device, netconf.Device{}, parent, c.byName); err != nil {
		return err
	}
	req.AddData(info)
	return do(req)
}

// automatic tells whether a name is taken by the bond bond0, which the module
// makes when it is loaded, and it is loaded when the first bond is made.
// Somebody's own bond would be up or have members.
func (c *Conn) automatic(name, kind string) bool {
	f, err := c.get(netconf.LinkID{Name: name})
	if err != nil || kind != netconf.KindBond || f.Kind != kind || f.Own || f.Up {
		return false
	}
	messages, err := c.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), number32(unix.IFLA_EXT_MASK, skipStats))
	return err == nil && !slices.ContainsFunc(messages, func(m []byte) bool {
		member, ok := fromLink(m)
		return ok && member.Master == f.Index
	})
}

// bare leaves out what a new link cannot have yet: a bond's active member.
func bare(device netconf.Device) netconf.Device {
	device.Bond = maps.Clone(device.Bond)
	delete(device.Bond, "active_slave")
	return device
}

// linkInfo begins the attribute that says of which kind a link is. What is
// added to data is the kind's own.
func linkInfo(kind string) (info, data *nl.RtAttr) {
	info = nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	return info, info.AddRtAttr(unix.IFLA_INFO_DATA, nil)
}

// advise adds what can be done about an error of making a link.
func advise(device netconf.Device, err error) error {
	module := device.Kind
	switch device.Kind {
	case netconf.KindBond:
		module = "bonding"
	case netconf.KindVLAN:
		module = "8021q"
	}
	switch {
	case errors.Is(err, unix.EOPNOTSUPP) && strings.Contains(err.Error(), "Unknown device type"): // the kernel's words
		return fmt.Errorf("%w: the kernel has no %s: modprobe %s", err, module, module)
	case errors.Is(err, unix.EEXIST) && device.Kind == netconf.KindVLAN:
		return fmt.Errorf("%w: a link has this name, or %s has a VLAN %d already", err, device.Parent, device.ID)
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%w: a link has this name", err)
	}
	return err
}

// byName is index for those who have a name only.
func (c *Conn) byName(name string) (int, error) { return c.index(netconf.LinkID{Name: name}) }

// SetDevice implements netconf.Kernel. It asks for what is there first and
// changes nothing else: the kernel refuses some settings even if they are the
// same. A bond is set down for options that it changes only then.
func (c *Conn) SetDevice(id netconf.LinkID, device netconf.Device) error {
	what := "change " + device.Kind
	f, err := c.get(id)
	if err != nil {
		return fail(id, what, err)
	}
	if device.Kind == netconf.KindWireGuard && f.Kind == device.Kind {
		return fail(id, what, c.setWireGuard(f.LinkID, device))
	}
	names, err := c.names()
	if err != nil {
		return fail(id, what, err)
	}
	have := decode(f, names)
	if device.Recreate(have) {
		return fail(id, what, fmt.Errorf("only a new link can become this: %w", unix.EOPNOTSUPP))
	}
	active := ""
	if device.Kind == netconf.KindBond {
		device, active = c.activeMember(f, device)
	}
	restart := f.Up && device.Kind == netconf.KindBond &&
		slices.ContainsFunc(bondChanges(device.Bond, have.Bond), func(o bondOption) bool { return o.down })
	if restart {
		if err := c.SetDown(f.LinkID); err != nil {
			return err
		}
	}
	if b := device.Bridge; b.STP != nil && !*b.STP && b.ForwardDelay != nil {
		// The delay comes first, and while there is a spanning tree it is
		// bounded.
		first := netconf.Device{Kind: device.Kind, Bridge: netconf.Bridge{STP: b.STP}}
		err = c.change(f, first, have)
	}
	if err == nil {
		err = c.change(f, device, have)
	}
	err = fail(id, what, err)
	if err == nil && active != "" {
		c.mu.Lock()
		c.active[f.Index] = active
		c.mu.Unlock()
	}
	if restart {
		err = errors.Join(err, c.SetUp(f.LinkID))
	}
	return err
}

func (c *Conn) change(f *found, device, have netconf.Device) error {
	info, data := linkInfo(device.Kind)
	if err := encode(data, device, have, f.parent, c.byName); err != nil {
		return err
	}
	req := c.request(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	addLink(req, f.LinkID)
	req.AddData(info)
	return do(req)
}

// activeMember leaves the member that is to be active out as long as it is
// none, and when it has been made active before: what the bond has chosen
// since is better.
func (c *Conn) activeMember(bond *found, device netconf.Device) (netconf.Device, string) {
	name := device.Bond["active_slave"]
	c.mu.Lock()
	done := c.active[bond.Index]
	c.mu.Unlock()
	if name != "" && name != done {
		if f, err := c.get(netconf.LinkID{Name: name}); err == nil && f.Master == bond.Index {
			return device, name
		}
	}
	return bare(device), ""
}

// names lists the names of links by index.
func (c *Conn) names() (map[int]string, error) {
	messages, err := c.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), number32(unix.IFLA_EXT_MASK, skipStats))
	names := make(map[int]string)
	for _, m := range messages {
		if f, ok := fromLink(m); ok {
			names[f.Index] = f.Name
		}
	}
	return names, err
}

// DelLink implements netconf.Kernel.
func (c *Conn) DelLink(id netconf.LinkID) error {
	req := c.request(unix.RTM_DELLINK, unix.NLM_F_ACK)
	addLink(req, id)
	err := do(req)
	switch {
	case gone(err):
		return nil
	case errors.Is(err, unix.EOPNOTSUPP):
		err = fmt.Errorf("%w: it was not made by a program", err)
	}
	return fail(id, "delete", err)
}
