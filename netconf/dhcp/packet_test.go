package dhcp_test

import (
	"bytes"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestParse: what servers get wrong does not make a lease useless.
func TestParse(t *testing.T) {
	seconds := func(code dhcpv4.OptionCode, d time.Duration) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.Option{Code: code, Value: dhcpv4.Duration(d)})
	}
	search := func(b string) dhcpv4.Modifier {
		return dhcpv4.WithGeneric(dhcpv4.OptionDNSDomainSearchList, []byte(b))
	}
	duration := seconds(dhcpv4.OptionIPAddressLeaseTime, 800*time.Second)
	for _, c := range []struct {
		name   string
		modify []dhcpv4.Modifier
		want   func(*netconf.Lease)
	}{
		{"plain", []dhcpv4.Modifier{duration}, func(*netconf.Lease) {}},
		{"no lease time", nil, func(l *netconf.Lease) {
			l.Duration, l.T1, l.T2 = time.Hour, 30*time.Minute, 3150*time.Second
		}},
		{"T1 after T2 after the end", []dhcpv4.Modifier{duration, seconds(dhcpv4.OptionRenewTimeValue, 2000*time.Second),
			seconds(dhcpv4.OptionRebindingTimeValue, 1000*time.Second)}, func(*netconf.Lease) {}},
		{"early T2", []dhcpv4.Modifier{duration, seconds(dhcpv4.OptionRebindingTimeValue, 70*time.Second)},
			func(l *netconf.Lease) { l.T1, l.T2 = 40*time.Second, 70*time.Second }},
		{"T2 of nearly nothing", []dhcpv4.Modifier{duration, seconds(dhcpv4.OptionRebindingTimeValue, 3*time.Second)},
			func(l *netconf.Lease) { l.T1, l.T2 = 2*time.Second, 3*time.Second }},
		{"no mask", []dhcpv4.Modifier{duration, dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask)},
			func(l *netconf.Lease) { l.Address = netip.MustParsePrefix("10.0.0.5/8") }},
		{"mask of nothing", []dhcpv4.Modifier{duration, dhcpv4.WithNetmask([]byte{0, 0, 0, 0})},
			func(l *netconf.Lease) { l.Address = netip.MustParsePrefix("10.0.0.5/8") }},
		{"mask with holes", []dhcpv4.Modifier{duration, dhcpv4.WithNetmask([]byte{255, 0, 255, 0}),
			dhcpv4.WithYourIP([]byte{192, 0, 2, 5})},
			func(l *netconf.Lease) { l.Address = netip.MustParsePrefix("192.0.2.5/24") }},
		{"router and name servers that are none", []dhcpv4.Modifier{duration,
			dhcpv4.WithOption(dhcpv4.OptRouter([]byte{0, 0, 0, 0})), dhcpv4.WithOption(dhcpv4.OptDNS([]byte{0, 0, 0, 0}))},
			func(*netconf.Lease) {}},
		{"short routes", []dhcpv4.Modifier{duration,
			dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{24, 10, 1})}, func(*netconf.Lease) {}},
		{"lease time zero", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 0)}, func(l *netconf.Lease) {
			l.Duration, l.T1, l.T2 = time.Hour, 30*time.Minute, 3150*time.Second
		}},
		{"a lease of a second", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, time.Second)}, func(l *netconf.Lease) {
			l.Duration, l.T1, l.T2 = 4*time.Second, 2*time.Second, 3500*time.Millisecond
		}},
		{"a lease of 68 years", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 1<<31*time.Second)}, func(l *netconf.Lease) {
			l.Duration, l.T1, l.T2 = 1<<31*time.Second, 1<<30*time.Second, 7<<28*time.Second
		}},
		{"a lease time of two bytes", []dhcpv4.Modifier{dhcpv4.WithGeneric(dhcpv4.OptionIPAddressLeaseTime, []byte{1, 2})}, func(l *netconf.Lease) {
			l.Duration, l.T1, l.T2 = time.Hour, 30*time.Minute, 3150*time.Second
		}},
		{"a mask of sixteen bytes", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionSubnetMask, bytes.Repeat([]byte{255}, 16))},
			func(l *netconf.Lease) { l.Address = netip.MustParsePrefix("10.0.0.5/8") }},
		{"a gateway elsewhere", []dhcpv4.Modifier{duration, dhcpv4.WithOption(dhcpv4.OptRouter([]byte{192, 0, 2, 1}))},
			func(l *netconf.Lease) { l.Routers = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
		{"addresses twice, and none of hosts", []dhcpv4.Modifier{duration, dhcpv4.WithOption(dhcpv4.OptDNS([]byte{127, 0, 0, 1},
			[]byte{192, 0, 2, 1}, []byte{255, 255, 255, 255}, []byte{192, 0, 2, 1}, []byte{224, 0, 0, 1}))},
			func(l *netconf.Lease) { l.DNS = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
		{"five bytes of addresses", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionRouter, []byte{10, 0, 0, 1, 9})},
			func(*netconf.Lease) {}},
		{"routes that cannot be, and one twice", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{
			0, 10, 0, 0, 1, 0, 10, 0, 0, 2, 8, 127, 10, 0, 0, 1, 4, 224, 10, 0, 0, 1, 24, 10, 1, 1, 255, 255, 255, 255, 24, 10, 1, 2, 0, 0, 0, 0})},
			func(l *netconf.Lease) {
				l.Routes = []netconf.LeaseRoute{{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1")},
					{Dst: netip.MustParsePrefix("10.1.2.0/24")}}
			}},
		{"MTU 0", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0, 0})}, func(*netconf.Lease) {}},
		{"MTU 67", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0, 67})}, func(*netconf.Lease) {}},
		{"MTU 68", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0, 68})}, func(l *netconf.Lease) { l.MTU = 68 }},
		{"names with what terminals obey", []dhcpv4.Modifier{duration, dhcpv4.WithOption(dhcpv4.OptHostName("a\x1b[2Jb")),
			dhcpv4.WithOption(dhcpv4.OptDomainName("example.org\nnameserver 6.6.6.6"))}, func(*netconf.Lease) {}},
		{"names with NULs", []dhcpv4.Modifier{duration, dhcpv4.WithOption(dhcpv4.OptHostName("box\x00")),
			dhcpv4.WithOption(dhcpv4.OptDomainName("a.example b.example\x00"))}, func(l *netconf.Lease) { l.Hostname, l.Domain = "box", "a.example b.example" }},
		{"a search list that is compressed", []dhcpv4.Modifier{duration, search("\x01a\x07example\x00" + "\x01b\xc0\x02" + "\x01c\xc0\x0b")},
			func(l *netconf.Lease) { l.Search = []string{"a.example", "b.example", "c.b.example"} }},
		{"a search list that points to itself", []dhcpv4.Modifier{duration, search("\x01a\xc0\x00")}, func(*netconf.Lease) {}},
		{"a search list that is a pointer to itself", []dhcpv4.Modifier{duration, search("\xc0\x00")}, func(*netconf.Lease) {}},
		{"a search list with a ring", []dhcpv4.Modifier{duration, search("\x01a\xc0\x04\x01b\xc0\x00")}, func(*netconf.Lease) {}},
		{"a search list that points outside", []dhcpv4.Modifier{duration, search("\x01a\x00\xff\xff")}, func(*netconf.Lease) {}},
		{"a search list that is cut", []dhcpv4.Modifier{duration, search("\x01a\x00\x09bcd")}, func(*netconf.Lease) {}},
		{"a search list with line breaks", []dhcpv4.Modifier{duration, search("\x02\n.\x00\x01a\x00\x00")},
			func(l *netconf.Lease) { l.Search = []string{"a"} }},
		{"options in the fields of names", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionOptionOverload, []byte{3}),
			func(p *dhcpv4.DHCPv4) {
				p.BootFileName, p.ServerHostName = "\x03\x04\x0a\x00\x00\x01\xff", "\x06\x04\x0a\x01\x01\x02\xff"
			}}, func(l *netconf.Lease) {
			l.Routers, l.DNS = []netip.Addr{netip.MustParseAddr("10.0.0.1")}, []netip.Addr{netip.MustParseAddr("10.1.1.2")}
		}},
		{"short MTU", []dhcpv4.Modifier{duration, dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{5})},
			func(*netconf.Lease) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := &netconf.Lease{Address: netip.MustParsePrefix("10.0.0.5/24"), Server: netip.MustParseAddr("10.0.0.1"),
					Acquired: time.Now(), Duration: 800 * time.Second, T1: 400 * time.Second, T2: 700 * time.Second}
				c.want(want)
				s := start(t, &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
					kind := dhcpv4.MessageTypeAck
					if p.MessageType() == dhcpv4.MessageTypeDiscover {
						kind = dhcpv4.MessageTypeOffer
					}
					return reply(p, kind, c.modify...)
				}}, nil)
				defer s.stop()
				synctest.Wait()
				s.mu.Lock()
				defer s.mu.Unlock()
				got := s.seen[len(s.seen)-1].Lease
				netconftest.Compare(t, "lease", want, got)
			})
		})
	}
}
