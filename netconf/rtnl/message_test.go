package rtnl

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// message is what the kernel sends about a link, with a length that lies.
func crooked() []byte {
	return slices.Concat(make([]byte, unix.SizeofIfInfomsg), []byte{200, 0, unix.IFLA_IFNAME, 0, 'e'})
}

func TestUserOption(t *testing.T) {
	router := netip.MustParseAddr("fe80::1")
	options := []byte{31, 2, 0, 0, 0, 0, 2, 88, 1, 'a', 0, 0, 0, 0, 0, 0}
	head := make([]byte, 16)
	head[0], head[8] = unix.AF_INET6, 134
	binary.NativeEndian.PutUint16(head[2:], uint16(len(options)))
	binary.NativeEndian.PutUint32(head[4:], 7)
	source := nl.NewRtAttr(1, router.AsSlice()).Serialize()
	read := func(kind uint16, data []byte) (netconf.Advert, bool) {
		return fromUserOption(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind}, Data: data})
	}
	whole := slices.Concat(head, options, source)
	if a, ok := read(unix.RTM_NEWNDUSEROPT, whole); !ok || a.Link != 7 || a.Router != router || !slices.Equal(a.Options, options) {
		t.Errorf("%v %+v", ok, a)
	}
	if _, ok := read(unix.RTM_NEWLINK, whole); ok {
		t.Error("another message is read as one about an advertisement")
	}
	for n := range len(head) + len(options) {
		if _, ok := read(unix.RTM_NEWNDUSEROPT, whole[:n]); ok {
			t.Errorf("%d bytes are read as a whole message", n)
		}
	}
}

// TestMatters: container engines change routes all the time; only the loss of
// ours is worth a look.
func TestMatters(t *testing.T) {
	route := func(protocol uint8) []byte {
		return (&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Protocol: protocol}}).Serialize()
	}
	rule := func(protocol int) []byte {
		return slices.Concat(route(0), number8(unix.FRA_PROTOCOL, protocol).Serialize())
	}
	for _, c := range []struct {
		name        string
		kind, flags uint16
		data        []byte
		want        bool
	}{
		{"a link", unix.RTM_NEWLINK, 0, nil, true},
		{"an address", unix.RTM_DELADDR, 0, nil, true},
		{"our route is lost", unix.RTM_DELROUTE, 0, route(netconf.Protocol), true},
		{"another's route is lost", unix.RTM_DELROUTE, 0, route(unix.RTPROT_BOOT), false},
		{"another's route", unix.RTM_NEWROUTE, unix.NLM_F_CREATE, route(unix.RTPROT_BOOT), false},
		{"another's route in place of one", unix.RTM_NEWROUTE, unix.NLM_F_REPLACE, route(unix.RTPROT_BOOT), true},
		{"our own new route", unix.RTM_NEWROUTE, unix.NLM_F_REPLACE, route(netconf.Protocol), false},
		{"our rule is lost", unix.RTM_DELRULE, 0, rule(netconf.Protocol), true},
		{"another's rule is lost", unix.RTM_DELRULE, 0, rule(unix.RTPROT_BOOT), false},
		{"a new rule", unix.RTM_NEWRULE, 0, rule(netconf.Protocol), false},
		{"half a message", unix.RTM_DELROUTE, 0, []byte{2}, false},
	} {
		if got := matters(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: c.kind, Flags: c.flags}, Data: c.data}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzMessages: nothing that looks like a message of the kernel ends the
// program.
func FuzzMessages(f *testing.F) {
	for _, kind := range []string{netconf.KindVLAN, netconf.KindBond, netconf.KindBridge, netconf.KindVXLAN, "veth"} {
		info, data := linkInfo(kind)
		data.AddRtAttr(1, []byte{5, 0})
		f.Add(slices.Concat(make([]byte, unix.SizeofIfInfomsg), text(unix.IFLA_IFNAME, "eth0").Serialize(), info.Serialize()))
	}
	f.Add(crooked())
	f.Fuzz(func(t *testing.T, b []byte) {
		if link, ok := fromLink(b); ok {
			decode(link, map[int]string{1: "lo"})
			ipv6Of(link.attrs, netconf.IPv6{})
		}
		fromRoute(b)
		fromRule(b)
		fromAttrs(24, 0, parse(b))
		fromUserOption(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWNDUSEROPT}, Data: b})
	})
}
