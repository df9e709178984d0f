package rtnl

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// ifaProto is IFA_PROTO of linux/if_addr.h (since 5.18; older kernels ignore
// it): one byte that says who added an address. The library does not know it,
// which is why requests about addresses are written here.
const ifaProto = 11

func (c *Conn) request(command, flags int) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(command, flags)
	req.Sockets = c.sockets
	return req
}

// addresses lists all links' addresses by link index.
func (c *Conn) addresses() (map[int][]netconf.Address, error) {
	var messages [][]byte
	err := retry(func() (err error) {
		req := c.request(unix.RTM_GETADDR, unix.NLM_F_DUMP)
		req.AddData(nl.NewIfAddrmsg(unix.AF_UNSPEC))
		messages, err = req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make(map[int][]netconf.Address)
	for _, m := range messages {
		msg := nl.DeserializeIfAddrmsg(m)
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil {
			return nil, err
		}
		if a, ok := fromAttrs(int(msg.Prefixlen), attrs); ok {
			found[int(msg.Index)] = append(found[int(msg.Index)], a)
		}
	}
	return found, nil
}

// fromAttrs reads one address. IPv4 has it in IFA_LOCAL, IPv6 in IFA_ADDRESS
// unless there is a peer.
func fromAttrs(bits int, attrs []syscall.NetlinkRouteAttr) (netconf.Address, bool) {
	var local, address netip.Addr
	own := false
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(a.Value)
		case ifaProto:
			own = len(a.Value) > 0 && a.Value[0] == netconf.Protocol
		}
	}
	if !local.IsValid() {
		local = address
	}
	prefix := netip.PrefixFrom(local, bits)
	return netconf.Address{Prefix: prefix, Own: own}, prefix.IsValid()
}

// AddAddr implements netconf.Kernel.
func (c *Conn) AddAddr(id netconf.LinkID, prefix netip.Prefix) error {
	req := c.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	addAddr(req, id, prefix)
	if b, ok := broadcast(prefix); ok {
		req.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, b.AsSlice()))
	}
	req.AddData(nl.NewRtAttr(ifaProto, []byte{netconf.Protocol}))
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: add address %s: %w", id, prefix, err)
	}
	return nil
}

// DelAddr implements netconf.Kernel.
func (c *Conn) DelAddr(id netconf.LinkID, prefix netip.Prefix) error {
	req := c.request(unix.RTM_DELADDR, unix.NLM_F_ACK)
	addAddr(req, id, prefix)
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil && !gone(err) {
		return fmt.Errorf("%s: remove address %s: %w", id, prefix, err)
	}
	return nil
}

func addAddr(req *nl.NetlinkRequest, id netconf.LinkID, prefix netip.Prefix) {
	family := unix.AF_INET
	if prefix.Addr().Is6() {
		family = unix.AF_INET6
	}
	msg := nl.NewIfAddrmsg(family)
	msg.Index = uint32(id.Index)
	msg.Prefixlen = uint8(prefix.Bits())
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, prefix.Addr().AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, prefix.Addr().AsSlice()))
}

// broadcast returns an IPv4 subnet's broadcast address; /31 and /32 have none
// (RFC 3021).
func broadcast(prefix netip.Prefix) (netip.Addr, bool) {
	if !prefix.Addr().Is4() || prefix.Bits() > 30 {
		return netip.Addr{}, false
	}
	a := prefix.Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a), true
}

// gone tells whether an error says that what was to be removed is not there.
func gone(err error) bool {
	for _, e := range []error{unix.EADDRNOTAVAIL, unix.ESRCH, unix.ENODEV, unix.ENOENT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
