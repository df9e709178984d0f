package netconftest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// AddLink implements netconf.Kernel.
func (k *Kernel) AddLink(name, key string, device netconf.Device) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	op := netconf.Op{Kind: netconf.OpAddLink, Link: netconf.LinkID{Name: name}, Key: key, Device: device}
	if err := k.record(op); err != nil {
		return err
	}
	if err := k.make(name, key, device); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	k.settle()
	k.notify()
	return nil
}

func (k *Kernel) make(name, key string, device netconf.Device) error {
	parent := k.byName(device.Parent)
	switch {
	case name == "" || len(name) > longest:
		return unix.EINVAL
	case k.byName(name) != nil:
		return unix.EEXIST
	case device.Parent != "" && parent == nil:
		return unix.ENODEV
	}
	have := netconf.Device{Kind: device.Kind, ID: device.ID, Remote: device.Remote, Local: device.Local,
		Group: device.Group, Table: device.Table}
	l := &link{plugged: true, Link: netconf.Link{
		LinkID: netconf.LinkID{Name: name}, Kind: device.Kind, Own: true, Key: key, IPv6: netconf.IPv6{Unset: true}}}
	l.set.Offloads = offloads()
	l.MAC, l.MTU = fmt.Sprintf("02:00:00:ff:%02x:%02x", k.next>>8, k.next&255), 1500
	switch device.Kind {
	case netconf.KindVLAN, netconf.KindMacvlan, netconf.KindIPvlan:
		if parent == nil {
			return unix.EINVAL
		}
		if err := k.stack(l, parent, device, &have); err != nil {
			return err
		}
	case netconf.KindVXLAN:
		if parent != nil {
			l.parent, l.MTU = parent.Index, parent.MTU-50
		}
		have.Port = cmp.Or(device.Port, 4789)
	case netconf.KindBond:
		have.Bond = bondDefaults(netconf.BondValue("mode", device.Bond["mode"]))
	case netconf.KindBridge:
		have.Bridge = bridgeDefaults()
	case netconf.KindDummy:
	case netconf.KindVRF:
		if device.Table == 0 {
			return unix.EINVAL
		}
		l.MTU = 65575
	case netconf.KindWireGuard:
		l.MAC, l.MTU = "", 1420
	default:
		return unix.EOPNOTSUPP
	}
	l.Device, l.Index = have, k.next
	if err := k.configure(l, device); err != nil {
		return err
	}
	k.next++
	k.links = append(k.links, l)
	return nil
}

// stack puts a new VLAN, macvlan or ipvlan on its parent.
func (k *Kernel) stack(l, parent *link, device netconf.Device, have *netconf.Device) error {
	l.parent, l.MTU = parent.Index, parent.MTU
	if device.Kind == netconf.KindVLAN {
		l.MAC = parent.MAC
		have.Protocol = cmp.Or(device.Protocol, "802.1q")
		for _, c := range k.children(parent) {
			if c.Kind == device.Kind && c.Device.ID == device.ID && c.Device.Protocol == have.Protocol {
				return unix.EEXIST
			}
		}
		return nil
	}
	have.Mode = "vepa"
	if device.Kind == netconf.KindIPvlan {
		l.MAC, have.Mode = parent.MAC, "l3"
	}
	if parent.Master != 0 { // one has the right to what comes in
		return unix.EBUSY
	}
	return nil
}

func bridgeDefaults() netconf.Bridge {
	stp, filtering, delay := false, false, 15
	return netconf.Bridge{STP: &stp, ForwardDelay: &delay, VLANFiltering: &filtering}
}

// bondDefaults are a new bond's options; some modes watch their links always.
func bondDefaults(mode string) map[string]string {
	have := map[string]string{
		"mode": cmp.Or(mode, "balance-rr"), "miimon": "0", "updelay": "0", "downdelay": "0", "peer_notif_delay": "0", "use_carrier": "on",
		"arp_interval": "0", "arp_validate": "none", "arp_all_targets": "any", "arp_missed_max": "2", "primary_reselect": "always",
		"fail_over_mac": "none", "xmit_hash_policy": "layer2", "resend_igmp": "1", "num_grat_arp": "1", "num_unsol_na": "1",
		"all_slaves_active": "off", "min_links": "0", "lp_interval": "1", "packets_per_slave": "1", "lacp_rate": "slow",
		"lacp_active": "on", "ad_select": "stable", "tlb_dynamic_lb": "on",
	}
	if slices.Contains([]string{"802.3ad", "balance-tlb", "balance-alb"}, have["mode"]) {
		have["miimon"] = "100"
	}
	return have
}

// SetDevice implements netconf.Kernel.
func (k *Kernel) SetDevice(id netconf.LinkID, device netconf.Device) error {
	return k.change(netconf.Op{Kind: netconf.OpSetDevice, Link: id, Device: device}, func(l *link) error {
		have := l.Device
		if p := k.index(l.parent); p != nil {
			have.Parent = p.Name
		}
		if device.Recreate(have) {
			return unix.EOPNOTSUPP
		}
		return k.configure(l, device)
	})
}

// configure changes what can be changed.
func (k *Kernel) configure(l *link, device netconf.Device) error {
	have := &l.Device
	have.Mode = cmp.Or(device.Mode, have.Mode)
	if device.Kind == netconf.KindWireGuard {
		have.Port = cmp.Or(device.Port, have.Port)
	}
	if device.Egress != nil {
		have.Egress = maps.Clone(device.Egress)
	}
	if device.Ingress != nil {
		have.Ingress = maps.Clone(device.Ingress)
	}
	if err := k.configureBond(l, device.Bond); err != nil {
		return err
	}
	if b := device.Bridge; device.Kind == netconf.KindBridge {
		b.STP, b.ForwardDelay = cmp.Or(b.STP, have.Bridge.STP), cmp.Or(b.ForwardDelay, have.Bridge.ForwardDelay)
		b.VLANFiltering = cmp.Or(b.VLANFiltering, have.Bridge.VLANFiltering)
		if least := 2; *b.STP && (*b.ForwardDelay < least || *b.ForwardDelay > 30) { // IEEE 802.1D
			if *have.Bridge.STP {
				return unix.ERANGE
			}
			b.ForwardDelay = &least
		}
		have.Bridge = b
	}
	w := device.WireGuard
	have.WireGuard.PrivateKey = cmp.Or(w.PrivateKey, have.WireGuard.PrivateKey)
	have.WireGuard.FirewallMark = cmp.Or(w.FirewallMark, have.WireGuard.FirewallMark)
	if w.Peers != nil {
		have.WireGuard.Peers = slices.Clone(w.Peers)
	}
	return nil
}

// configureBond sets options. A primary link counts once it is a member, as
// does one that is to be active.
func (k *Kernel) configureBond(l *link, want map[string]string) error {
	mode := l.Device.Bond["mode"]
	for option, value := range want {
		value = netconf.BondValue(option, value)
		switch option {
		case "primary", "active_slave":
			if !slices.Contains([]string{"active-backup", "balance-tlb", "balance-alb"}, mode) {
				return fmt.Errorf("%s in mode %s: %w", option, mode, unix.EACCES)
			}
			if option == "primary" {
				l.primary = value
				continue
			}
			if m := k.byName(value); m == nil || m.Master != l.Index {
				continue
			}
		case "lacp_rate":
			if mode != "802.3ad" {
				return fmt.Errorf("%s in mode %s: %w", option, mode, unix.EACCES)
			}
		default:
			if names := netconf.BondNames()[option]; names != nil && !slices.Contains(names, value) {
				return fmt.Errorf("%s %s: %w", option, value, unix.EINVAL)
			}
		}
		l.Device.Bond[option] = value
	}
	return nil
}

// DelLink implements netconf.Kernel.
func (k *Kernel) DelLink(id netconf.LinkID) error {
	err := k.change(netconf.Op{Kind: netconf.OpDelLink, Link: id}, func(l *link) error {
		if l.Kind == "" {
			return unix.EOPNOTSUPP
		}
		k.drop(l)
		return nil
	})
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// SetMaster implements netconf.Kernel.
func (k *Kernel) SetMaster(id, master netconf.LinkID) error {
	return k.change(netconf.Op{Kind: netconf.OpSetMaster, Link: id, Master: master}, func(l *link) error {
		if master == (netconf.LinkID{}) {
			k.release(l)
			return nil
		}
		m := k.find(master)
		switch {
		case m == nil:
			return fmt.Errorf("master %s: %w", master, unix.ENODEV)
		case m.Index == l.Master:
			return nil
		case !slices.Contains([]string{netconf.KindBond, netconf.KindBridge, netconf.KindVRF}, m.Kind):
			return unix.EOPNOTSUPP
		case m == l || l.Loopback:
			return unix.EINVAL
		case m.Kind == netconf.KindBridge && l.Kind == netconf.KindBridge:
			return unix.ELOOP
		case m.Kind == netconf.KindBond && l.Up:
			return unix.EPERM
		}
		k.release(l)
		return k.join(l, m)
	})
}

func (k *Kernel) join(l, m *link) error {
	up := l.Up
	switch m.Kind {
	case netconf.KindBond:
		l.before, l.beforeMTU = l.MAC, l.MTU
		if len(k.members(m)) == 0 && !m.ownMAC {
			k.setMAC(m, l.MAC)
		}
		k.setMAC(l, m.MAC)
		k.setMTU(l, m.MTU)
		up = true
	case netconf.KindVRF: // the link is cycled
		k.down(l)
	}
	l.Master = m.Index
	if up {
		return k.up(l)
	}
	return nil
}
