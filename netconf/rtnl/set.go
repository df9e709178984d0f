package rtnl

import (
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// set changes attributes of a link.
func (c *Conn) set(id netconf.LinkID, values ...*nl.RtAttr) error {
	req := c.request(unix.RTM_SETLINK, unix.NLM_F_ACK)
	addLink(req, id)
	for _, v := range values {
		req.AddData(v)
	}
	return do(req)
}

// setFlags changes whether a link is administratively up.
func (c *Conn) setFlags(id netconf.LinkID, up uint32) error {
	req := c.request(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := addLink(req, id)
	msg.Flags, msg.Change = up, unix.IFF_UP
	return do(req)
}

// SetUp implements netconf.Kernel.
func (c *Conn) SetUp(id netconf.LinkID) error {
	return fail(id, "set up", c.setFlags(id, unix.IFF_UP))
}

// SetDown implements netconf.Kernel.
func (c *Conn) SetDown(id netconf.LinkID) error {
	return fail(id, "set down", c.setFlags(id, 0))
}

// SetMTU implements netconf.Kernel.
func (c *Conn) SetMTU(id netconf.LinkID, mtu int) error {
	return fail(id, fmt.Sprintf("set MTU %d", mtu), c.set(id, number32(unix.IFLA_MTU, mtu)))
}

// SetName implements netconf.Kernel. Linux renames links that are up since 6.2.
func (c *Conn) SetName(id netconf.LinkID, name string) error {
	index, err := c.index(id)
	if err == nil {
		err = c.set(netconf.LinkID{Index: index}, text(unix.IFLA_IFNAME, name))
	}
	return fail(id, "rename to "+name, err)
}

// SetMAC implements netconf.Kernel.
func (c *Conn) SetMAC(id netconf.LinkID, mac string) error {
	address, err := net.ParseMAC(mac)
	if err == nil {
		err = c.set(id, nl.NewRtAttr(unix.IFLA_ADDRESS, address))
	}
	return fail(id, "set MAC address "+mac, err)
}

// SetMaster implements netconf.Kernel.
func (c *Conn) SetMaster(id, master netconf.LinkID) error {
	what := "take out of its master"
	if master != (netconf.LinkID{}) {
		what = fmt.Sprintf("put into %s", master)
	}
	index, err := c.index(master)
	if err == nil {
		err = c.set(id, number32(unix.IFLA_MASTER, index))
	}
	return fail(id, what, err)
}

// sysctls is where the settings of IPv6 of each link are.
const sysctls = "/proc/sys/net/ipv6/conf"

// SetIPv6 implements netconf.Kernel. A link without IPv6, because the kernel
// has none or because its MTU is too small, is left as it is.
func (c *Conn) SetIPv6(id netconf.LinkID, v netconf.IPv6) error {
	const what = "set how router advertisements are treated"
	f, err := c.get(id)
	if err != nil {
		return fail(id, what, err)
	}
	value := map[bool]string{true: "2", false: "0"}
	for _, s := range [][2]string{{"accept_ra", value[v.AcceptRA]}, {"use_tempaddr", value[v.Privacy]}} {
		if err = write(f.Name, s[0], s[1]); err != nil {
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked[f.Index] = netconf.IPv6{AcceptRA: v.AcceptRA, Privacy: v.Privacy}
		return nil
	}
	return fail(id, what, err)
}
