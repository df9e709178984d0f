// Package arp owns ARP (RFC 826) for IPv4 on Ethernet as far as finding out
// needs it that somebody else has an address: its packets, a socket for them,
// and the detection of RFC 5227. It refuses to answer for the machine and to
// keep a table of neighbours: the kernel does both.
package arp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// size is the length of a packet, bytes.
const size = 28

// Numbers of the packet's fixed fields.
const (
	hardwareEthernet = 1
	protocolIPv4     = 0x0800
)

// Op is what a packet does.
type Op uint16

// Operations (RFC 826).
const (
	Request Op = 1
	Reply   Op = 2
)

// MAC is an Ethernet address; the zero one is none.
type MAC [6]byte

// ParseMAC reads an Ethernet address; longer hardware addresses are refused.
func ParseMAC(s string) (MAC, error) {
	hardware, err := net.ParseMAC(s)
	if err != nil || len(hardware) != 6 {
		return MAC{}, fmt.Errorf("%q is not an Ethernet address", s)
	}
	return MAC(hardware), nil
}

// String prints the address in lower case, with colons.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// Packet is one ARP packet. Its addresses are IPv4.
type Packet struct {
	Op        Op
	SenderMAC MAC
	SenderIP  netip.Addr // 0.0.0.0 in a probe
	TargetMAC MAC
	TargetIP  netip.Addr
}

// Probe asks who has an address, without saying that the sender wants it, so
// that nobody's table changes (RFC 5227, section 2.1.1).
func Probe(mac MAC, addr netip.Addr) Packet {
	return Packet{Op: Request, SenderMAC: mac, SenderIP: netip.IPv4Unspecified(), TargetIP: addr}
}

// Announcement says that the sender has an address (RFC 5227, section 2.3).
func Announcement(mac MAC, addr netip.Addr) Packet {
	return Packet{Op: Request, SenderMAC: mac, SenderIP: addr, TargetIP: addr}
}

// Parse reads a packet, which padding may follow. It returns false for what is
// not ARP for IPv4 on Ethernet.
func Parse(b []byte) (Packet, bool) {
	if len(b) < size ||
		binary.BigEndian.Uint16(b) != hardwareEthernet || binary.BigEndian.Uint16(b[2:]) != protocolIPv4 ||
		b[4] != 6 || b[5] != 4 {
		return Packet{}, false
	}
	p := Packet{
		Op:        Op(binary.BigEndian.Uint16(b[6:])),
		SenderMAC: MAC(b[8:14]), SenderIP: netip.AddrFrom4([4]byte(b[14:18])),
		TargetMAC: MAC(b[18:24]), TargetIP: netip.AddrFrom4([4]byte(b[24:28])),
	}
	return p, p.Op == Request || p.Op == Reply
}

// Bytes is the packet as it is on the wire, without the Ethernet header.
func (p Packet) Bytes() []byte {
	b := make([]byte, 0, size)
	b = binary.BigEndian.AppendUint16(b, hardwareEthernet)
	b = binary.BigEndian.AppendUint16(b, protocolIPv4)
	b = append(b, 6, 4)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Op))
	sender, target := p.SenderIP.As4(), p.TargetIP.As4()
	b = append(append(b, p.SenderMAC[:]...), sender[:]...)
	return append(append(b, p.TargetMAC[:]...), target[:]...)
}

// Has tells whether the packet says that its sender has the address.
func (p Packet) Has(addr netip.Addr) bool { return p.SenderIP == addr }

// Seeks tells whether the packet is a probe for the address: its sender is
// about to take it.
func (p Packet) Seeks(addr netip.Addr) bool {
	return p.Op == Request && p.SenderIP.IsUnspecified() && p.TargetIP == addr
}
