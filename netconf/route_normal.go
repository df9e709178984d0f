package netconf

import "net/netip"

// mainTable is the kernel's RT_TABLE_MAIN, which Route writes as 0.
const mainTable = 254

// metricIPv6 is what the kernel makes of metric 0 in IPv6 (IP6_RT_PRIO_USER).
const metricIPv6 = 1024

// Normal returns the route as the kernel has it once it is added and as
// Kernel.Routes reports it: what would be chosen anyway is left out (table
// main, unicast, the scope that follows from the gateway), what counts for
// nothing too (the link of a route that goes nowhere), and what the kernel
// fills in is filled in.
func (r Route) Normal() Route {
	r.Dst = r.Dst.Masked()
	six := r.Dst.Addr().Is6()
	if r.Table == mainTable {
		r.Table = 0
	}
	if r.Type == "unicast" {
		r.Type = ""
	}
	if r.Metric == 0 && six {
		r.Metric = metricIPv6
	}
	nowhere := r.Type != ""
	if nowhere {
		r.Link, r.Gateway = LinkID{}, netip.Addr{}
	}
	if !r.Gateway.IsValid() {
		r.OnLink = false
	}
	usual := "global"
	if !nowhere && !r.Gateway.IsValid() {
		usual = "link"
	}
	if six || r.Scope == usual { // IPv6 has no scopes of routes
		r.Scope = ""
	}
	return r
}
