package dhcp

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// packetConn is Conn on a packet socket, which needs no address on the link
// and hears answers sent to an address that the link does not have yet.
type packetConn struct {
	link netconf.Link
	raw  net.PacketConn
	udp  *net.UDPConn // for renewals; nil until the first
}

// openPacket opens the socket with a filter, or each IP packet of the machine
// would be copied to this process.
func openPacket(link netconf.Link) (Conn, error) {
	filter, err := bpf.Assemble(filter())
	if err != nil {
		return nil, fmt.Errorf("packet filter: %w", err)
	}
	raw, err := packet.Listen(&net.Interface{Index: link.Index, Name: link.Name},
		packet.Datagram, unix.ETH_P_IP, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("packet socket on %s: %w", link.Name, err)
	}
	return &packetConn{
		link: link,
		raw:  nclient4.NewBroadcastUDPConn(raw, &net.UDPAddr{Port: nclient4.ClientPort}),
	}, nil
}

// filter accepts unfragmented UDP to the client port. The packet begins with
// its IP header.
func filter() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 9, Size: 1}, // protocol
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_UDP, SkipTrue: 6},
		bpf.LoadAbsolute{Off: 6, Size: 2}, // flags and fragment offset
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 4},
		bpf.LoadMemShift{Off: 0}, // length of the IP header
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: nclient4.ClientPort, SkipTrue: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	}
}

func (c *packetConn) Broadcast(message []byte) error {
	_, err := c.raw.WriteTo(message, nclient4.DefaultServers)
	return err
}

// Unicast sends through the routing of the kernel. The answer comes in by the
// packet socket; the UDP socket stays open so that the kernel does not answer
// it with "port unreachable".
func (c *packetConn) Unicast(message []byte, from, to netip.Addr) error {
	if c.udp == nil {
		dialer := net.Dialer{
			LocalAddr: &net.UDPAddr{IP: from.AsSlice(), Port: nclient4.ClientPort},
			Control:   c.bind,
		}
		conn, err := dialer.Dial("udp4", netip.AddrPortFrom(to, nclient4.ServerPort).String())
		if err != nil {
			return err
		}
		c.udp = conn.(*net.UDPConn)
	}
	_, err := c.udp.Write(message)
	return err
}

// bind ties the socket to the link.
func (c *packetConn) bind(_, _ string, raw syscall.RawConn) error {
	var inner error
	err := raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		if inner == nil {
			inner = unix.BindToDevice(int(fd), c.link.Name)
		}
	})
	if err != nil {
		return err
	}
	return inner
}

func (c *packetConn) Read(buffer []byte) (int, error) {
	n, _, err := c.raw.ReadFrom(buffer)
	return n, err
}

func (c *packetConn) Close() error {
	if c.udp != nil {
		c.udp.Close()
	}
	return c.raw.Close()
}
