// Package rtnl is netconf.Kernel on rtnetlink. It is the only importer of a
// netlink library. It translates and nothing more: what is to be done is
// netconf's to decide.
package rtnl

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// dumpTries bounds how often a listing is repeated that a change interrupted
// (NLM_F_DUMP_INTR).
const dumpTries = 8

// Conn is a connection to the network namespace in which it was opened.
type Conn struct {
	handle  *netlink.Handle
	sockets map[int]*nl.SocketHandle // for requests that the library cannot express
	log     *slog.Logger
}

var _ netconf.Kernel = (*Conn)(nil)

// Open connects to the calling thread's network namespace. A nil log discards.
func Open(log *slog.Logger) (*Conn, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("rtnetlink socket: %w", err)
	}
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("rtnetlink socket: %w", err)
	}
	return &Conn{
		handle:  handle,
		sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}},
		log:     log,
	}, nil
}

// Close releases the sockets. Subscriptions end with their contexts.
func (c *Conn) Close() error {
	c.handle.Close()
	for _, s := range c.sockets {
		s.Close()
	}
	return nil
}

// retry repeats a listing until no change interrupts it.
func retry(list func() error) error {
	var err error
	for range dumpTries {
		if err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
	}
	return err
}

// Links implements netconf.Kernel.
func (c *Conn) Links() ([]netconf.Link, error) {
	var found []netlink.Link
	err := retry(func() (err error) {
		found, err = c.handle.LinkList()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list of links: %w", err)
	}
	addresses, err := c.addresses()
	if err != nil {
		return nil, fmt.Errorf("list of addresses: %w", err)
	}
	links := make([]netconf.Link, 0, len(found))
	for _, l := range found {
		link := fromLink(l)
		link.Addresses = addresses[link.Index]
		links = append(links, link)
	}
	slices.SortFunc(links, func(a, b netconf.Link) int { return cmp.Compare(a.Index, b.Index) })
	return links, nil
}

// carrier is the flag that follows the cable at once. IFF_RUNNING would follow
// it up to a second later: the kernel's linkwatch takes its time.
const carrier = unix.IFF_LOWER_UP

func fromLink(l netlink.Link) netconf.Link {
	a := l.Attrs()
	kind := l.Type()
	if kind == "device" { // the library's word for "no kind"
		kind = ""
	}
	return netconf.Link{
		LinkID: netconf.LinkID{Index: a.Index, Name: a.Name},
		Kind:   kind, MAC: a.HardwareAddr.String(), PermMAC: a.PermHWAddr.String(),
		Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&carrier != 0,
		Loopback: a.Flags&net.FlagLoopback != 0, MTU: a.MTU, Master: a.MasterIndex,
	}
}

func byIndex(id netconf.LinkID) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: id.Index, Name: id.Name}}
}

// SetUp implements netconf.Kernel.
func (c *Conn) SetUp(id netconf.LinkID) error {
	if err := c.handle.LinkSetUp(byIndex(id)); err != nil {
		return fmt.Errorf("%s: set up: %w", id, err)
	}
	return nil
}

// SetMTU implements netconf.Kernel.
func (c *Conn) SetMTU(id netconf.LinkID, mtu int) error {
	if err := c.handle.LinkSetMTU(byIndex(id), mtu); err != nil {
		return fmt.Errorf("%s: set MTU %d: %w", id, mtu, err)
	}
	return nil
}
