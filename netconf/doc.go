// Package netconf owns the machine's network: the desired state (Spec), the
// observed one (Link, Route), the difference between the two (Plan) and the
// Manager that keeps applying it. It declares what it needs from the kernel
// (Kernel), from a DHCP client (DHCP) and from whoever writes the resolver's
// files (NameWriter).
//
// It refuses to speak netlink or DHCP itself, to run programs and to touch an
// address or a route that it did not add: what it adds carries Protocol in the
// kernel, so that it also recognises its own after a restart of the manager,
// and leaves Docker's alone. Router advertisements are the kernel's business.
package netconf
