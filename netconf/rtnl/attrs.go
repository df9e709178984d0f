package rtnl

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// typeMask leaves out the bits that say how a value is kept (NLA_TYPE_MASK).
const typeMask = 0x3fff

// attrs are a message's attributes by type, of each type the last.
type attrs map[uint16][]byte

// parse reads attributes; what is no attribute ends them.
func parse(b []byte) attrs {
	a := make(attrs)
	each(b, func(kind uint16, value []byte) { a[kind] = value })
	return a
}

// each calls f for each attribute, in order.
func each(b []byte, f func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&typeMask, b[unix.SizeofRtAttr:length])
		b = b[min((length+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(b)):]
	}
}

func (a attrs) nested(kind uint16) attrs { return parse(a[kind]) }

// number reads an unsigned number of 1, 2 or 4 bytes; without it, 0.
func (a attrs) number(kind uint16) int {
	switch b := a[kind]; len(b) {
	case 1:
		return int(b[0])
	case 2:
		return int(binary.NativeEndian.Uint16(b))
	case 4:
		return int(binary.NativeEndian.Uint32(b))
	}
	return 0
}

// port reads a number of 2 bytes in network order.
func (a attrs) port(kind uint16) int {
	if b := a[kind]; len(b) == 2 {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (a attrs) text(kind uint16) string {
	s, _, _ := strings.Cut(string(a[kind]), "\x00")
	return s
}

func (a attrs) addr(kind uint16) netip.Addr {
	ip, _ := netip.AddrFromSlice(a[kind])
	return ip.Unmap()
}

// mac prints a hardware address; all zeros, which the kernel has for none,
// too.
func (a attrs) mac(kind uint16) string { return net.HardwareAddr(a[kind]).String() }

func number8(kind, n int) *nl.RtAttr  { return nl.NewRtAttr(kind, []byte{byte(n)}) }
func number16(kind, n int) *nl.RtAttr { return nl.NewRtAttr(kind, nl.Uint16Attr(uint16(n))) }
func number32(kind, n int) *nl.RtAttr { return nl.NewRtAttr(kind, nl.Uint32Attr(uint32(n))) }
func port16(kind, n int) *nl.RtAttr   { return nl.NewRtAttr(kind, nl.BEUint16Attr(uint16(n))) }
func text(kind int, s string) *nl.RtAttr {
	return nl.NewRtAttr(kind, nl.ZeroTerminated(s))
}
