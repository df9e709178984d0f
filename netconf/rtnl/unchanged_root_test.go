package rtnl_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// watcher counts what the kernel reports about links, addresses, routes and
// rules.
type watcher struct{ socket *nl.NetlinkSocket }

func newWatcher(t *testing.T) watcher {
	t.Helper()
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(socket.Close)
	if err := socket.SetReceiveTimeout(&unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	return watcher{socket}
}

// events returns what has been reported until now, each as its type and the
// index of its link, 0 for rules. Where now is shows a link that is made and
// deleted.
func (w watcher) events(t *testing.T) []string {
	t.Helper()
	const mark = "mark"
	netconftest.Run(t, "ip", "link", "add", mark, "type", "bridge")
	netconftest.Run(t, "ip", "link", "del", mark)
	var out []string
	for {
		messages, _, err := w.socket.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			index := 0
			switch m.Header.Type {
			case unix.RTM_NEWLINK, unix.RTM_DELLINK:
				if strings.Contains(string(m.Data), mark+"\x00") {
					if m.Header.Type == unix.RTM_DELLINK {
						return out
					}
					continue
				}
				index = int(nl.DeserializeIfInfomsg(m.Data).Index)
			case unix.RTM_NEWADDR, unix.RTM_DELADDR:
				index = int(nl.DeserializeIfAddrmsg(m.Data).Index)
			case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
				attrs, err := nl.ParseRouteAttr(m.Data[unix.SizeofRtMsg:])
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range attrs {
					if a.Attr.Type == unix.RTA_OIF {
						index = int(binary.NativeEndian.Uint32(a.Value))
					}
				}
			}
			out = append(out, fmt.Sprintf("type %d link %d", m.Header.Type, index))
		}
	}
}

// TestRootUnchanged: applying the same again changes nothing at all, and a
// change of one link is seen on that link only.
func TestRootUnchanged(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn := open(t)
	world := netconftest.Real(t)
	for _, name := range []string{"eth0", "eth1", "eth2"} {
		world.AddLink(name)
	}
	m := netconf.New(conn, nil, discard{}, netconf.Options{})
	netconftest.Go(t, m.Run)
	apply := func(mtu int) {
		t.Helper()
		before := m.State().Applied
		spec, errs := netconf.FromConfig(everything(mtu))
		if errs != nil {
			t.Fatal(errs)
		}
		m.Apply(spec)
		netconftest.Within(t, 20*time.Second, "the spec to be in force", func() (bool, <-chan struct{}) {
			s, changed := m.Watch()
			settled := s.Applied.After(before) && len(s.Problems) == 0
			for _, l := range s.Links {
				settled = settled && (l.Loopback || quiet(l.Link))
			}
			return settled, changed
		})
	}
	apply(1500)
	w := newWatcher(t)
	apply(1500)
	if got := w.events(t); len(got) > 0 {
		t.Errorf("applying the same again made %d events: %q", len(got), got)
	}
	apply(1400)
	links, err := conn.Links()
	if err != nil {
		t.Fatal(err)
	}
	var touched []string
	for _, l := range links {
		if l.Name == "eth1" || l.Name == "macv0" { // the second is on the first
			touched = append(touched, fmt.Sprintf("link %d", l.Index))
		}
	}
	got := w.events(t)
	for _, e := range got {
		if !slices.ContainsFunc(touched, func(l string) bool { return strings.HasSuffix(e, l) }) {
			t.Errorf("eth1 was changed, which is among %q; event: %s", touched, e)
		}
	}
	if len(got) == 0 {
		t.Error("a change made no event")
	}
}

// quiet tells whether a link has all that the kernel does by itself after it
// was set up.
func quiet(l netconf.Link) bool {
	six := l.Master != 0
	for _, a := range l.Addresses {
		six = six || a.Prefix.Addr().IsLinkLocalUnicast()
		if a.Tentative {
			return false
		}
	}
	return l.Up && l.Carrier && six
}

// everything is a network of all that the host's kernel has.
func everything(mtu int) osconfig.Network {
	no := false
	return osconfig.Network{
		Rules: []osconfig.RouteRule{{From: "10.70.0.0/16", Table: 300, Priority: 1000}},
		Interfaces: map[string]osconfig.Interface{
			"eth0": {Addresses: []string{"10.70.0.2/24", "fd00:70::2/64"}, Gateway: "10.70.0.1", GatewayIPv6: "fd00:70::1",
				Routes: []osconfig.Route{{To: "10.71.0.0/16", Via: "10.70.0.9", MTU: 1300}, {To: "10.72.0.0/16", Table: 300, Via: "10.70.0.9"},
					{To: "10.73.0.0/16", Type: "blackhole"}, {To: "fd00:71::/48", Via: "fd00:70::9"}},
				Offloads: map[string]bool{"gro": false}},
			"eth1":   {Address: "10.74.0.2/24", MTU: mtu},
			"eth2":   {Bridge: "br0", AcceptRA: &no},
			"br0":    {Type: "bridge", Address: "10.75.0.2/24"},
			"macv0":  {Type: "macvlan", Link: "eth1", Mode: "bridge", Address: "10.76.0.2/24"},
			"vxlan0": {Type: "vxlan", ID: 7, Remote: "10.70.0.9", Address: "10.77.0.2/24"},
		},
	}
}
