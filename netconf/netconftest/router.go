package netconftest

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Advertise sends a router advertisement (RFC 4861, 4.2) from a link of the
// peer's: its flags, one prefix to make addresses in, further options. A link
// that is not ready to send is no error: routers repeat themselves.
func (p *Peer) Advertise(t *testing.T, name string, managed, other bool, prefix netip.Prefix, options []byte) {
	t.Helper()
	err := p.within(func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255); err != nil { // others are not believed
			return err
		}
		all := netip.MustParseAddr("ff02::1").As16()
		err = unix.Sendto(fd, advertisement(managed, other, prefix, options), 0, &unix.SockaddrInet6{Addr: all, ZoneId: uint32(link.Index)})
		if err == unix.EADDRNOTAVAIL || err == unix.ENETUNREACH || err == unix.ENETDOWN {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("router advertisement from %s: %v", name, err)
	}
}

// advertisement is the packet without its checksum, which the kernel fills in.
func advertisement(managed, other bool, prefix netip.Prefix, options []byte) []byte {
	var flags byte
	if managed {
		flags |= 0x80
	}
	if other {
		flags |= 0x40
	}
	const onLinkAndAutonomous = 0xc0
	lifetimes := []byte{0, 0, 7, 8, 0, 0, 7, 8} // 1800 s
	return slices.Concat(
		[]byte{134, 0, 0, 0, 64, flags, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0},
		[]byte{3, 4, byte(prefix.Bits()), onLinkAndAutonomous}, lifetimes, make([]byte, 4), prefix.Addr().AsSlice(),
		options)
}

// within runs f on a thread that is in the peer's namespace.
func (p *Peer) within(f func() error) error {
	runtime.LockOSThread()
	here, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer here.Close()
	there, err := netns.GetFromPath(fmt.Sprintf("/proc/%d/ns/net", p.pid))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := netns.Set(here); back != nil {
		return back // the thread ends with its goroutine: it is still locked
	}
	runtime.UnlockOSThread()
	return err
}
