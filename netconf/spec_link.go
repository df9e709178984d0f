package netconf

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// link reads what one entry says of its link alone. What is made, and what
// belongs to what, is said by several entries together: see makeLinks.
func (p *parser) link(key string, c osconfig.Interface) (LinkSpec, bool) {
	path := "interfaces." + key
	pattern := cmp.Or(c.Match, key)
	match, err := ParseMatch(pattern)
	if err != nil {
		p.bad(path, pattern, err.Error())
		return LinkSpec{}, false
	}
	link := LinkSpec{
		Key: key, Match: match, Down: c.Up != nil && !*c.Up, Optional: c.Optional != nil && *c.Optional,
		DHCP: isTrue(c.DHCP), DHCP6: mode(c.DHCP6), AcceptRA: c.AcceptRA, Privacy: isTrue(c.IPv6Privacy), IPv4LL: c.IPv4LL,
		DelegateFrom: c.DelegateFrom,
		MTU:          p.number(path+".mtu", c.MTU, 68, 65536, " bytes"),
		Metric:       p.number(path+".metric", c.Metric, 1, 1<<31-1, ""),
		Hardware: Hardware{
			Offloads: c.Offloads,
			RingRX:   p.number(path+".ring_rx", c.RingRX, 1, 1<<16, ""),
			RingTX:   p.number(path+".ring_tx", c.RingTX, 1, 1<<16, ""),
		},
	}
	p.names(path, &link, c)
	c = p.withWifi(path, &link, c)
	p.addresses(path, &link, c)
	link.Routes = p.routes(path, c)
	link.DHCPOptions = p.dhcpOptions(path, c)
	link.Nameservers, link.Search = p.dns(path+".dns", c.DNS)
	link.PreUp = p.commands(path+".pre_up", c.PreUp)
	link.PostUp = p.commands(path+".post_up", c.PostUp)
	return link, true
}

// names reads the names and addresses that the link itself is given.
func (p *parser) names(path string, link *LinkSpec, c osconfig.Interface) {
	if c.SetName != "" {
		if err := newName(c.SetName); err != nil {
			p.bad(path+".set_name", c.SetName, err.Error())
		} else if c.SetName != link.Match.Name {
			link.SetName = c.SetName
		}
	}
	if c.MACAddress == "" {
		return
	}
	mac, err := net.ParseMAC(c.MACAddress)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00" {
		p.bad(path+".mac_address", c.MACAddress, "is not a hardware address that a link can have")
		return
	}
	link.MAC = mac.String()
}

// withWifi adds what the Wi-Fi network that the link is for says. Without an
// address there or here it is configured by DHCP, as RancherOS does.
func (p *parser) withWifi(path string, link *LinkSpec, c osconfig.Interface) osconfig.Interface {
	if c.WifiNetwork == "" {
		return c
	}
	w, ok := p.config.WifiNetworks[c.WifiNetwork]
	if !ok {
		p.bad(path+".wifi_network", c.WifiNetwork, "is not in wifi_networks")
		return c
	}
	link.WifiNetwork = c.WifiNetwork
	c.Address, c.Gateway = cmp.Or(c.Address, w.Address), cmp.Or(c.Gateway, w.Gateway)
	link.DHCP = link.DHCP || c.DHCP == nil && c.Address == "" && len(c.Addresses) == 0
	return c
}

func (p *parser) addresses(path string, link *LinkSpec, c osconfig.Interface) {
	addresses := c.Addresses
	if c.Address != "" {
		addresses = slices.Insert(slices.Clone(addresses), 0, c.Address)
	}
	for _, s := range addresses {
		if pre, ok := p.prefix(path+".address", s); ok && !slices.Contains(link.Addresses, pre) {
			link.Addresses = append(link.Addresses, pre)
		}
	}
	for _, gw := range [][2]string{{"gateway", c.Gateway}, {"gateway_ipv6", c.GatewayIPv6}} {
		if gw[1] == "" {
			continue
		}
		a, ok := p.addr(path+"."+gw[0], gw[1])
		if a = a.WithZone(""); ok && !slices.Contains(link.Gateways, a) {
			link.Gateways = append(link.Gateways, a)
		}
	}
}

// dhcpOptions joins dhcp_options and what RancherOS's dhcp_args says beside
// them.
func (p *parser) dhcpOptions(path string, c osconfig.Interface) DHCPOptions {
	o := c.DHCPOptions.Or(osconfig.DHCPArguments(c.DHCPArgs).Options)
	out := DHCPOptions{
		VendorClass: o.VendorClass, ClientID: clientID(o.ClientID),
		IgnoreDNS: isFalse(o.UseDNS), IgnoreDomains: isFalse(o.UseDomains), IgnoreRoutes: isFalse(o.UseRoutes),
		IgnoreMTU: isFalse(o.UseMTU), IgnoreNTP: isFalse(o.UseNTP), IgnoreHostname: isFalse(o.UseHostname),
	}
	const most = 255 // bytes of a DHCP option
	if len(out.ClientID) > most {
		p.bad(path+".dhcp_options.client_id", fmt.Sprintf("%.16s…", o.ClientID), "is longer than 255 bytes")
		out.ClientID = nil
	}
	if len(out.VendorClass) > most {
		p.bad(path+".dhcp_options.vendor_class", fmt.Sprintf("%.16s…", o.VendorClass), "is longer than 255 bytes")
		out.VendorClass = ""
	}
	if o.Hostname != "" {
		if out.Hostname = cleanHostname(o.Hostname); out.Hostname == "" {
			p.bad(path+".dhcp_options.hostname", o.Hostname, "is not a host name")
		}
	}
	return out
}

// clientID reads hex bytes with colons between, or else a text as it is.
func clientID(s string) []byte {
	if s == "" {
		return nil
	}
	if strings.Contains(s, ":") {
		if b, err := hex.DecodeString(strings.ReplaceAll(s, ":", "")); err == nil && len(b) > 0 {
			return b
		}
	}
	return []byte(s)
}

// routes reads the routes of an entry.
func (p *parser) routes(path string, c osconfig.Interface) []Route {
	var out []Route
	for i, r := range c.Routes {
		if route, ok := p.route(fmt.Sprintf("%s.routes[%d]", path, i), r, c.Metric); ok {
			out = append(out, route)
		}
	}
	return out
}

func (p *parser) route(path string, c osconfig.Route, metric int) (Route, bool) {
	bad := len(p.errs)
	r := Route{
		OnLink: c.OnLink && c.Via != "", Metric: p.number(path+".metric", c.Metric, 1, 1<<31-1, ""),
		Table: p.number(path+".table", c.Table, 1, 1<<31-1, ""), MTU: p.number(path+".mtu", c.MTU, 68, 65535, " bytes"),
	}
	if c.Via != "" {
		r.Gateway, _ = p.addr(path+".via", c.Via)
		r.Gateway = r.Gateway.WithZone("")
	}
	if c.From != "" {
		r.Source, _ = p.addr(path+".from", c.From)
	}
	switch c.Type {
	case "", "unicast":
	case "blackhole", "unreachable", "prohibit":
		r.Type = c.Type
		if c.Via != "" {
			p.bad(path+".via", c.Via, fmt.Sprintf("does not go with a route of type %s", c.Type))
		}
	default:
		p.bad(path+".type", c.Type, "is not one of: unicast, blackhole, unreachable, prohibit")
	}
	switch c.Scope {
	case "", "global", "link", "host":
		r.Scope = c.Scope
	default:
		p.bad(path+".scope", c.Scope, "is not one of: global, link, host")
	}
	if c.To == "default" {
		r.Dst = everything(r.Gateway.Is6() || r.Source.Is6())
	} else {
		r.Dst, _ = p.network(path+".to", c.To)
	}
	if r.Metric == 0 && (r.Dst.Bits() > 0 || r.Type != "") { // default routes get theirs together with the gateways
		r.Metric = metric
	}
	for _, a := range []netip.Addr{r.Gateway, r.Source} {
		if a.IsValid() && r.Dst.IsValid() && a.Is4() != r.Dst.Addr().Is4() {
			p.bad(path, a.String(), fmt.Sprintf("is not of the family of %s", r.Dst))
		}
	}
	return r, len(p.errs) == bad
}

// everything is the destination of a default route.
func everything(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

func mode(b *bool) Mode {
	switch {
	case b == nil:
		return ModeAuto
	case *b:
		return ModeYes
	}
	return ModeNo
}
