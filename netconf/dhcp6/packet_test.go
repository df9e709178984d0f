package dhcp6_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func ips(list ...string) (out []byte) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a).AsSlice()...)
	}
	return out
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// leased gives the lease that a server's options lead to.
func leased(t *testing.T, options ...dhcpv6.Option) (*session, *netconf.Lease6) {
	t.Helper()
	s := start(t, &wire{answer: grants(options...)}, netconf.Lease6Request{Delegate: true})
	synctest.Wait()
	return s, s.lastReport().Lease
}

func TestLease(t *testing.T) {
	usual := address("2001:db8::5", 800*time.Second, 1000*time.Second)
	search := append([]byte("\x01a\x07example\x00"), "\x01b\x07example\x00"...)
	ntp := append([]byte{0, 1, 0, 16}, ips("2001:db8::123")...)
	for _, c := range []struct {
		name    string
		options []dhcpv6.Option
		want    func(*netconf.Lease6)
		flaw    string // in the log
	}{
		{"everything", []dhcpv6.Option{na(usual), raw(23, ips("2001:db8::53", "fe80::53")...), raw(24, search...),
			raw(31, ips("2001:db8::31")...), raw(56, ntp...), pd(prefix("2001:db8:1::/56", 400*time.Second, 500*time.Second))},
			func(l *netconf.Lease6) {
				l.Prefixes = []netconf.Granted{granted("2001:db8:1::/56", 400*time.Second, 500*time.Second)}
				l.DNS, l.Search = addrs("2001:db8::53", "fe80::53%eth0"), []string{"a.example", "b.example"}
				l.NTP = addrs("2001:db8::123")
				l.T1, l.T2 = 200*time.Second, 320*time.Second
			}, ""},
		{"the older option for time servers", []dhcpv6.Option{na(usual), raw(31, ips("2001:db8::31")...)},
			func(l *netconf.Lease6) { l.NTP = addrs("2001:db8::31") }, ""},
		{"its own T1 and T2", []dhcpv6.Option{timed(na(usual), 100, 200)},
			func(l *netconf.Lease6) { l.T1, l.T2 = 100*time.Second, 200*time.Second }, ""},
		{"T1 and T2 that never come", []dhcpv6.Option{timed(na(usual), 0xffffffff, 0xffffffff)}, func(*netconf.Lease6) {}, ""},
		{"T1 and T2 after the end", []dhcpv6.Option{timed(na(usual), 5000, 6000)}, func(*netconf.Lease6) {}, ""},
		{"a lease of 136 years", []dhcpv6.Option{na(address("2001:db8::5", forEver-time.Second, forEver-time.Second))},
			func(l *netconf.Lease6) {
				l.Addresses = []netconf.Granted{granted("2001:db8::5", forEver-time.Second, forEver-time.Second)}
				l.T2 = (forEver - time.Second) / 5 * 4
				l.T1 = l.T2 / 8 * 5
			}, ""},
		{"T1 of nearly nothing", []dhcpv6.Option{timed(na(usual), 1, 1)},
			func(l *netconf.Lease6) { l.T1, l.T2 = 10*time.Second, 10*time.Second }, ""},
		{"a prefix, but no addresses, as RFC 3315 has it", []dhcpv6.Option{statusCode(2, ""),
			pd(prefix("2001:db8:1::/56", 800*time.Second, 1000*time.Second))},
			func(l *netconf.Lease6) {
				l.Addresses, l.Prefixes = nil, []netconf.Granted{granted("2001:db8:1::/56", 800*time.Second, 1000*time.Second)}
			}, ""},
		{"not preferred", []dhcpv6.Option{na(address("2001:db8::5", 0, 1000*time.Second))},
			func(l *netconf.Lease6) {
				l.Addresses[0].Preferred = time.Second
				l.T1, l.T2 = 500*time.Second, 800*time.Second
			}, ""},
		{"for ever", []dhcpv6.Option{na(address("2001:db8::5", forEver, forEver))},
			func(l *netconf.Lease6) {
				l.Addresses[0].Preferred, l.Addresses[0].Valid = 0, 0
				l.T1, l.T2 = 0, 0
			}, ""},
		{"bad neighbours", []dhcpv6.Option{na(usual, address("ff02::1", hour, hour), address("fe80::1", hour, hour),
			address("::1", hour, hour), address("::", hour, hour), address("::ffff:192.0.2.1", hour, hour),
			address("2001:db8::6", 2*hour, hour), address("2001:db8::7", 0, 0), usual)},
			func(*netconf.Lease6) {}, "ff02::1/128 is nothing that a link can have"},
		{"bad prefixes", []dhcpv6.Option{na(usual), pd(prefix("ff00::/16", hour, hour), prefix("fe80::/64", hour, hour),
			raw(dhcpv6.OptionIAPrefix, append([]byte{0, 0, 1, 0, 0, 0, 1, 0, 200}, ips("2001:db8::")...)...))},
			func(*netconf.Lease6) {}, "invalid Prefix is nothing that a link can have"},
		{"a prefix association backwards", []dhcpv6.Option{na(usual), &dhcpv6.OptIAPD{IaId: [4]byte{0, 0, 0, 1}, T1: 2 * hour, T2: hour,
			Options: dhcpv6.PDOptions{Options: dhcpv6.Options{prefix("2001:db8:1::/56", hour, hour)}}}},
			func(*netconf.Lease6) {}, "T1 (2h0m0s) is after T2 (1h0m0s)"},
		{"somebody else's association", []dhcpv6.Option{na(usual), &dhcpv6.OptIANA{IaId: [4]byte{9, 9, 9, 9},
			Options: dhcpv6.IdentityOptions{Options: dhcpv6.Options{address("2001:db8::9", hour, hour)}}}},
			func(*netconf.Lease6) {}, "an association that nobody asked for: 09090909"},
		{"a search list that would write files", []dhcpv6.Option{na(usual), raw(24, []byte("\x0ca\nnameserver\x00\x01c\x00")...)},
			func(l *netconf.Lease6) { l.Search = []string{"c"} }, "is no name"},
		{"a search list that loops", []dhcpv6.Option{na(usual), raw(24, 0xc0, 0)}, func(*netconf.Lease6) {}, "a compressed name"},
		{"servers that are none", []dhcpv6.Option{na(usual), raw(23, append(ips("::", "ff02::1", "2001:db8::53"), 1, 2, 3)...)},
			func(l *netconf.Lease6) { l.DNS = addrs("2001:db8::53") }, "3 octets after the last address"},
		{"short options", []dhcpv6.Option{na(usual), raw(31, 1), raw(56, 0, 1, 0, 99), raw(82, 1), raw(83), raw(32, 1, 2), raw(13, 0), raw(25, 1)},
			func(*netconf.Lease6) {}, "option 56"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := &netconf.Lease6{Server: serverID(1).ToBytes(),
					Addresses: []netconf.Granted{granted("2001:db8::5", 800*time.Second, 1000*time.Second)},
					Acquired:  time.Now(), T1: 400 * time.Second, T2: 640 * time.Second}
				c.want(want)
				s, got := leased(t, c.options...)
				defer s.stop()
				netconftest.Compare(t, "lease", want, got)
				if n := s.warnings("flaw="); (n > 0) != (c.flaw != "") || c.flaw != "" && s.warnings(c.flaw) == 0 {
					t.Errorf("log, want %q:\n%s", c.flaw, s.logged)
				}
			})
		})
	}
}

func timed(o *dhcpv6.OptIANA, t1, t2 int64) *dhcpv6.OptIANA {
	o.T1, o.T2 = time.Duration(t1)*time.Second, time.Duration(t2)*time.Second
	return o
}

func many(n int) *dhcpv6.OptIANA {
	o := na()
	for i := range n {
		a := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint16(a[14:], uint16(i+1))
		o.Options.Add(address(netip.AddrFrom16(a).String(), hour, hour))
	}
	return o
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := raw(23, []byte(strings.Repeat(string(ips("2001:db8::53")), 100))...)
		search := raw(24, []byte(strings.Repeat("\x01a\x00", 100))...)
		s, got := leased(t, many(100), dns, search)
		defer s.stop()
		if len(got.Addresses) != 16 || len(got.DNS) != 16 || len(got.Search) != 32 {
			t.Errorf("%d addresses, %d servers, %d domains", len(got.Addresses), len(got.DNS), len(got.Search))
		}
		if n := s.warnings("WARN"); n == 0 || n > 16 {
			t.Errorf("%d warnings", n)
		}
	})
}

// TestSharedMAC: to a server, a link and two VLANs on it are one client with
// three associations.
func TestSharedMAC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients, associations := map[string]bool{}, map[[4]byte]string{}
		for name, kind := range map[string]string{"eth0": "", "eth0.7": netconf.KindVLAN, "eth0.8": netconf.KindVLAN} {
			for range 2 { // the same each time
				s := start(t, &wire{}, netconf.Lease6Request{Delegate: true,
					Link: netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: name}, Kind: kind, MAC: "02:00:00:00:00:01"}})
				synctest.Wait()
				p := s.sent()
				s.stop()
				clients[string(p.GetOneOption(dhcpv6.OptionClientID).ToBytes())] = true
				associations[p.Options.OneIANA().IaId] = name
				associations[p.Options.OneIAPD().IaId] = name
			}
		}
		if len(clients) != 1 || len(associations) != 3 {
			t.Errorf("%d clients, associations %v", len(clients), associations)
		}
	})
}
