package netconf

import (
	"net/netip"
	"slices"
)

// Metrics of default and lease routes; a link's index is added, so that two
// links' default routes do not displace each other and the order is stable.
const (
	metricStatic = 100
	metricLease  = 1000
)

// Target is the desired state of one link that exists.
type Target struct {
	Link      LinkID
	MTU       int // bytes; 0 leaves it
	Addresses []netip.Prefix
	Routes    []Route
	// Keep leaves addresses and routes of our own that are not listed:
	// whether they are still good is being asked.
	Keep bool
}

// target joins what a link's configuration and its lease, if any, ask for.
func target(link Link, spec LinkSpec, lease *Lease, keep bool) Target {
	t := Target{Link: link.LinkID, MTU: spec.MTU, Keep: keep}
	t.Addresses = slices.Clone(spec.Addresses)
	for _, gw := range spec.Gateways {
		t.Routes = append(t.Routes, defaultRoute(link, gw, spec.Addresses, metricStatic))
	}
	if lease == nil {
		return t
	}
	if t.MTU == 0 && lease.MTU >= 576 { // RFC 791: every host takes 576; less is a broken server
		t.MTU = lease.MTU
	}
	if !slices.Contains(t.Addresses, lease.Address) {
		t.Addresses = append(t.Addresses, lease.Address)
	}
	t.Routes = append(t.Routes, leaseRoutes(link, lease)...)
	return t
}

// leaseRoutes applies RFC 3442: classless routes, if there are any, take the
// place of the routers option.
func leaseRoutes(link Link, lease *Lease) []Route {
	var routes []Route
	if len(lease.Routes) == 0 {
		if len(lease.Routers) > 0 {
			routes = append(routes, defaultRoute(link, lease.Routers[0], []netip.Prefix{lease.Address}, metricLease))
		}
	}
	for _, r := range lease.Routes {
		routes = append(routes, Route{
			Link: link.LinkID, Dst: r.Dst.Masked(), Gateway: r.Gateway, Metric: metricLease + link.Index,
			OnLink: r.Gateway.IsValid() && !lease.Address.Contains(r.Gateway),
		})
	}
	for i := range routes {
		routes[i].Source = lease.Address.Addr()
	}
	return routes
}

func defaultRoute(link Link, gateway netip.Addr, addresses []netip.Prefix, metric int) Route {
	zero := netip.IPv4Unspecified()
	if gateway.Is6() {
		zero = netip.IPv6Unspecified()
	}
	covered := gateway.IsLinkLocalUnicast() && gateway.Is6()
	for _, a := range addresses {
		covered = covered || a.Contains(gateway)
	}
	return Route{
		Link: link.LinkID, Dst: netip.PrefixFrom(zero, 0), Gateway: gateway,
		Metric: metric + link.Index, OnLink: !covered,
	}
}
