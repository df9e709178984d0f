package netconftest

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// change records an operation that netconf.Op does not have and changes a link.
func (k *Kernel) change(call string, id netconf.LinkID, do func(*link) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = append(k.calls, call)
	if err := k.refused(call); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	for _, l := range k.links {
		if l.Index == id.Index || id.Index == 0 && l.Name == id.Name {
			if err := do(l); err != nil {
				return fmt.Errorf("%s: %w", call, err)
			}
			k.notify()
			return nil
		}
	}
	return fmt.Errorf("%s: %w", call, unix.ENODEV)
}

// AddLink implements netconf.Kernel.
func (k *Kernel) AddLink(name, key string, device netconf.Device) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	call := fmt.Sprintf("link add %s type %s", name, device.Kind)
	k.calls = append(k.calls, call)
	if err := k.refused(call); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	for _, l := range k.links {
		if l.Name == name {
			return fmt.Errorf("%s: %w", call, unix.EEXIST)
		}
	}
	k.links = append(k.links, &link{plugged: true, Link: netconf.Link{
		LinkID: netconf.LinkID{Index: k.next, Name: name}, Kind: device.Kind, MTU: 1500,
		MAC: fmt.Sprintf("02:00:00:ff:00:%02x", k.next), Own: true, Key: key, Device: device}})
	k.next++
	k.notify()
	return nil
}

// SetDevice implements netconf.Kernel.
func (k *Kernel) SetDevice(id netconf.LinkID, device netconf.Device) error {
	return k.change(fmt.Sprintf("link set %s type %s", id, device.Kind), id, func(l *link) error {
		l.Device = device
		return nil
	})
}

// DelLink implements netconf.Kernel.
func (k *Kernel) DelLink(id netconf.LinkID) error {
	k.mu.Lock()
	k.calls = append(k.calls, fmt.Sprintf("link del %s", id))
	k.mu.Unlock()
	k.Remove(id.Name)
	return nil
}

// SetName implements netconf.Kernel.
func (k *Kernel) SetName(id netconf.LinkID, name string) error {
	return k.change(fmt.Sprintf("link set %s name %s", id, name), id, func(l *link) error {
		l.Name = name
		return nil
	})
}

// SetMAC implements netconf.Kernel.
func (k *Kernel) SetMAC(id netconf.LinkID, mac string) error {
	return k.change(fmt.Sprintf("link set %s address %s", id, mac), id, func(l *link) error {
		l.MAC = mac
		return nil
	})
}

// SetMaster implements netconf.Kernel.
func (k *Kernel) SetMaster(id, master netconf.LinkID) error {
	return k.change(fmt.Sprintf("link set %s master %s", id, master), id, func(l *link) error {
		l.Master = 0
		for _, m := range k.links {
			if m.Name == master.Name {
				l.Master = m.Index
			}
		}
		return nil
	})
}

// SetDown implements netconf.Kernel.
func (k *Kernel) SetDown(id netconf.LinkID) error {
	return k.change(fmt.Sprintf("link set %s down", id), id, func(l *link) error {
		l.Up, l.Carrier = false, false
		return nil
	})
}

// SetIPv6 implements netconf.Kernel.
func (k *Kernel) SetIPv6(id netconf.LinkID, v netconf.IPv6) error {
	return k.change(fmt.Sprintf("ipv6 set %s", id), id, func(l *link) error {
		l.IPv6 = v
		return nil
	})
}

// SetHardware implements netconf.Kernel.
func (k *Kernel) SetHardware(id netconf.LinkID, _ netconf.Hardware) error {
	return k.change(fmt.Sprintf("ethtool %s", id), id, func(*link) error { return nil })
}

// Hardware implements netconf.Kernel.
func (k *Kernel) Hardware(netconf.LinkID) (netconf.Hardware, error) { return netconf.Hardware{}, nil }

// Rules implements netconf.Kernel.
func (k *Kernel) Rules() ([]netconf.Rule, error) { return nil, nil }

// AddRule implements netconf.Kernel.
func (k *Kernel) AddRule(netconf.Rule) error { return nil }

// DelRule implements netconf.Kernel.
func (k *Kernel) DelRule(netconf.Rule) error { return nil }

// Adverts implements netconf.Kernel.
func (k *Kernel) Adverts(ctx context.Context) (<-chan netconf.Advert, error) {
	ch := make(chan netconf.Advert)
	context.AfterFunc(ctx, func() { close(ch) })
	return ch, nil
}
