package rtnl

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Solicit implements netconf.Kernel (RFC 4861, section 4.1). The kernel fills
// in the checksum, and the answer is for it, too.
func (c *Conn) Solicit(id netconf.LinkID) error {
	const (
		what         = "ask routers for an advertisement"
		solicitation = 133
		hops         = 255 // or routers take it for one from beyond the link
	)
	index, err := c.index(id)
	if err != nil {
		return fail(id, what, err)
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return fail(id, what, err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops); err != nil {
		return fail(id, what, err)
	}
	routers := &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::2").As16(), ZoneId: uint32(index)}
	return fail(id, what, unix.Sendto(fd, []byte{solicitation, 7: 0}, 0, routers))
}
