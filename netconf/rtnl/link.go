package rtnl

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Attributes and their contents that golang.org/x/sys does not have
// (linux/if_link.h, linux/ipv6.h, net/if_inet6.h).
const (
	skipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS

	inet6Flags = 1 // IFLA_INET6_FLAGS
	inet6Conf  = 2 // IFLA_INET6_CONF: 32-bit numbers

	confAcceptRA    = 3  // DEVCONF_ACCEPT_RA
	confUseTempaddr = 10 // DEVCONF_USE_TEMPADDR

	raOther   = 0x80 // IF_RA_OTHERCONF
	raManaged = 0x40 // IF_RA_MANAGED
)

// carrier is the flag that follows the cable at once. IFF_RUNNING would follow
// it up to a second later: the kernel's linkwatch takes its time.
const carrier = unix.IFF_LOWER_UP

// carries tells whether packets get through. A link whose mode is dormant has
// somebody who says when: wpa_supplicant, once both sides have their keys
// (Documentation/networking/operstates.rst). Until then the carrier alone
// means nothing.
func carries(flags uint32, a attrs) bool {
	const dormantMode, up = 1, 6 // IF_LINK_MODE_DORMANT, IF_OPER_UP of linux/if.h
	return flags&carrier != 0 && (a.number(unix.IFLA_LINKMODE) != dormantMode || a.number(unix.IFLA_OPERSTATE) == up)
}

// found is a link with what has to be looked up to complete it.
type found struct {
	netconf.Link
	parent int
	info   attrs // of its kind
	attrs  attrs
}

// Links implements netconf.Kernel.
func (c *Conn) Links() ([]netconf.Link, error) {
	messages, err := c.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), number32(unix.IFLA_EXT_MASK, skipStats))
	if err != nil {
		return nil, fmt.Errorf("list of links: %w", err)
	}
	addresses, err := c.addresses()
	if err != nil {
		return nil, fmt.Errorf("list of addresses: %w", err)
	}
	var list []*found
	names := make(map[int]string)
	for _, m := range messages {
		if f, ok := fromLink(m); ok {
			f.Addresses = addresses[f.Index]
			names[f.Index] = f.Name
			list = append(list, f)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(names)
	links := make([]netconf.Link, 0, len(list))
	for _, f := range list {
		c.complete(f, names)
		links = append(links, f.Link)
	}
	slices.SortFunc(links, func(a, b netconf.Link) int { return cmp.Compare(a.Index, b.Index) })
	return links, nil
}

// fromLink reads what a message says by itself.
func fromLink(m []byte) (*found, bool) {
	if len(m) < unix.SizeofIfInfomsg {
		return nil, false
	}
	msg := nl.DeserializeIfInfomsg(m)
	a := parse(m[msg.Len():])
	info := a.nested(unix.IFLA_LINKINFO)
	f := &found{attrs: a, info: info.nested(unix.IFLA_INFO_DATA), Link: netconf.Link{
		LinkID: netconf.LinkID{Index: int(msg.Index), Name: a.text(unix.IFLA_IFNAME)},
		Kind:   info.text(unix.IFLA_INFO_KIND),
		MAC:    a.mac(unix.IFLA_ADDRESS), PermMAC: a.mac(unix.IFLA_PERM_ADDRESS),
		Up: msg.Flags&unix.IFF_UP != 0, Carrier: carries(msg.Flags, a), Loopback: msg.Flags&unix.IFF_LOOPBACK != 0,
		MTU: a.number(unix.IFLA_MTU), Master: a.number(unix.IFLA_MASTER),
	}}
	if _, elsewhere := a[unix.IFLA_LINK_NETNSID]; !elsewhere {
		f.parent = a.number(unix.IFLA_LINK)
	}
	f.Key, f.Own = strings.CutPrefix(a.text(unix.IFLA_IFALIAS), netconf.Alias)
	if !f.Own {
		f.Key = ""
	}
	return f, true
}

// complete fills in what needs other links' names or other sources. c.mu is
// held.
func (c *Conn) complete(f *found, names map[int]string) {
	f.IPv6, f.Managed, f.OtherConfig = ipv6Of(f.attrs, c.asked[f.Index])
	hw := c.identify(f.LinkID, f.attrs.text(unix.IFLA_PARENT_DEV_BUS_NAME), f.attrs.text(unix.IFLA_PARENT_DEV_NAME))
	f.Driver, f.Path = hw.driver, hw.path
	f.Device = decode(f, names)
	switch f.Kind {
	case netconf.KindBond:
		if asked, ok := c.active[f.Index]; ok {
			f.Device.Bond["active_slave"] = asked
		}
	case netconf.KindWireGuard:
		c.wireGuardOf(f.LinkID, &f.Device)
	}
}

// forget drops what is kept about links that have gone. c.mu is held.
func (c *Conn) forget(names map[int]string) {
	for id := range c.hardware {
		if names[id.Index] != id.Name {
			delete(c.hardware, id)
		}
	}
	for index := range c.asked {
		if _, ok := names[index]; !ok {
			delete(c.asked, index)
		}
	}
	for index := range c.active {
		if _, ok := names[index]; !ok {
			delete(c.active, index)
		}
	}
	for id := range c.endpoints {
		if _, ok := names[id.link]; !ok {
			delete(c.endpoints, id)
		}
	}
}

// ipv6Of reads how advertisements are treated and what the last one said. A
// link without IPv6 shows what was asked for: there is nothing to be done.
func ipv6Of(a attrs, asked netconf.IPv6) (v netconf.IPv6, managed, other bool) {
	six := a.nested(unix.IFLA_AF_SPEC).nested(unix.AF_INET6)
	conf := six[inet6Conf]
	setting := func(i int) int32 { return int32(binary.NativeEndian.Uint32(conf[4*i:])) }
	if len(conf) < 4*(confUseTempaddr+1) {
		return asked, false, false
	}
	ra, privacy := setting(confAcceptRA), setting(confUseTempaddr)
	v = netconf.IPv6{AcceptRA: ra == 2, Privacy: privacy == 2, Unset: ra == 1 || privacy == 1}
	flags := six.number(inet6Flags)
	return v, flags&raManaged != 0, flags&raOther != 0
}

// get reads one link, without its addresses and what complete would add.
func (c *Conn) get(id netconf.LinkID) (*found, error) {
	req := c.request(unix.RTM_GETLINK, 0)
	addLink(req, id)
	req.AddData(number32(unix.IFLA_EXT_MASK, skipStats))
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if f, ok := fromLink(m); ok {
			return f, nil
		}
	}
	return nil, errors.New("no answer about the link")
}

// index returns a link's index, by its name if it has none yet.
func (c *Conn) index(id netconf.LinkID) (int, error) {
	if id.Index != 0 || id.Name == "" {
		return id.Index, nil
	}
	f, err := c.get(id)
	if err != nil {
		return 0, err
	}
	return f.Index, nil
}

// addLink begins a request about a link.
func addLink(req *nl.NetlinkRequest, id netconf.LinkID) *nl.IfInfomsg {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(id.Index)
	req.AddData(msg)
	if id.Index == 0 {
		req.AddData(text(unix.IFLA_IFNAME, id.Name))
	}
	return msg
}
