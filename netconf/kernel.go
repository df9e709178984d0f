package netconf

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"time"
)

// Protocol marks the routes (rtm_protocol) and addresses (IFA_PROTO, since
// Linux 5.18) that this package adds. The number is free in the kernel's
// rtnetlink.h and in iproute2's rt_protos.
const Protocol = 80

// Alias marks the links that this package makes (IFLA_IFALIAS); the key of
// their specification follows it.
const Alias = "pharos:"

// Kernel is what netconf needs from the kernel. Every error names the link,
// the object and the operation. Adding what is there and deleting what is not
// are no errors. A LinkID without an index means the link of that name.
type Kernel interface {
	// Links lists every link with its addresses, ordered by index.
	Links() ([]Link, error)
	// Hardware tells what ethtool shows of a link.
	Hardware(link LinkID) (Hardware, error)
	// Routes lists the routes, of all tables, that carry Protocol, as
	// Route.Normal has them.
	Routes() ([]Route, error)
	// Rules lists the policy rules that carry Protocol.
	Rules() ([]Rule, error)

	// AddLink makes a link, down, with the alias Alias + key. The device's
	// Parent is the name of a link that is there.
	AddLink(name, key string, device Device) error
	// SetDevice changes what can be changed while the link exists: see
	// Device.Recreate.
	SetDevice(link LinkID, device Device) error
	// DelLink removes a link that was made.
	DelLink(link LinkID) error
	// SetName renames a link.
	SetName(link LinkID, name string) error
	// SetMAC sets the link's hardware address.
	SetMAC(link LinkID, mac string) error
	// SetMaster puts the link into a bond, bridge or VRF; an empty master
	// takes it out. A link has to be down to get into a bond.
	SetMaster(link, master LinkID) error
	// SetUp sets the link administratively up.
	SetUp(link LinkID) error
	// SetDown sets the link administratively down.
	SetDown(link LinkID) error
	// SetMTU sets the link's MTU in bytes.
	SetMTU(link LinkID, mtu int) error
	// SetIPv6 says how router advertisements are treated.
	SetIPv6(link LinkID, v IPv6) error
	// Solicit asks the routers of a link that is up for an advertisement. The
	// kernel does it when a link gets up, and never again.
	Solicit(link LinkID) error
	// SetHardware sets offloads and rings, those that are listed.
	SetHardware(link LinkID, h Hardware) error

	// AddAddr adds an address that carries Protocol.
	AddAddr(link LinkID, prefix netip.Prefix) error
	// DelAddr removes an address.
	DelAddr(link LinkID, prefix netip.Prefix) error
	// AddRoute adds a route that carries Protocol, or replaces the one with
	// the same table, destination and metric.
	AddRoute(route Route) error
	// DelRoute removes a route that carries Protocol.
	DelRoute(route Route) error
	// AddRule adds a policy rule that carries Protocol.
	AddRule(rule Rule) error
	// DelRule removes a policy rule that carries Protocol.
	DelRule(rule Rule) error

	// Subscribe returns a channel that becomes readable after links,
	// addresses, routes or rules were added, removed or changed; several
	// changes may make one signal. It is closed when ctx ends.
	Subscribe(ctx context.Context) (<-chan struct{}, error)
	// Adverts returns what routers advertise for user space
	// (RTM_NEWNDUSEROPT). It is closed when ctx ends.
	Adverts(ctx context.Context) (<-chan Advert, error)
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
	Kind     string // rtnetlink kind: "veth", "bridge", "vlan", …; empty for hardware
	MAC      string // lower case, colons
	PermMAC  string // the hardware's own; empty if the driver has none
	Up       bool   // administratively up
	Carrier  bool   // cable in, peer there
	Loopback bool
	MTU      int    // bytes
	Master   int    // index of the bond, bridge or VRF that it belongs to; 0 is none
	Driver   string // the hardware's: "virtio_net"; empty for what was made
	Path     string // the hardware's, as udev's ID_PATH: "pci-0000:00:03.0"
	Own      bool   // made by this package
	Key      string // of the specification that it was made for, if Own
	Device   Device // zero for hardware and for kinds that are never made
	IPv6     IPv6
	// What the last router advertisement said of DHCPv6: addresses come by it
	// (M), or only the rest does (O).
	Managed, OtherConfig bool
	Addresses            []Address
}

// Address is one address of a link.
type Address struct {
	Prefix netip.Prefix // address and prefix length, not masked
	Own    bool         // carries Protocol
	Kernel bool         // made by the kernel: link-local IPv6, or from an advertisement
	// Tentative is an IPv6 address that duplicate address detection has not
	// finished with; Duplicate one that it has found elsewhere.
	Tentative, Duplicate bool
	Until                time.Time // the kernel removes it then; zero: never
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

// Route is one route.
type Route struct {
	Link    LinkID       // empty for blackhole, unreachable and prohibit
	Type    string       // empty is unicast; "blackhole", "unreachable", "prohibit"
	Table   int          // 0 is main (254)
	Scope   string       // "global", "link", "host"; empty is by the gateway
	MTU     int          // bytes; 0 is the link's
	Dst     netip.Prefix // masked; length 0 is the default route
	Gateway netip.Addr   // zero: on link
	Source  netip.Addr   // preferred source, none that is tentative; zero leaves it to the kernel
	Metric  int          // 0 is 1024 in IPv6
	OnLink  bool         // the gateway is reachable although no address covers it
}

// String prints the route as ip(8) does.
func (r Route) String() string {
	s := r.Dst.String()
	if r.Dst.Bits() == 0 {
		s = "default"
	}
	if r.Type != "" {
		s = r.Type + " " + s
	}
	add := func(name string, value any, shown bool) {
		if shown {
			s += fmt.Sprintf(" %s %v", name, value)
		}
	}
	add("via", r.Gateway, r.Gateway.IsValid())
	add("dev", r.Link.Name, r.Link.Name != "")
	add("table", r.Table, r.Table != 0)
	add("scope", r.Scope, r.Scope != "")
	add("src", r.Source, r.Source.IsValid())
	add("metric", r.Metric, true)
	add("mtu", r.MTU, r.MTU != 0)
	return s
}

// same tells whether have does what the route asks for; the name and OnLink,
// which only matters when a route is added, do not count.
func (r Route) same(have Route) bool {
	r, have = r.Normal(), have.Normal()
	return r.replaces(have) && r.Link.Index == have.Link.Index && r.Type == have.Type &&
		r.Gateway == have.Gateway && r.Source == have.Source && r.MTU == have.MTU && r.Scope == have.Scope
}

// replaces tells whether adding r takes the place of o.
func (r Route) replaces(o Route) bool {
	r, o = r.Normal(), o.Normal()
	return r.Table == o.Table && r.Dst == o.Dst && r.Metric == o.Metric
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
