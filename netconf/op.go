package netconf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// OpKind is what a change does.
type OpKind int

// Kinds of change, in the order in which a plan has them: links are made
// before they are set up, and what is added comes before what is taken away.
// Only what takes links out of a master comes before links are made.
const (
	OpDelLink OpKind = iota
	OpSetName
	OpAddLink
	OpSetDevice
	OpSetDown
	OpSetMAC
	OpSetMTU
	OpSetMaster
	OpSetHardware
	OpSetIPv6
	OpSetUp
	OpAddAddr
	OpAddRoute
	OpAddRule
	OpDelRule
	OpDelRoute
	OpDelAddr
)

// Op is one change to the kernel's state.
type Op struct {
	Kind     OpKind
	Link     LinkID       // without an index: of that name, made by this plan; empty for rules
	Name     string       // OpSetName: the new one
	Key      string       // OpAddLink
	Device   Device       // OpAddLink, OpSetDevice
	MAC      string       // OpSetMAC
	MTU      int          // OpSetMTU, bytes
	Master   LinkID       // OpSetMaster: empty takes the link out; OpSetDown: what it is for
	Hardware Hardware     // OpSetHardware
	IPv6     IPv6         // OpSetIPv6
	Addr     netip.Prefix // OpAddAddr, OpDelAddr
	Route    Route        // OpAddRoute, OpDelRoute
	Rule     Rule         // OpAddRule, OpDelRule
}

// String prints the change like an ip(8) or ethtool(8) command. It shows no
// secret.
func (o Op) String() string {
	switch o.Kind {
	case OpDelLink:
		return fmt.Sprintf("link del %s", o.Link)
	case OpSetName:
		return fmt.Sprintf("link set %s name %s", o.Link, o.Name)
	case OpAddLink:
		return fmt.Sprintf("link add %s %s", o.Link, o.Device)
	case OpSetDevice:
		return fmt.Sprintf("link set %s %s", o.Link, o.Device)
	case OpSetDown:
		return fmt.Sprintf("link set %s down", o.Link)
	case OpSetMAC:
		return fmt.Sprintf("link set %s address %s", o.Link, o.MAC)
	case OpSetMTU:
		return fmt.Sprintf("link set %s mtu %d", o.Link, o.MTU)
	case OpSetMaster:
		if o.Master == (LinkID{}) {
			return fmt.Sprintf("link set %s nomaster", o.Link)
		}
		return fmt.Sprintf("link set %s master %s", o.Link, o.Master)
	case OpSetHardware:
		return fmt.Sprintf("ethtool %s %s", o.Link, o.Hardware)
	case OpSetIPv6:
		return fmt.Sprintf("ipv6 %s %s", o.Link, o.IPv6)
	case OpSetUp:
		return fmt.Sprintf("link set %s up", o.Link)
	case OpAddAddr:
		return fmt.Sprintf("addr add %s dev %s", o.Addr, o.Link)
	case OpDelAddr:
		return fmt.Sprintf("addr del %s dev %s", o.Addr, o.Link)
	case OpAddRoute:
		return "route replace " + o.Route.String()
	case OpDelRoute:
		return "route del " + o.Route.String()
	case OpAddRule:
		return "rule add " + o.Rule.String()
	case OpDelRule:
		return "rule del " + o.Rule.String()
	}
	return "unknown"
}

func (o Op) do(k Kernel) error {
	switch o.Kind {
	case OpDelLink:
		return k.DelLink(o.Link)
	case OpSetName:
		return k.SetName(o.Link, o.Name)
	case OpAddLink:
		return k.AddLink(o.Link.Name, o.Key, o.Device)
	case OpSetDevice:
		return k.SetDevice(o.Link, o.Device)
	case OpSetDown:
		return k.SetDown(o.Link)
	case OpSetMAC:
		return k.SetMAC(o.Link, o.MAC)
	case OpSetMTU:
		return k.SetMTU(o.Link, o.MTU)
	case OpSetMaster:
		return k.SetMaster(o.Link, o.Master)
	case OpSetHardware:
		return k.SetHardware(o.Link, o.Hardware)
	case OpSetIPv6:
		return k.SetIPv6(o.Link, o.IPv6)
	case OpSetUp:
		return k.SetUp(o.Link)
	case OpAddAddr:
		return k.AddAddr(o.Link, o.Addr)
	case OpDelAddr:
		return k.DelAddr(o.Link, o.Addr)
	case OpAddRoute:
		return k.AddRoute(o.Route)
	case OpDelRoute:
		return k.DelRoute(o.Route)
	case OpAddRule:
		return k.AddRule(o.Rule)
	case OpDelRule:
		return k.DelRule(o.Rule)
	}
	return fmt.Errorf("unknown operation %d", o.Kind)
}

// String prints what a device is made with like ip-link(8), without the
// secrets of WireGuard.
func (d Device) String() string {
	s := "type " + d.Kind
	add := func(name string, value any, shown bool) {
		if shown {
			s += fmt.Sprintf(" %s %v", name, value)
		}
	}
	add("link", d.Parent, d.Parent != "")
	add("id", d.ID, d.ID != 0)
	add("protocol", d.Protocol, d.Protocol != "")
	add("mode", d.Mode, d.Mode != "")
	add("egress-qos-map", qos(d.Egress), len(d.Egress) > 0)
	add("ingress-qos-map", qos(d.Ingress), len(d.Ingress) > 0)
	for _, name := range slices.Sorted(maps.Keys(d.Bond)) {
		add(name, d.Bond[name], true)
	}
	if b := d.Bridge; b.STP != nil {
		add("stp", switched(*b.STP), true)
	}
	if b := d.Bridge; b.ForwardDelay != nil {
		add("forward_delay", *b.ForwardDelay, true)
	}
	if b := d.Bridge; b.VLANFiltering != nil {
		add("vlan_filtering", switched(*b.VLANFiltering), true)
	}
	add("remote", d.Remote, d.Remote.IsValid())
	add("local", d.Local, d.Local.IsValid())
	add("group", d.Group, d.Group.IsValid())
	add("port", d.Port, d.Port != 0)
	add("table", d.Table, d.Table != 0)
	add("fwmark", d.WireGuard.FirewallMark, d.WireGuard.FirewallMark != 0)
	add("peers", len(d.WireGuard.Peers), len(d.WireGuard.Peers) > 0)
	return s
}

func qos(m map[uint32]uint32) string {
	var pairs []string
	for _, from := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, fmt.Sprintf("%d:%d", from, m[from]))
	}
	return strings.Join(pairs, " ")
}

func switched(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// String prints the settings like ethtool(8).
func (h Hardware) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(h.Offloads)) {
		parts = append(parts, name+" "+switched(h.Offloads[name]))
	}
	if h.RingRX != 0 {
		parts = append(parts, fmt.Sprintf("ring-rx %d", h.RingRX))
	}
	if h.RingTX != 0 {
		parts = append(parts, fmt.Sprintf("ring-tx %d", h.RingTX))
	}
	return strings.Join(parts, " ")
}

// String says how advertisements are treated.
func (v IPv6) String() string {
	return "accept-ra " + switched(v.AcceptRA) + " privacy " + switched(v.Privacy)
}

// String prints the rule as ip-rule(8) does.
func (r Rule) String() string {
	s := fmt.Sprintf("priority %d", r.Priority)
	add := func(name string, value any, shown bool) {
		if shown {
			s += fmt.Sprintf(" %s %v", name, value)
		}
	}
	add("from", r.From, r.From.IsValid())
	add("to", r.To, r.To.IsValid())
	add("fwmark", r.Mark, r.Mark != 0)
	add("iif", r.IIF, r.IIF != "")
	add("oif", r.OIF, r.OIF != "")
	s += fmt.Sprintf(" table %d", r.Table)
	if r.IPv6 {
		s = "-6 " + s
	}
	return s
}
