package netconf

import (
	"context"
	"fmt"
	"net/netip"
	"path"
)

// Protocol marks the routes (rtm_protocol) and addresses (IFA_PROTO, since
// Linux 5.18) that this package adds. The number is free in the kernel's
// rtnetlink.h and in iproute2's rt_protos.
const Protocol = 80

// Kernel is what netconf needs from the kernel. Every error names the link,
// the object and the operation. Adding what is there and deleting what is not
// are no errors.
type Kernel interface {
	// Links lists every link with its addresses, ordered by index.
	Links() ([]Link, error)
	// Routes lists the routes of the main table that carry Protocol.
	Routes() ([]Route, error)
	// SetUp sets the link administratively up.
	SetUp(link LinkID) error
	// SetMTU sets the link's MTU in bytes.
	SetMTU(link LinkID, mtu int) error
	// AddAddr adds an address that carries Protocol.
	AddAddr(link LinkID, prefix netip.Prefix) error
	// DelAddr removes an address.
	DelAddr(link LinkID, prefix netip.Prefix) error
	// AddRoute adds a route that carries Protocol, or replaces the one with
	// the same destination and metric.
	AddRoute(route Route) error
	// DelRoute removes a route that carries Protocol.
	DelRoute(route Route) error
	// Subscribe returns a channel that becomes readable after links or
	// addresses were added, removed or changed; several changes may make one
	// signal. It is closed when ctx ends.
	Subscribe(ctx context.Context) (<-chan struct{}, error)
}

// LinkID names a link: its index, which is its identity, and its name, for
// people.
type LinkID struct {
	Index int
	Name  string
}

// String returns the name.
func (id LinkID) String() string { return id.Name }

// Link is one network link as the kernel has it.
type Link struct {
	LinkID
	Kind      string // rtnetlink kind: "veth", "bridge", "vlan", …; empty for hardware
	MAC       string // lower case, colons
	PermMAC   string // the hardware's own; empty if the driver has none
	Up        bool   // administratively up
	Carrier   bool   // cable in, peer there
	Loopback  bool
	MTU       int // bytes
	Master    int // index of the bond or bridge that it belongs to; 0 is none
	Addresses []Address
}

// Address is one address of a link.
type Address struct {
	Prefix netip.Prefix // address and prefix length, not masked
	Own    bool         // carries Protocol
}

// Has tells whether the link has this address with this prefix length.
func (l Link) Has(prefix netip.Prefix) bool {
	for _, a := range l.Addresses {
		if a.Prefix == prefix {
			return true
		}
	}
	return false
}

// Route is one unicast route of the main table.
type Route struct {
	Link    LinkID
	Dst     netip.Prefix // masked; length 0 is the default route
	Gateway netip.Addr   // zero: on link
	Source  netip.Addr   // preferred source; zero leaves it to the kernel
	Metric  int
	OnLink  bool // the gateway is reachable although no address covers it
}

// String prints the route as ip(8) does.
func (r Route) String() string {
	dst := r.Dst.String()
	if r.Dst.Bits() == 0 {
		dst = "default"
	}
	s := dst
	if r.Gateway.IsValid() {
		s += " via " + r.Gateway.String()
	}
	s += " dev " + r.Link.Name
	if r.Source.IsValid() {
		s += " src " + r.Source.String()
	}
	return fmt.Sprintf("%s metric %d", s, r.Metric)
}

// same tells whether two routes do the same; the name and OnLink, which only
// matters when a route is added, do not count.
func (r Route) same(o Route) bool {
	return r.replaces(o) && r.Gateway == o.Gateway && r.Source == o.Source
}

// replaces tells whether adding r takes the place of o.
func (r Route) replaces(o Route) bool {
	return r.Link.Index == o.Link.Index && r.Dst == o.Dst && r.Metric == o.Metric
}

// foreign tells whether a link belongs to a container engine. Only an exact
// name in the configuration makes such a link ours.
func foreign(name string) bool {
	for _, pattern := range []string{"docker0", "docker_gwbridge", "br-*", "veth*"} {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}
