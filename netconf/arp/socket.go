package arp

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Conn carries ARP packets on one link.
type Conn interface {
	// Send sends a packet to everyone.
	Send(Packet) error
	// Read receives one packet. It is called from one goroutine; Close makes
	// it return an error, and so does a link that goes down.
	Read() (Packet, error)
	Close() error
}

// socket is Conn on a packet socket (packet(7)).
type socket struct {
	file   *os.File
	link   netconf.LinkID
	buffer [64]byte // what is longer than a packet is padding
}

// Open opens a socket on the link, which needs no address but has to be up.
func Open(link netconf.LinkID) (Conn, error) {
	// Protocol 0 hears nothing until bind has said on which link.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("ARP socket on %s: %w", link, err)
	}
	if err := unix.Bind(fd, address(link)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("ARP socket on %s: bind: %w", link, err)
	}
	return &socket{file: os.NewFile(uintptr(fd), "arp "+link.Name), link: link}, nil
}

// address is everyone on the link.
func address(link netconf.LinkID) *unix.SockaddrLinklayer {
	return &unix.SockaddrLinklayer{
		Protocol: binary.NativeEndian.Uint16([]byte{unix.ETH_P_ARP >> 8, unix.ETH_P_ARP & 0xff}), // in the order of the wire
		Ifindex:  link.Index,
		Halen:    6,
		Addr:     [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
}

func (s *socket) Send(p Packet) error {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("ARP on %s: %w", s.link, err)
	}
	var inner error
	err = raw.Write(func(fd uintptr) bool {
		inner = unix.Sendto(int(fd), p.Bytes(), 0, address(s.link))
		return inner != unix.EAGAIN
	})
	if err == nil && inner != unix.ENOBUFS { // the link's queue is full, or not there yet: lost, as on the wire
		err = inner
	}
	if err != nil {
		return fmt.Errorf("ARP on %s: send: %w", s.link, err)
	}
	return nil
}

func (s *socket) Read() (Packet, error) {
	for {
		n, err := s.file.Read(s.buffer[:])
		if err != nil {
			return Packet{}, fmt.Errorf("ARP on %s: receive: %w", s.link, err)
		}
		if p, ok := Parse(s.buffer[:n]); ok {
			return p, nil
		}
	}
}

func (s *socket) Close() error { return s.file.Close() }
