package dhcp6

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

const (
	clientPort = 546
	serverPort = 547
)

// udpConn is Conn on a UDP socket.
type udpConn struct {
	*net.UDPConn
	servers netip.AddrPort
}

// openUDP binds a socket to the link's link-local address, so that it hears
// nobody from beyond the link. The kernel refuses that while duplicate address
// detection is under way.
func openUDP(link netconf.Link) (Conn, error) {
	nic, err := net.InterfaceByIndex(link.Index)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", link.Name, err)
	}
	addrs, err := nic.Addrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", link.Name, err)
	}
	zone := strconv.Itoa(link.Index) // names may change
	servers := netip.AddrPortFrom(netip.MustParseAddr("ff02::1:2").WithZone(zone), serverPort)
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.To4() != nil || !ip.IP.IsLinkLocalUnicast() {
			continue
		}
		conn, bindErr := net.ListenUDP("udp6", &net.UDPAddr{IP: ip.IP, Port: clientPort, Zone: zone})
		if bindErr == nil {
			return udpConn{conn, servers}, nil
		}
		err = bindErr
	}
	switch {
	case err == nil:
		return nil, errors.New("no link-local IPv6 address yet")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return nil, errors.New("the link-local IPv6 address is still being probed")
	}
	return nil, fmt.Errorf("UDP socket on %s: %w", link.Name, err)
}

func (c udpConn) Send(message []byte) error {
	_, err := c.WriteToUDPAddrPort(message, c.servers)
	return err
}
