package netconftest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// AddHardware adds a link that is down, with its cable plugged in, and returns
// its index. The MAC address is its permanent one too if kind is empty. Other
// kinds are those of links that somebody else has made, as the kernel makes
// them.
func (k *Kernel) AddHardware(name, kind, mac string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.add(name, kind, mac)
	switch kind {
	case netconf.KindBridge:
		l.Device = netconf.Device{Kind: kind, Bridge: bridgeDefaults()}
	case netconf.KindBond:
		l.Device = netconf.Device{Kind: kind, Bond: bondDefaults("")}
	}
	if kind == "" {
		l.PermMAC = mac
		l.set.RingRX, l.set.RingTX = 256, 256
	}
	k.notify()
	return l.Index
}

// Describe says what sysfs tells about hardware.
func (k *Kernel) Describe(name, driver, path string) {
	k.by(name, func(l *link) { l.Driver, l.Path = driver, path })
}

func (k *Kernel) add(name, kind, mac string) *link {
	l := &link{plugged: true, Link: netconf.Link{
		LinkID: netconf.LinkID{Index: k.next, Name: name}, Kind: kind, MAC: mac, MTU: 1500, IPv6: netconf.IPv6{Unset: true}}}
	l.set.Offloads = offloads()
	k.next++
	k.links = append(k.links, l)
	return l
}

// offloads are those of a fresh link.
func offloads() map[string]bool {
	return map[string]bool{"rx-checksum": true, "tx-checksum-ipv4": true, "tx-checksum-ipv6": true, "tx-scatter-gather": true,
		"tx-tcp-segmentation": true, "tx-tcp6-segmentation": true, "tx-generic-segmentation": true, "rx-gro": true}
}

// by lets somebody else change a link. A name that no test has added is a
// mistake in the test and ends it.
func (k *Kernel) by(name string, do func(*link)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do(k.byName(name))
	k.settle()
	k.notify()
}

// Remove removes a link with all that is on it.
func (k *Kernel) Remove(name string) { k.by(name, k.drop) }

// Plug puts the cable in, or pulls it.
func (k *Kernel) Plug(name string, in bool) { k.by(name, func(l *link) { l.plugged = in }) }

// TakeDown sets a link administratively down.
func (k *Kernel) TakeDown(name string) { k.by(name, k.down) }

// AddForeignAddr adds an address that somebody else owns.
func (k *Kernel) AddForeignAddr(name string, prefix netip.Prefix) {
	k.by(name, func(l *link) { l.Addresses = append(l.Addresses, netconf.Address{Prefix: prefix}) })
}

// SetAddr replaces what is known of an address, or adds it: what duplicate
// address detection and advertisements do.
func (k *Kernel) SetAddr(name string, a netconf.Address) {
	k.by(name, func(l *link) {
		l.Addresses = slices.DeleteFunc(l.Addresses, func(o netconf.Address) bool { return o.Prefix == a.Prefix })
		l.Addresses = append(l.Addresses, a)
	})
}

// Advertise is a router advertisement: its flags, its options for user space
// and the addresses that the kernel makes of it. A link that ignores them or
// has no carrier does not see it.
func (k *Kernel) Advertise(name string, managed, other bool, router netip.Addr, options []byte, addresses ...netip.Prefix) {
	k.by(name, func(l *link) {
		if !l.Carrier || !l.IPv6.AcceptRA && !l.IPv6.Unset {
			return
		}
		l.Managed, l.OtherConfig = managed, other
		for _, p := range addresses {
			if !l.Has(p) {
				l.Addresses = append(l.Addresses, netconf.Address{Prefix: p, Kernel: true})
			}
		}
		for ch := range k.readers {
			if len(options) > 0 && len(ch) < cap(ch) {
				ch <- netconf.Advert{Link: l.Index, Router: router, Options: options}
			}
		}
	})
}

// Adverts implements netconf.Kernel.
func (k *Kernel) Adverts(ctx context.Context) (<-chan netconf.Advert, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ch := make(chan netconf.Advert, 16)
	k.readers[ch] = true
	context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.readers, ch)
		close(ch)
	})
	return ch, nil
}

// Solicit implements netconf.Kernel.
func (k *Kernel) Solicit(id netconf.LinkID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.find(id)
	if l == nil {
		return fmt.Errorf("%s: ask routers for an advertisement: %w", id, unix.ENODEV)
	}
	if !l.Up {
		return fmt.Errorf("%s: ask routers for an advertisement: %w", id, unix.ENETUNREACH)
	}
	k.solicited = append(k.solicited, l.Name)
	return nil
}

// Solicited returns the links on which routers were asked for an
// advertisement since the last time.
func (k *Kernel) Solicited() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := k.solicited
	k.solicited = nil
	return names
}
