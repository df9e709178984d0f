package rtnl

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Routes implements netconf.Kernel.
func (c *Conn) Routes() ([]netconf.Route, error) {
	var routes []netconf.Route
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		var found []netlink.Route
		err := retry(func() (err error) {
			found, err = c.handle.RouteListFiltered(family,
				&netlink.Route{Protocol: netconf.Protocol}, netlink.RT_FILTER_PROTOCOL)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list of routes: %w", err)
		}
		for _, r := range found {
			routes = append(routes, fromRoute(family, r))
		}
	}
	return routes, nil
}

func fromRoute(family int, r netlink.Route) netconf.Route {
	route := netconf.Route{
		Link: netconf.LinkID{Index: r.LinkIndex}, Metric: r.Priority,
		Gateway: addr(r.Gw), Source: addr(r.Src),
		OnLink: r.Flags&int(netlink.FLAG_ONLINK) != 0,
	}
	switch {
	case r.Dst != nil:
		bits, _ := r.Dst.Mask.Size()
		route.Dst = netip.PrefixFrom(addr(r.Dst.IP), bits)
	case family == unix.AF_INET6:
		route.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	default:
		route.Dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return route
}

func addr(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func toRoute(r netconf.Route) *netlink.Route {
	route := &netlink.Route{
		LinkIndex: r.Link.Index, Priority: r.Metric, Protocol: netconf.Protocol,
		Dst: &net.IPNet{
			IP:   r.Dst.Addr().AsSlice(),
			Mask: net.CIDRMask(r.Dst.Bits(), r.Dst.Addr().BitLen()),
		},
	}
	if r.Source.IsValid() {
		route.Src = r.Source.AsSlice()
	}
	switch {
	case r.Gateway.IsValid():
		route.Gw = r.Gateway.AsSlice()
		if r.OnLink {
			route.Flags = int(netlink.FLAG_ONLINK)
		}
	case r.Dst.Addr().Is4():
		route.Scope = netlink.SCOPE_LINK
	}
	return route
}

// AddRoute implements netconf.Kernel.
func (c *Conn) AddRoute(r netconf.Route) error {
	if err := c.handle.RouteReplace(toRoute(r)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: add route %s: %w", r.Link, r, err)
	}
	return nil
}

// DelRoute implements netconf.Kernel.
func (c *Conn) DelRoute(r netconf.Route) error {
	if err := c.handle.RouteDel(toRoute(r)); err != nil && !gone(err) {
		return fmt.Errorf("%s: remove route %s: %w", r.Link, r, err)
	}
	return nil
}
