// Package rtnl is netconf.Kernel on rtnetlink, on WireGuard's netlink, on
// ethtool's ioctl and on the sysctls of IPv6. It is the only importer of a
// netlink library. It translates and nothing more: what is to be done is
// netconf's to decide.
package rtnl

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl"

	"github.com/pharos-os/pharos/netconf"
)

// dumpTries bounds how often a listing is repeated that a change interrupted
// (NLM_F_DUMP_INTR).
const dumpTries = 8

// Conn is a connection to the network namespace in which it was opened. Its
// subscriptions, WireGuard and the sysctls are those of the namespace of the
// thread that uses it: a process that changes namespaces has to use it in one.
type Conn struct {
	sockets map[int]*nl.SocketHandle
	ethtool *ethtool.Ethtool
	log     *slog.Logger

	mu       sync.Mutex // guards the following
	hardware map[netconf.LinkID]identity
	asked    map[int]netconf.IPv6 // of links without IPv6, by index
	// What was asked for and the kernel may change by itself later: a bond's
	// active member, by the bond's index; where a WireGuard peer was called.
	active    map[int]string
	endpoints map[peerID]string
	wireguard *wgctrl.Client // nil until the first such link
}

var _ netconf.Kernel = (*Conn)(nil)

// Open connects to the calling thread's network namespace. A nil log discards.
func Open(log *slog.Logger) (*Conn, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("rtnetlink socket: %w", err)
	}
	// Errors come with the kernel's own words, and listings are filtered.
	err = errors.Join(socket.SetExtAck(true),
		unix.SetsockoptInt(socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1))
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("rtnetlink socket: %w", err)
	}
	tool, err := ethtool.NewEthtool()
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("ethtool socket: %w", err)
	}
	return &Conn{
		sockets:   map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}},
		ethtool:   tool,
		log:       log,
		hardware:  make(map[netconf.LinkID]identity),
		asked:     make(map[int]netconf.IPv6),
		active:    make(map[int]string),
		endpoints: make(map[peerID]string),
	}, nil
}

// Close releases the sockets. Subscriptions end with their contexts.
func (c *Conn) Close() error {
	for _, s := range c.sockets {
		s.Close()
	}
	c.ethtool.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wireguard != nil {
		return c.wireguard.Close()
	}
	return nil
}

func (c *Conn) request(command, flags int) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(command, flags)
	req.Sockets = c.sockets
	return req
}

// do sends a request that has no answer but success or an error.
func do(req *nl.NetlinkRequest) error {
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// dump lists what the kernel has until no change interrupts the listing.
func (c *Conn) dump(command int, answer uint16, data ...nl.NetlinkRequestData) ([][]byte, error) {
	var messages [][]byte
	var err error
	for range dumpTries {
		req := c.request(command, unix.NLM_F_DUMP)
		for _, d := range data {
			req.AddData(d)
		}
		if messages, err = req.Execute(unix.NETLINK_ROUTE, answer); !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	return messages, err
}

// fail says what was being done to which link.
func fail(id netconf.LinkID, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", id, what, err)
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
