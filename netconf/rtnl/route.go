package rtnl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

func routeTypes() map[string]int {
	return map[string]int{"": unix.RTN_UNICAST, "unicast": unix.RTN_UNICAST, "blackhole": unix.RTN_BLACKHOLE,
		"unreachable": unix.RTN_UNREACHABLE, "prohibit": unix.RTN_PROHIBIT}
}

func scopes() map[string]int {
	return map[string]int{"global": unix.RT_SCOPE_UNIVERSE, "link": unix.RT_SCOPE_LINK, "host": unix.RT_SCOPE_HOST}
}

// Routes implements netconf.Kernel.
func (c *Conn) Routes() ([]netconf.Route, error) {
	var routes []netconf.Route
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: family, Protocol: netconf.Protocol}}
		found, err := c.dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, msg)
		if errors.Is(err, unix.ENOENT) { // the kernel's way to say none
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list of routes: %w", err)
		}
		for _, m := range found {
			if r, ok := fromRoute(m); ok {
				routes = append(routes, r)
			}
		}
	}
	return routes, nil
}

// fromRoute reads a route; it is false for what does not carry our protocol.
func fromRoute(m []byte) (netconf.Route, bool) {
	if len(m) < unix.SizeofRtMsg {
		return netconf.Route{}, false
	}
	msg := nl.DeserializeRtMsg(m)
	a := parse(m[msg.Len():])
	zero := netip.IPv4Unspecified()
	if msg.Family == unix.AF_INET6 {
		zero = netip.IPv6Unspecified()
	}
	dst := a.addr(unix.RTA_DST)
	if !dst.IsValid() {
		dst = zero
	}
	r := netconf.Route{
		Link: netconf.LinkID{Index: a.number(unix.RTA_OIF)}, Type: word(named(routeTypes()), int(msg.Type)),
		Table: int(msg.Table), Scope: word(scopes(), int(msg.Scope)), MTU: a.nested(unix.RTA_METRICS).number(unix.RTAX_MTU),
		Dst: netip.PrefixFrom(dst, int(msg.Dst_len)), Gateway: a.addr(unix.RTA_GATEWAY), Source: a.addr(unix.RTA_PREFSRC),
		Metric: a.number(unix.RTA_PRIORITY), OnLink: msg.Flags&unix.RTNH_F_ONLINK != 0,
	}
	if _, ok := a[unix.RTA_TABLE]; ok {
		r.Table = a.number(unix.RTA_TABLE)
	}
	if via := a[unix.RTA_VIA]; len(via) > 2 { // of the other family
		r.Gateway, _ = netip.AddrFromSlice(via[2:])
	}
	own := msg.Protocol == netconf.Protocol && msg.Flags&unix.RTM_F_CLONED == 0
	return r.Normal(), own && r.Dst.IsValid()
}

// named leaves out the empty word for the usual.
func named(words map[string]int) map[string]int {
	delete(words, "")
	return words
}

// AddRoute implements netconf.Kernel.
func (c *Conn) AddRoute(r netconf.Route) error {
	what := fmt.Sprintf("add route %s", r)
	scope := unix.RT_SCOPE_UNIVERSE
	if n, ok := scopes()[r.Scope]; ok {
		scope = n
	} else if r.Type == "" && !r.Gateway.IsValid() && r.Dst.Addr().Is4() {
		scope = unix.RT_SCOPE_LINK
	}
	req, err := c.routeRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK, r, scope)
	if err != nil {
		return fail(r.Link, what, err)
	}
	if r.Source.IsValid() {
		req.AddData(nl.NewRtAttr(unix.RTA_PREFSRC, r.Source.AsSlice()))
	}
	if r.MTU != 0 {
		metrics := nl.NewRtAttr(unix.RTA_METRICS, nil)
		metrics.AddChild(number32(unix.RTAX_MTU, r.MTU))
		req.AddData(metrics)
	}
	if err := do(req); !errors.Is(err, unix.EEXIST) {
		return failRoute(r, what, err)
	}
	return nil
}

// DelRoute implements netconf.Kernel.
func (c *Conn) DelRoute(r netconf.Route) error {
	req, err := c.routeRequest(unix.RTM_DELROUTE, unix.NLM_F_ACK, r, unix.RT_SCOPE_NOWHERE) // whichever it has
	if err == nil {
		err = do(req)
	}
	if gone(err) {
		return nil
	}
	return failRoute(r, fmt.Sprintf("remove route %s", r), err)
}

func failRoute(r netconf.Route, what string, err error) error {
	if err != nil && r.Normal().Link == (netconf.LinkID{}) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fail(r.Link, what, err)
}

// routeRequest begins a request with what identifies a route.
func (c *Conn) routeRequest(command, flags int, r netconf.Route, scope int) (*nl.NetlinkRequest, error) {
	r.Dst = r.Dst.Masked()
	kind, ok := routeTypes()[r.Type]
	if !ok {
		return nil, fmt.Errorf("type %s is not known here: %w", r.Type, unix.EINVAL)
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(family(r.Dst.Addr())), Dst_len: uint8(r.Dst.Bits()), Protocol: netconf.Protocol, Type: uint8(kind), Scope: uint8(scope)}}
	if r.OnLink && r.Gateway.IsValid() {
		msg.Flags = unix.RTNH_F_ONLINK
	}
	req := c.request(command, flags)
	req.AddData(msg)
	table := r.Table
	if table == 0 {
		table = unix.RT_TABLE_MAIN
	}
	req.AddData(number32(unix.RTA_TABLE, table))
	if r.Dst.Bits() > 0 {
		req.AddData(nl.NewRtAttr(unix.RTA_DST, r.Dst.Addr().AsSlice()))
	}
	if r.Metric != 0 {
		req.AddData(number32(unix.RTA_PRIORITY, r.Metric))
	}
	if kind != unix.RTN_UNICAST {
		return req, nil
	}
	index, err := c.index(r.Link)
	if err != nil {
		return nil, err
	}
	req.AddData(number32(unix.RTA_OIF, index))
	switch {
	case !r.Gateway.IsValid():
	case r.Gateway.Is4() != r.Dst.Addr().Is4():
		req.AddData(nl.NewRtAttr(unix.RTA_VIA, slices.Concat(nl.Uint16Attr(uint16(family(r.Gateway))), r.Gateway.AsSlice())))
	default:
		req.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, r.Gateway.AsSlice()))
	}
	return req, nil
}
