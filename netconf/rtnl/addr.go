package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// ifaProto is IFA_PROTO of linux/if_addr.h (since 5.18; older kernels ignore
// it): one byte that says who added an address. The kernel's own are 1
// (loopback), 2 (advertisement) and 3 (link-local).
const (
	ifaProto    = 11
	kernelFirst = 1
	kernelLast  = 3
)

// addresses lists all links' addresses by link index.
func (c *Conn) addresses() (map[int][]netconf.Address, error) {
	messages, err := c.dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, err
	}
	found := make(map[int][]netconf.Address)
	for _, m := range messages {
		if len(m) < unix.SizeofIfAddrmsg {
			continue
		}
		msg := nl.DeserializeIfAddrmsg(m)
		if a, ok := fromAttrs(int(msg.Prefixlen), int(msg.Flags), parse(m[msg.Len():])); ok {
			found[int(msg.Index)] = append(found[int(msg.Index)], a)
		}
	}
	return found, nil
}

// fromAttrs reads one address. IPv4 has it in IFA_LOCAL, IPv6 in IFA_ADDRESS
// unless there is a peer.
func fromAttrs(bits, flags int, a attrs) (netconf.Address, bool) {
	local := a.addr(unix.IFA_LOCAL)
	if !local.IsValid() {
		local = a.addr(unix.IFA_ADDRESS)
	}
	if _, ok := a[unix.IFA_FLAGS]; ok {
		flags = a.number(unix.IFA_FLAGS)
	}
	prefix := netip.PrefixFrom(local, bits)
	proto := a.number(ifaProto)
	// What is older than IFA_PROTO is told by what it does.
	made := proto == 0 && local.Is6() &&
		(local.IsLinkLocalUnicast() || flags&(unix.IFA_F_TEMPORARY|unix.IFA_F_MANAGETEMPADDR) != 0)
	return netconf.Address{
		Prefix:    prefix,
		Own:       proto == netconf.Protocol,
		Kernel:    proto >= kernelFirst && proto <= kernelLast || made,
		Tentative: flags&unix.IFA_F_TENTATIVE != 0 && flags&unix.IFA_F_DADFAILED == 0,
		Duplicate: flags&unix.IFA_F_DADFAILED != 0,
		Until:     until(a[unix.IFA_CACHEINFO], time.Now()),
	}, prefix.IsValid()
}

// until is when an address ends. Its lifetimes are struct ifa_cacheinfo of
// linux/if_addr.h: preferred, valid, both in seconds left, and two timestamps.
func until(info []byte, now time.Time) time.Time {
	const forever = 1<<32 - 1
	if len(info) < 8 {
		return time.Time{}
	}
	valid := binary.NativeEndian.Uint32(info[4:])
	if valid == forever {
		return time.Time{}
	}
	return now.Add(time.Duration(valid) * time.Second)
}

// AddAddr implements netconf.Kernel.
func (c *Conn) AddAddr(id netconf.LinkID, prefix netip.Prefix) error {
	what := fmt.Sprintf("add address %s", prefix)
	index, err := c.index(id)
	if err != nil {
		return fail(id, what, err)
	}
	req := c.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	addAddr(req, index, prefix)
	if b, ok := broadcast(prefix); ok {
		req.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, b.AsSlice()))
	}
	req.AddData(nl.NewRtAttr(ifaProto, []byte{netconf.Protocol}))
	if err := do(req); !errors.Is(err, unix.EEXIST) {
		return fail(id, what, err)
	}
	return nil
}

// DelAddr implements netconf.Kernel.
func (c *Conn) DelAddr(id netconf.LinkID, prefix netip.Prefix) error {
	index, err := c.index(id)
	if err == nil {
		req := c.request(unix.RTM_DELADDR, unix.NLM_F_ACK)
		addAddr(req, index, prefix)
		err = do(req)
	}
	if gone(err) {
		return nil
	}
	return fail(id, fmt.Sprintf("remove address %s", prefix), err)
}

func addAddr(req *nl.NetlinkRequest, index int, prefix netip.Prefix) {
	msg := nl.NewIfAddrmsg(family(prefix.Addr()))
	msg.Index = uint32(index)
	msg.Prefixlen = uint8(prefix.Bits())
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, prefix.Addr().AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, prefix.Addr().AsSlice()))
}

func family(a netip.Addr) int {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
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
