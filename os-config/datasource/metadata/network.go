package metadata

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Layer is the name of the layer that metadata makes.
const Layer = "metadata"

// Network collects links and name servers. What cannot be right is left out
// and reported, so that one bad address does not cost a machine its network.
type Network struct {
	where  string
	links  map[string]*Link
	dns    osconfig.DNS
	report osconfig.Report
}

// Link is one interface of a Network. The methods of a nil Link do nothing.
type Link struct {
	osconfig.Interface
	network *Network
}

// NewNetwork makes an empty network; where is how reports call its source.
func NewNetwork(where string) *Network {
	return &Network{where: where, links: map[string]*Link{}}
}

// Warn reports something that was left out.
func (n *Network) Warn(format string, args ...any) {
	n.report = append(n.report, osconfig.Problem{
		Severity: osconfig.Warning, Kind: osconfig.Value, Layer: Layer, File: n.where, Text: fmt.Sprintf(format, args...),
	})
}

// MAC returns the key of interfaces for a MAC address.
func MAC(s string) (string, bool) {
	mac, err := net.ParseMAC(strings.TrimSpace(s))
	if err != nil || len(mac) != 6 {
		return "", false
	}
	return "mac=" + mac.String(), true
}

// ByMAC returns the link with a MAC address. It is nil, and reported, when
// that is none.
func (n *Network) ByMAC(s string) *Link {
	key, ok := MAC(s)
	if !ok {
		n.Warn("a link with the MAC address %s is left out: that is none", short(s))
		return nil
	}
	return n.Named(key)
}

// Named returns the link with a key of interfaces, a new one when there is
// none.
func (n *Network) Named(key string) *Link {
	if n.links[key] == nil {
		n.links[key] = &Link{network: n}
	}
	return n.links[key]
}

// DNS adds name servers, each once.
func (n *Network) DNS(servers ...string) {
	for _, s := range servers {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		switch {
		case err != nil || !host(a):
			n.Warn("the name server %s is left out: that is no address of a machine", short(s))
		case !slices.Contains(n.dns.Nameservers, a.String()):
			n.dns.Nameservers = append(n.dns.Nameservers, a.String())
		}
	}
}

// Search adds search domains, each once.
func (n *Network) Search(domains ...string) {
	for _, d := range domains {
		d = strings.TrimSuffix(strings.TrimSpace(d), ".")
		switch {
		case d == "" || slices.Contains(n.dns.Search, d):
		case !osconfig.IsDomain(d):
			n.Warn("the search domain %s is left out: that is no name", short(d))
		default:
			n.dns.Search = append(n.dns.Search, d)
		}
	}
}

// Section returns rancher.network, nil when there is nothing to say, and what
// was left out.
func (n *Network) Section() (*osconfig.Node, osconfig.Report) {
	section := osconfig.Network{DNS: n.dns, Interfaces: map[string]osconfig.Interface{}}
	for _, key := range slices.Sorted(maps.Keys(n.links)) {
		l := n.links[key]
		l.Gateway, l.GatewayIPv6 = l.other(l.Gateway), l.other(l.GatewayIPv6)
		section.Interfaces[key] = l.Interface
	}
	node := encode(osconfig.Pos{Layer: Layer, File: n.where}, section)
	if len(node.Map) == 0 {
		return nil, n.report
	}
	return n.mend(node), n.report
}

// mend leaves out what the links say against each other: an address on a part
// of a bond. It returns nil when nothing is left.
func (n *Network) mend(section *osconfig.Node) *osconfig.Node {
	in := func(key string, value *osconfig.Node) *osconfig.Node {
		return osconfig.NewMap(section.Pos, osconfig.Entry{Key: key, KeyPos: section.Pos, Value: value})
	}
	l, report := osconfig.Mend(osconfig.Layer{Name: Layer, File: n.where, Doc: in("rancher", in("network", section))})
	for _, p := range report {
		if p.Severity == osconfig.Error {
			n.Warn("%s: %s", p.Path, p.Text)
		}
	}
	if section = l.Doc.Child("rancher").Child("network"); section == nil || len(section.Map) == 0 {
		return nil
	}
	return section
}

// other returns a gateway that is another machine, else nothing.
func (l *Link) other(gateway string) string {
	own := func(address string) bool {
		p, err := netip.ParsePrefix(address)
		return err == nil && p.Addr().String() == gateway
	}
	if !slices.ContainsFunc(l.Addresses, own) {
		return gateway
	}
	l.network.Warn("the gateway %s is left out: that is the link's own address", gateway)
	return ""
}

// UseDHCP has the link ask for an IPv4 lease.
func (l *Link) UseDHCP() {
	if l != nil {
		yes := true
		l.DHCP = &yes
	}
}

// UseDHCP6 has the link ask for an IPv6 lease.
func (l *Link) UseDHCP6() {
	if l != nil {
		yes := true
		l.DHCP6 = &yes
	}
}

// Add gives the link an address. mask is a netmask, a prefix length, or empty
// when the address has one behind it or stands alone.
func (l *Link) Add(address, mask string) {
	if l == nil {
		return
	}
	p, ok := Prefix(address, mask)
	switch {
	case !ok || !host(p.Addr()):
		l.network.Warn("the address %s is left out: with %s it is no address of a machine", short(address), cmp.Or(short(mask), "no netmask"))
	case !slices.Contains(l.Addresses, p.String()):
		l.Addresses = append(l.Addresses, p.String())
	}
}

// Via gives the link a default gateway, of either family. The first one of
// each counts.
func (l *Link) Via(gateway string) {
	gateway = strings.TrimSpace(gateway)
	if l == nil || gateway == "" {
		return
	}
	a, err := netip.ParseAddr(gateway)
	switch {
	case err != nil || !host(a):
		l.network.Warn("the gateway %s is left out: that is no address of a machine", short(gateway))
	case a.Is4():
		l.Gateway = cmp.Or(l.Gateway, a.String())
	default:
		l.GatewayIPv6 = cmp.Or(l.GatewayIPv6, a.WithZone("").String())
	}
}

// Route gives the link a route; one to everywhere is a default gateway.
func (l *Link) Route(to, mask, via string) {
	if l == nil {
		return
	}
	if to == "default" {
		l.Via(via)
		return
	}
	p, ok := Prefix(to, mask)
	if ok && p.Bits() == 0 {
		l.Via(via)
		return
	}
	gw, err := netip.ParseAddr(strings.TrimSpace(via))
	if !ok || via != "" && (err != nil || !host(gw) || gw.Is4() != p.Addr().Is4()) {
		l.network.Warn("the route to %s by %s is left out: it cannot be right", short(to), short(via))
		return
	}
	r := osconfig.Route{To: p.Masked().String()}
	if via != "" {
		r.Via = gw.String()
	}
	if !slices.Contains(l.Routes, r) {
		l.Routes = append(l.Routes, r)
	}
}

// Size sets the link's MTU; empty and 0 leave it.
func (l *Link) Size(mtu string) {
	if l == nil || mtu == "" || mtu == "0" {
		return
	}
	const least, most = 68, 65535 // the kernel's, of IPv4
	v, err := strconv.Atoi(mtu)
	if err != nil || v < least || v > most {
		l.network.Warn("the MTU %s is left out: it cannot be right", short(mtu))
		return
	}
	l.MTU = v
}

// Own gives the link a MAC address; an empty one leaves it.
func (l *Link) Own(mac string) {
	if l == nil || mac == "" {
		return
	}
	key, ok := MAC(mac)
	if !ok {
		l.network.Warn("the MAC address %s of a link is left out: that is none", short(mac))
		return
	}
	l.MACAddress = strings.TrimPrefix(key, "mac=")
}

// Join adds the interfaces of one section to another that has none of them;
// either may be nil.
func Join(a, b *osconfig.Node) *osconfig.Node {
	links := b.Child("interfaces")
	switch {
	case a == nil:
		return b
	case links == nil:
		return a
	}
	out := *a
	out.Map = slices.Clone(a.Map)
	for i, e := range out.Map {
		if e.Key == "interfaces" && e.Value.Kind == osconfig.Map {
			all := *e.Value
			all.Map = slices.Clone(all.Map)
			for _, l := range links.Map {
				if e.Value.Child(l.Key) == nil {
					all.Map = append(all.Map, l)
				}
			}
			out.Map[i].Value = &all
			return &out
		}
	}
	out.Map = append(out.Map, osconfig.Entry{Key: "interfaces", KeyPos: links.Pos, Value: links})
	return &out
}
