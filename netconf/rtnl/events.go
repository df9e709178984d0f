package rtnl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

const (
	// resubscribeInterval is the time between attempts to listen again after
	// an event socket broke.
	resubscribeInterval = time.Second
	// eventBuffer is the size of an event socket's buffer in bytes: a machine
	// that starts a hundred containers at once fills the usual one.
	eventBuffer = 1 << 20
)

// Subscribe implements netconf.Kernel. If the kernel drops events because the
// socket is full a signal is sent; if the socket breaks, a new subscription
// begins.
func (c *Conn) Subscribe(ctx context.Context) (<-chan struct{}, error) {
	signal := make(chan struct{}, 1)
	notify := func() {
		select {
		case signal <- struct{}{}:
		default: // one is waiting to be seen: that will do
		}
	}
	err := c.follow(ctx, "link, address and route events", []uint{
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV6_IFINFO, // what an advertisement says of DHCPv6; the kernel tells nobody else
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
	}, func(m syscall.NetlinkMessage) {
		if matters(m) {
			notify()
		}
	}, notify, func() { close(signal) })
	if err != nil {
		return nil, err
	}
	return signal, nil
}

// matters tells whether an event can mean that something is to be done. Of
// routes and rules only the loss of our own is one: others come and go with
// every container.
func matters(m syscall.NetlinkMessage) bool {
	switch m.Header.Type {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(m.Data) < unix.SizeofRtMsg {
			return false
		}
		own := nl.DeserializeRtMsg(m.Data).Protocol == netconf.Protocol
		if m.Header.Type == unix.RTM_DELROUTE {
			return own
		}
		return !own && m.Header.Flags&unix.NLM_F_REPLACE != 0 // perhaps one of ours
	case unix.RTM_DELRULE:
		_, own := fromRule(m.Data)
		return own
	case unix.RTM_NEWRULE:
		return false
	}
	return true
}

// Adverts implements netconf.Kernel.
func (c *Conn) Adverts(ctx context.Context) (<-chan netconf.Advert, error) {
	adverts := make(chan netconf.Advert)
	err := c.follow(ctx, "router advertisements", []uint{unix.RTNLGRP_ND_USEROPT}, func(m syscall.NetlinkMessage) {
		a, ok := fromUserOption(m)
		if !ok {
			return
		}
		select {
		case adverts <- a:
		case <-ctx.Done():
		}
	}, func() {}, func() { close(adverts) })
	if err != nil {
		return nil, err
	}
	return adverts, nil
}

// fromUserOption reads RTM_NEWNDUSEROPT: struct nduseroptmsg of
// linux/rtnetlink.h, the options, then attributes.
func fromUserOption(m syscall.NetlinkMessage) (netconf.Advert, bool) {
	const (
		header = 16 // bytes
		source = 1  // NDUSEROPT_SRCADDR
		advert = 134
	)
	b := m.Data
	if m.Header.Type != unix.RTM_NEWNDUSEROPT || len(b) < header || b[0] != unix.AF_INET6 || b[8] != advert {
		return netconf.Advert{}, false
	}
	end := header + int(binary.NativeEndian.Uint16(b[2:]))
	if end > len(b) {
		return netconf.Advert{}, false
	}
	return netconf.Advert{
		Link:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Router:  parse(b[min((end+3)&^3, len(b)):]).addr(source),
		Options: b[header:end],
	}, true
}

// follow reads events of groups until ctx ends, in a goroutine of its own that
// calls ended last. Each message goes to read; lost is called when some may
// have been missed.
func (c *Conn) follow(ctx context.Context, what string, groups []uint, read func(syscall.NetlinkMessage), lost, ended func()) error {
	socket, err := listen(groups)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	go func() {
		defer ended()
		for socket != nil {
			err := receive(ctx, socket, read, lost)
			if ctx.Err() != nil {
				return
			}
			c.log.Warn("event subscription", "events", what, "error", err)
			socket = c.listenAgain(ctx, groups)
			lost()
		}
	}()
	return nil
}

func listen(groups []uint) (*nl.NetlinkSocket, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, groups...)
	if err != nil {
		return nil, err
	}
	err = socket.SetReceiveBufferSize(eventBuffer, true)
	if errors.Is(err, unix.EPERM) { // as much as users may have
		err = socket.SetReceiveBufferSize(eventBuffer, false)
	}
	if err != nil {
		socket.Close()
		return nil, err
	}
	return socket, nil
}

// receive reads until the socket breaks or ctx ends, and closes it.
func receive(ctx context.Context, socket *nl.NetlinkSocket, read func(syscall.NetlinkMessage), lost func()) error {
	stop := context.AfterFunc(ctx, socket.Close)
	defer func() {
		if stop() {
			socket.Close()
		}
	}()
	for {
		messages, from, err := socket.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			lost()
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case from.Pid != nl.PidKernel:
			continue
		}
		for _, m := range messages {
			read(m)
		}
	}
}

// listenAgain tries until it succeeds; nil means that ctx has ended.
func (c *Conn) listenAgain(ctx context.Context, groups []uint) *nl.NetlinkSocket {
	ticker := time.NewTicker(resubscribeInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		socket, err := listen(groups)
		if err == nil {
			return socket
		}
		c.log.Warn("event subscription", "error", err)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}
