package netconftest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

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
		return r.Link.Index == l.Index && last && r.Dst.Addr().Is4() || r.Source.IsValid() && !k.local(r.Source)
	})
	k.notify()
	return nil
}

// AddRoute implements netconf.Kernel.
func (k *Kernel) AddRoute(r netconf.Route) error { return k.addRoute(r, true) }

// AddForeignRoute adds a route that somebody else owns.
func (k *Kernel) AddForeignRoute(r netconf.Route) error { return k.addRoute(r, false) }

func (k *Kernel) addRoute(r netconf.Route, own bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	op := netconf.Op{Kind: netconf.OpAddRoute, Link: r.Link, Route: r}
	if err := k.record(op); err != nil {
		return err
	}
	r = r.Normal()
	l := k.find(r.Link)
	switch {
	case r.Type == "" && l == nil:
		return fmt.Errorf("%s: %w", op, unix.ENODEV)
	case r.Type == "" && !l.Up:
		return fmt.Errorf("%s: %w", op, unix.ENETDOWN)
	case r.Source.IsValid() && !k.local(r.Source):
		return fmt.Errorf("%s: %w", op, unix.EINVAL)
	case r.Gateway.IsValid() && !r.OnLink && !reaches(l, r.Gateway):
		return fmt.Errorf("%s: %w", op, unix.ENETUNREACH)
	}
	if l != nil {
		r.Link = netconf.LinkID{Index: l.Index}
	}
	k.dropRoutes(func(o route) bool { return o.Table == r.Table && o.Dst == r.Dst && o.Metric == r.Metric })
	k.routes = append(k.routes, route{r, own})
	return nil
}

// DelRoute implements netconf.Kernel.
func (k *Kernel) DelRoute(r netconf.Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.record(netconf.Op{Kind: netconf.OpDelRoute, Link: r.Link, Route: r}); err != nil {
		return err
	}
	r = r.Normal()
	if l := k.find(r.Link); l != nil {
		r.Link.Index = l.Index
	}
	k.dropRoutes(func(o route) bool {
		return o.own && o.Link.Index == r.Link.Index && o.Table == r.Table && o.Type == r.Type &&
			o.Dst == r.Dst && o.Metric == r.Metric && o.Gateway == r.Gateway
	})
	return nil
}

// RemoveRoutes removes routes to dst, whoever owns them: somebody does it by
// hand.
func (k *Kernel) RemoveRoutes(dst netip.Prefix) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropRoutes(func(r route) bool { return r.Dst == dst })
	k.notify()
}

func (k *Kernel) dropRoutes(which func(route) bool) {
	k.routes = slices.DeleteFunc(k.routes, which)
}

// local tells whether the machine has an address.
func (k *Kernel) local(a netip.Addr) bool {
	return slices.ContainsFunc(k.links, func(l *link) bool {
		return slices.ContainsFunc(l.Addresses, func(o netconf.Address) bool { return o.Prefix.Addr() == a })
	})
}

func reaches(l *link, gateway netip.Addr) bool {
	return gateway.Is6() && gateway.IsLinkLocalUnicast() ||
		slices.ContainsFunc(l.Addresses, func(o netconf.Address) bool { return o.Prefix.Contains(gateway) })
}

// AddRule implements netconf.Kernel.
func (k *Kernel) AddRule(rule netconf.Rule) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.record(netconf.Op{Kind: netconf.OpAddRule, Rule: rule}); err != nil {
		return err
	}
	if rule.Table == 0 {
		return fmt.Errorf("rule add %s: %w", rule, unix.EINVAL)
	}
	if !slices.Contains(k.rules, rule) {
		k.rules = append(k.rules, rule)
		k.notify()
	}
	return nil
}

// DelRule implements netconf.Kernel.
func (k *Kernel) DelRule(rule netconf.Rule) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.record(netconf.Op{Kind: netconf.OpDelRule, Rule: rule}); err != nil {
		return err
	}
	k.rules = slices.DeleteFunc(k.rules, func(r netconf.Rule) bool { return r == rule })
	k.notify()
	return nil
}
