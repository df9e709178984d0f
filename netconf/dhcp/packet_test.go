package dhcp_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
)

// TestParse: what servers get wrong does not make a lease useless.
func TestParse(t *testing.T) {
	seconds := func(code dhcpv4.OptionCode, d time.Duration) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.Option{Code: code, Value: dhcpv4.Duration(d)})
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
				if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
					cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
					t.Errorf("lease (-want +got):\n%s", d)
				}
			})
		})
	}
}
