package netconf

import (
	"hash/fnv"
	"net/netip"
	"slices"
)

// Metrics of default and lease routes, unless the configuration has one. What
// is added keeps two links' routes from displacing each other, and the order
// stable: the index of a link; for one that is made, which has none yet, a
// number from the key of its specification.
const (
	metricStatic = 100
	metricLease  = 1000
	metricMade   = 400
	// metricRA is that of the default routes that the kernel makes from router
	// advertisements. They are its own: no configuration changes their metric,
	// and none of ours has it.
	metricRA = metricIPv6
)

// maxLeaseRoutes bounds what a server can fill the routing table with.
const maxLeaseRoutes = 128

// metric is that of a link's default routes.
func (m *member) metric(base int) int {
	switch {
	case m.spec.Metric != 0:
		return m.spec.Metric
	case m.spec.Make != nil:
		h := fnv.New32a()
		h.Write([]byte(m.spec.Key)) //nolint:errcheck // never fails
		return base + metricMade + int(h.Sum32()%metricMade)
	}
	return base + m.link.Index
}

// staticRoutes are those of the configuration. A default route among them that
// says no metric counts less than the gateways.
func staticRoutes(m *member) []Route {
	var routes []Route
	addresses := m.spec.Addresses
	gateways := len(m.spec.Gateways)
	for _, gw := range m.spec.Gateways {
		routes = append(routes, defaultRoute(m.link, gw, addresses, m.metric(metricStatic)))
	}
	for _, r := range m.spec.Routes {
		r.Link = m.link.LinkID
		if r.Metric == 0 && r.Dst.Bits() == 0 && r.Normal().Type == "" {
			r.Metric = m.metric(metricStatic) + rivals(m.spec.Gateways, r)
		}
		if r.Gateway.IsValid() && !covers(addresses, r.Gateway) && !routed(m.spec.Routes, r) {
			r.OnLink = true
		}
		routes = append(routes, r)
	}
	// A gateway may be reached by one of the routes: these come first.
	return slices.Concat(routes[gateways:], routes[:gateways])
}

// rivals is how many default routes of gateways come before a default route:
// those of its family, unless it is by one of them, or in another table.
func rivals(gateways []netip.Addr, r Route) int {
	n := 0
	for _, gw := range gateways {
		if gw == r.Gateway || r.Normal().Table != 0 {
			return 0
		}
		if gw.Is6() == r.Dst.Addr().Is6() {
			n++
		}
	}
	return n
}

// routed tells whether another route of the list leads to r's gateway.
func routed(routes []Route, r Route) bool {
	return slices.ContainsFunc(routes, func(o Route) bool {
		return o.Dst != r.Dst && o.Dst.Bits() > 0 && o.Dst.Contains(r.Gateway)
	})
}

// leaseRoutes applies RFC 3442: classless routes, if there are any, take the
// place of the routers option.
func leaseRoutes(m *member, lease *Lease) []Route {
	told := lease.Routes
	if len(told) == 0 {
		for _, r := range lease.Routers {
			told = append(told, LeaseRoute{Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: r})
		}
	}
	var routes []Route
	own := lease.Address.Addr()
	for _, r := range told {
		gateway := r.Gateway
		if gateway == own { // everybody is on the link, says such a server
			gateway = netip.Addr{}
		}
		dst := r.Dst.Masked()
		if !dst.IsValid() || dst.Bits() > 0 && !host(dst.Addr()) || gateway.IsValid() && !host(gateway) {
			continue
		}
		routes = append(routes, Route{
			Link: m.link.LinkID, Dst: dst, Gateway: gateway, Source: own, Metric: m.metric(metricLease),
			OnLink: gateway.IsValid() && !covers([]netip.Prefix{lease.Address}, gateway),
		})
		if len(lease.Routes) == 0 || len(routes) == maxLeaseRoutes {
			break // of several routers the first is the one to use
		}
	}
	return routes
}

// host tells whether an address from the wire can be a host's.
func host(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func defaultRoute(link Link, gateway netip.Addr, addresses []netip.Prefix, metric int) Route {
	zero := netip.IPv4Unspecified()
	if gateway.Is6() {
		zero = netip.IPv6Unspecified()
	}
	return Route{
		Link: link.LinkID, Dst: netip.PrefixFrom(zero, 0), Gateway: gateway,
		Metric: metric, OnLink: !covers(addresses, gateway),
	}
}

// covers tells whether a gateway is reached through one of the addresses.
func covers(addresses []netip.Prefix, gateway netip.Addr) bool {
	return linkLocal6(gateway) ||
		slices.ContainsFunc(addresses, func(a netip.Prefix) bool { return a.Contains(gateway) })
}

// settle gives routes that would displace each other different metrics, in
// the order of the targets, and leaves out what is there twice.
func settle(targets []Target) {
	type place struct {
		table  int
		dst    netip.Prefix
		metric int
	}
	taken := make(map[place]Route)
	for i := range targets {
		var routes []Route
		for _, r := range targets[i].Routes {
			for {
				at := place{r.Table, r.Dst, r.Metric}
				other, found := taken[at]
				if !found && !(r.Dst.Addr().Is6() && r.Dst.Bits() == 0 && r.Metric == metricRA && r.Table == 0) {
					taken[at] = r
					routes = append(routes, r)
					break
				}
				if found && r == other {
					break
				}
				r.Metric++
			}
		}
		targets[i].Routes = routes
	}
}
