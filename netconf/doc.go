// Package netconf owns the machine's network: the desired state (Spec), the
// observed one (Link, Route, Rule), the difference between the two (Plan) and
// the Manager that keeps applying it. It declares what it needs from others:
// from the kernel (Kernel), from clients of DHCP and the like (DHCP, DHCP6,
// LinkLocal4), from a store of leases (LeaseStore), from whoever runs commands
// (Runner) and from whoever writes the resolver's files (NameWriter).
//
// It refuses to speak netlink or DHCP itself, to run programs and to touch a
// link, an address or a route that it did not add, but for addresses of others
// on a link that it takes over. What it adds carries Protocol in the kernel,
// links carry Alias, so that it also recognises its own after a restart of the
// manager, and leaves Docker's alone. IPv6 addresses and default routes of
// router advertisements are the kernel's business.
package netconf
