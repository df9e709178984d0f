package rtnl

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// The methods of this file refuse to work; they are being written.

func unfinished(what string) error { return fmt.Errorf("%s: %w", what, unix.EOPNOTSUPP) }

func (c *Conn) AddLink(name, _ string, _ netconf.Device) error {
	return unfinished(name + ": add link")
}
func (c *Conn) SetDevice(id netconf.LinkID, _ netconf.Device) error { return unfinished(id.Name) }
func (c *Conn) DelLink(id netconf.LinkID) error                     { return unfinished(id.Name) }
func (c *Conn) SetName(id netconf.LinkID, _ string) error           { return unfinished(id.Name) }
func (c *Conn) SetMAC(id netconf.LinkID, _ string) error            { return unfinished(id.Name) }
func (c *Conn) SetMaster(id, _ netconf.LinkID) error                { return unfinished(id.Name) }
func (c *Conn) SetDown(id netconf.LinkID) error                     { return unfinished(id.Name) }
func (c *Conn) SetIPv6(id netconf.LinkID, _ netconf.IPv6) error     { return unfinished(id.Name) }
func (c *Conn) SetHardware(id netconf.LinkID, _ netconf.Hardware) error {
	return unfinished(id.Name)
}
func (c *Conn) Hardware(id netconf.LinkID) (netconf.Hardware, error) {
	return netconf.Hardware{}, unfinished(id.Name)
}
func (c *Conn) Rules() ([]netconf.Rule, error) { return nil, nil }
func (c *Conn) AddRule(netconf.Rule) error     { return unfinished("rule") }
func (c *Conn) DelRule(netconf.Rule) error     { return unfinished("rule") }
func (c *Conn) Adverts(context.Context) (<-chan netconf.Advert, error) {
	return nil, unfinished("adverts")
}
