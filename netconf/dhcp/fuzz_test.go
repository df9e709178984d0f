package dhcp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
)

// seed is a message with every option that is read, and more if asked for.
func seed(f *testing.F, kind dhcpv4.MessageType, modify ...dhcpv4.Modifier) []byte {
	f.Helper()
	p, err := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithReply(&dhcpv4.DHCPv4{ClientHWAddr: []byte{2, 0, 0, 0, 0, 1}}), dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP([]byte{192, 0, 2, 5}),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier([]byte{192, 0, 2, 1})), dhcpv4.WithNetmask([]byte{255, 255, 255, 0}),
		dhcpv4.WithOption(dhcpv4.OptRouter([]byte{192, 0, 2, 1})), dhcpv4.WithOption(dhcpv4.OptDNS([]byte{192, 0, 2, 1})),
		dhcpv4.WithOption(dhcpv4.OptNTPServers([]byte{192, 0, 2, 1})), dhcpv4.WithOption(dhcpv4.OptHostName("box")),
		dhcpv4.WithOption(dhcpv4.OptDomainName("a.example")), dhcpv4.WithLeaseTime(3600),
		dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(1800 * time.Second)), dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(3000 * time.Second)),
		dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{5, 220}),
		dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{0, 192, 0, 2, 1, 24, 198, 51, 100, 192, 0, 2, 7}),
		dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(microsoftRoutes), []byte{8, 10, 192, 0, 2, 1}),
		dhcpv4.WithGeneric(dhcpv4.OptionDNSDomainSearchList, []byte("\x01a\x07example\x00\x01b\xc0\x02")),
	}, modify...)...)
	if err != nil {
		f.Fatal(err)
	}
	return p.ToBytes()
}

// FuzzOptions: whatever is on the wire, what is made of it is a lease that the
// kernel, the resolver's files and the state machine's clock can take.
func FuzzOptions(f *testing.F) {
	f.Add(seed(f, dhcpv4.MessageTypeAck))
	f.Add(seed(f, dhcpv4.MessageTypeOffer))
	f.Add(seed(f, dhcpv4.MessageTypeNak))
	f.Add(seed(f, dhcpv4.MessageTypeAck, dhcpv4.WithLeaseTime(0), dhcpv4.WithNetmask([]byte{255, 0, 255, 0})))
	f.Add(seed(f, dhcpv4.MessageTypeAck, dhcpv4.WithLeaseTime(1<<32-1), dhcpv4.WithGeneric(dhcpv4.OptionOptionOverload, []byte{3})))
	f.Add(seed(f, dhcpv4.MessageTypeAck, dhcpv4.WithLeaseTime(1<<32-2)))
	f.Add(seed(f, dhcpv4.MessageTypeAck, dhcpv4.WithGeneric(dhcpv4.OptionDNSDomainSearchList, []byte("\x01a\xc0\x00"))))
	f.Add(seed(f, dhcpv4.MessageTypeAck)[:300])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(b)
		if err != nil {
			return
		}
		offered(p)
		answerTo(p)(p)
		if ok, _ := answerOf(netip.Addr{})(p); !ok || p.MessageType() != dhcpv4.MessageTypeAck {
			return
		}
		checkLease(t, p)
	})
}

func checkLease(t *testing.T, p *dhcpv4.DHCPv4) {
	t.Helper()
	now := time.Unix(1000, 0)
	l, _ := parseLease(p, now)
	if !isHost(l.Address.Addr()) || l.Address.Bits() < 1 || l.Acquired != now || l.Server.IsValid() && !isHost(l.Server) {
		t.Errorf("address %s from %s", l.Address, l.Server)
	}
	if l.Duration != 0 && (l.Duration < shortestLease || l.T1 < shortestT1 || l.T1 >= l.T2 || l.T2 >= l.Duration) {
		t.Errorf("%v, T1 %v, T2 %v", l.Duration, l.T1, l.T2)
	}
	if l.MTU != 0 && (l.MTU < smallestMTU || l.MTU > 65535) {
		t.Errorf("MTU %d", l.MTU)
	}
	for _, list := range [][]netip.Addr{l.Routers, l.DNS, l.NTP} {
		seen := map[netip.Addr]bool{}
		for _, a := range list {
			if !isHost(a) || seen[a] {
				t.Errorf("addresses %v", list)
			}
			seen[a] = true
		}
	}
	checkRoutes(t, l.Routes)
	for _, name := range append(l.Search, l.Domain, l.Hostname) {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= 0x1f || r > 0x7e || strings.ContainsRune(`"'\/#;`, r) }) {
			t.Errorf("name %q", name)
		}
	}
	for _, name := range l.Search {
		if name == "" || len(name) > longestName || strings.Contains(name, "..") || strings.Contains(name, " ") {
			t.Errorf("search %q", name)
		}
	}
	if len(l.Search) > longestSearch {
		t.Errorf("%d names", len(l.Search))
	}
}

func checkRoutes(t *testing.T, list []netconf.LeaseRoute) {
	t.Helper()
	seen := map[netip.Prefix]bool{}
	for _, r := range list {
		if !r.Dst.IsValid() || r.Dst != r.Dst.Masked() || seen[r.Dst] || r.Gateway.IsValid() && !isHost(r.Gateway) {
			t.Errorf("routes %v", list)
		}
		seen[r.Dst] = true
	}
}

// FuzzSearch: names are read in bounded time and say the same when they are
// written without compression.
func FuzzSearch(f *testing.F) {
	f.Add([]byte("\x01a\x07example\x00\x01b\xc0\x02\x01c\xc0\x0b"))
	f.Add([]byte("\x01a\xc0\x04\x01b\xc0\x00"))
	f.Add([]byte("\xc0\x02\xc0\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, _ := searchList(b)
		var plain []byte
		for _, name := range list {
			for label := range strings.SplitSeq(name, ".") {
				plain = append(append(plain, byte(len(label))), label...)
			}
			plain = append(plain, 0)
		}
		again, bad := searchList(plain)
		if bad || strings.Join(list, " ") != strings.Join(again, " ") {
			t.Errorf("%q was read as %q and then as %q", b, list, again)
		}
	})
}

// FuzzFault holds the arithmetic of a network's ends to a simple one.
func FuzzFault(f *testing.F) {
	f.Add(uint32(0x0a0000ff), uint8(24))
	f.Add(uint32(0x0a000000), uint8(31))
	f.Fuzz(func(t *testing.T, a uint32, bits uint8) {
		n := 1 + int(bits)%32
		ip, mask := make([]byte, 4), make([]byte, 4)
		binary.BigEndian.PutUint32(ip, a)
		binary.BigEndian.PutUint32(mask, ^uint32(0)<<(32-n))
		p, err := dhcpv4.New(dhcpv4.WithYourIP(ip), dhcpv4.WithNetmask(mask))
		if err != nil {
			t.Fatal(err)
		}
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte(ip)), n)
		end := n <= 30 && (prefix.Masked().Addr() == prefix.Addr() || !prefix.Contains(prefix.Addr().Next()))
		if got := faultOf(p) == ""; got != (isHost(prefix.Addr()) && !end) {
			t.Errorf("%s: %q", prefix, faultOf(p))
		}
	})
}
