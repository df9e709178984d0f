package netconftest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// SetUp implements netconf.Kernel. The loopback link gets its addresses.
func (k *Kernel) SetUp(id netconf.LinkID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, err := k.begin(netconf.Op{Kind: netconf.OpSetUp, Link: id})
	if err != nil {
		return err
	}
	l.Up, l.Carrier = true, l.plugged
	if l.Loopback && len(l.Addresses) == 0 {
		l.Addresses = []netconf.Address{
			{Prefix: netip.MustParsePrefix("127.0.0.1/8")}, {Prefix: netip.MustParsePrefix("::1/128")}}
	}
	k.notify()
	return nil
}

// SetMTU implements netconf.Kernel.
func (k *Kernel) SetMTU(id netconf.LinkID, mtu int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	op := netconf.Op{Kind: netconf.OpSetMTU, Link: id, MTU: mtu}
	l, err := k.begin(op)
	if err != nil {
		return err
	}
	if mtu < 68 || mtu > 65535 {
		return fmt.Errorf("%s: %w", op, unix.EINVAL)
	}
	l.MTU = mtu
	k.notify()
	return nil
}

// AddAddr implements netconf.Kernel.
func (k *Kernel) AddAddr(id netconf.LinkID, prefix netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, err := k.begin(netconf.Op{Kind: netconf.OpAddAddr, Link: id, Addr: prefix})
	if err != nil {
		return err
	}
	if !l.Has(prefix) {
		l.Addresses = append(l.Addresses, netconf.Address{Prefix: prefix, Own: true})
		k.notify()
	}
	return nil
}

// DelAddr implements netconf.Kernel. Like Linux without promote_secondaries,
// it takes the later addresses of an IPv4 subnet along with the first, the
// routes that have the address as their source, and all IPv4 routes of the
// link with its last IPv4 address.
func (k *Kernel) DelAddr(id netconf.LinkID, prefix netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, err := k.begin(netconf.Op{Kind: netconf.OpDelAddr, Link: id, Addr: prefix})
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return err
	}
	first := slices.IndexFunc(l.Addresses, func(a netconf.Address) bool { return a.Prefix.Masked() == prefix.Masked() })
	primary := prefix.Addr().Is4() && first >= 0 && l.Addresses[first].Prefix == prefix
	l.Addresses = slices.DeleteFunc(l.Addresses, func(a netconf.Address) bool {
		return a.Prefix == prefix || primary && a.Prefix.Masked() == prefix.Masked()
	})
	last := !slices.ContainsFunc(l.Addresses, func(a netconf.Address) bool { return a.Prefix.Addr().Is4() })
	k.dropRoutes(func(r route) bool {
		return r.Link.Index == l.Index && (last && r.Dst.Addr().Is4() ||
			r.Source.IsValid() && !hasAddr(l, r.Source))
	})
	k.notify()
	return nil
}

// AddRoute implements netconf.Kernel.
func (k *Kernel) AddRoute(r netconf.Route) error {
	return k.addRoute(r, true)
}

// AddForeignRoute adds a route that somebody else owns.
func (k *Kernel) AddForeignRoute(r netconf.Route) error {
	return k.addRoute(r, false)
}

func (k *Kernel) addRoute(r netconf.Route, own bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	op := netconf.Op{Kind: netconf.OpAddRoute, Link: r.Link, Route: r}
	l, err := k.begin(op)
	if err != nil {
		return err
	}
	switch {
	case !l.Up:
		return fmt.Errorf("%s: %w", op, unix.ENETDOWN)
	case r.Source.IsValid() && !hasAddr(l, r.Source):
		return fmt.Errorf("%s: %w", op, unix.EINVAL)
	case r.Gateway.IsValid() && !r.OnLink && !reaches(l, r.Gateway):
		return fmt.Errorf("%s: %w", op, unix.ENETUNREACH)
	}
	r.Link.Name = ""
	k.dropRoutes(func(o route) bool { return o.Dst == r.Dst && o.Metric == r.Metric })
	k.routes = append(k.routes, route{r, own})
	return nil
}

// DelRoute implements netconf.Kernel.
func (k *Kernel) DelRoute(r netconf.Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.begin(netconf.Op{Kind: netconf.OpDelRoute, Link: r.Link, Route: r})
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	k.dropRoutes(func(o route) bool {
		return o.own && o.Link.Index == r.Link.Index && o.Dst == r.Dst && o.Metric == r.Metric && o.Gateway == r.Gateway
	})
	return nil
}

func (k *Kernel) dropRoutes(which func(route) bool) {
	k.routes = slices.DeleteFunc(k.routes, which)
}

func hasAddr(l *link, a netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(o netconf.Address) bool { return o.Prefix.Addr() == a })
}

func reaches(l *link, gateway netip.Addr) bool {
	return gateway.Is6() && gateway.IsLinkLocalUnicast() ||
		slices.ContainsFunc(l.Addresses, func(o netconf.Address) bool { return o.Prefix.Contains(gateway) })
}
