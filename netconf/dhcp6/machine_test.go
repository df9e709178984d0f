package dhcp6_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp6"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

const hour = time.Hour

func TestRetransmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{}, netconf.Lease6Request{})
		defer s.stop()
		netconftest.Pass(t, 400*time.Second)
		netconftest.Compare(t, "messages", []string{"0s SOLICIT", "1.05s SOLICIT", "3.15s SOLICIT", "7.35s SOLICIT", "15.75s SOLICIT",
			"32.55s SOLICIT", "1m6.15s SOLICIT", "2m13.35s SOLICIT", "4m13.35s SOLICIT", "6m13.35s SOLICIT"}, s.take())
		if r := s.lastReport(); r.Message != "nobody answers" || r.Attempt != 10 {
			t.Errorf("report %+v", r)
		}
		s.reports()
		s.set(grants(na(address("2001:db8::5", hour, hour))))
		s.renew <- struct{}{} // somebody does not want to wait for two minutes
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"6m40s SOLICIT", "6m40s REQUEST 2001:db8::5"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 2001:db8::5"}, s.reports())
	})
}

// TestMessages looks at what is sent.
func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{}, netconf.Lease6Request{Delegate: true, Hostname: "box"})
		defer s.stop()
		netconftest.Pass(t, 2*time.Second)
		p := s.sent()
		netconftest.Compare(t, "options", []string{
			"Client ID: DUID-LL{HWType=Ethernet HWAddr=02:00:00:00:00:01}",
			"Elapsed Time: 1.05s",
			"Requested Options: DNS, Domain Search List, SNTP Server List, NTP Server, Max Solicit Timeout Value",
			"FQDN: {Flags=1 DomainName=[box]}",
			"IANA: {IAID=0x00000001 T1=0s T2=0s Options={[]}}",
			"IAPD: {IAID=0x00000001 T1=0s T2=0s Options={[]}}",
			"Rapid Commit",
		}, func() (list []string) {
			for _, o := range p.Options.Options {
				list = append(list, o.String())
			}
			return list
		}())
	})
}

func TestLeaseLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(na(address("2001:db8::5", 800*time.Second, 1000*time.Second)))}, netconf.Lease6Request{})
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "first messages", []string{"0s SOLICIT", "0s REQUEST 2001:db8::5"}, s.take())
		if n := s.sockets(); n != 0 {
			t.Error("the socket stays open in bound")
		}
		netconftest.Pass(t, 401*time.Second)
		netconftest.Compare(t, "renewed at T1", []string{"6m40s RENEW 2001:db8::5"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 2001:db8::5", "renewing 2001:db8::5",
			"bound 2001:db8::5"}, s.reports())
		s.set(nil)
		netconftest.Pass(t, 1000*time.Second) // T1 at 800 s, T2 at 1040 s, end at 1400 s
		netconftest.Compare(t, "states until the end", []string{"renewing 2001:db8::5", "rebinding 2001:db8::5", "init", "selecting"}, s.reports())
		netconftest.Compare(t, "messages until the end", []string{
			"13m20s RENEW 2001:db8::5", "13m30s RENEW 2001:db8::5", "13m50s RENEW 2001:db8::5", "14m30s RENEW 2001:db8::5",
			"15m50s RENEW 2001:db8::5", "17m20s REBIND 2001:db8::5", "17m30s REBIND 2001:db8::5", "17m50s REBIND 2001:db8::5",
			"18m30s REBIND 2001:db8::5", "19m50s REBIND 2001:db8::5", "22m30s REBIND 2001:db8::5",
			"23m20s SOLICIT 2001:db8::5"}, s.take())
		s.set(grants(na(address("2001:db8::6", hour, hour))))
		netconftest.Pass(t, 3*time.Second)
		netconftest.Compare(t, "states after", []string{"selecting", "requesting", "bound 2001:db8::6"}, s.reports())
	})
}

func TestRebind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := na(address("2001:db8::5", 800*time.Second, 1000*time.Second))
		s := start(t, &wire{answer: grants(lease)}, netconf.Lease6Request{})
		defer s.stop()
		synctest.Wait()
		// Another server takes over; it does not answer RENEWs to the first.
		s.set(only(dhcpv6.MessageTypeRebind, always(lease, serverID(2))))
		netconftest.Pass(t, 641*time.Second)
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 2001:db8::5", "renewing 2001:db8::5",
			"rebinding 2001:db8::5", "bound 2001:db8::5"}, s.reports())
		s.set(only(dhcpv6.MessageTypeRenew, always(lease, serverID(2))))
		netconftest.Pass(t, 401*time.Second)
		netconftest.Compare(t, "states", []string{"renewing 2001:db8::5", "bound 2001:db8::5"}, s.reports())
	})
}

func TestEndlessLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(na(address("2001:db8::5", forEver, forEver)))}, netconf.Lease6Request{})
		defer s.stop()
		netconftest.Pass(t, 1000*hour)
		netconftest.Compare(t, "messages", []string{"0s SOLICIT", "0s REQUEST 2001:db8::5"}, s.take())
		s.set(nil)
		s.renew <- struct{}{}
		netconftest.Pass(t, hour)
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 2001:db8::5", "renewing 2001:db8::5", "bound 2001:db8::5"},
			s.reports())
	})
}

func TestRapidCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: func(p *dhcpv6.Message) [][]byte {
			return [][]byte{reply(p, dhcpv6.MessageTypeReply, na(address("2001:db8::5", hour, hour))), // without the option: not valid
				reply(p, dhcpv6.MessageTypeReply, na(address("2001:db8::6", hour, hour)), rapid())}
		}}, netconf.Lease6Request{})
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"0s SOLICIT"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting", "bound 2001:db8::6"}, s.reports())
	})
}

// TestTwoServers: the better offer of the first second wins; the other
// server's late words do no harm.
func TestTwoServers(t *testing.T) {
	offer := func(n byte, a string, more ...dhcpv6.Option) answer {
		return func(p *dhcpv6.Message) [][]byte {
			id := p.GetOneOption(dhcpv6.OptionServerID)
			if id != nil && string(id.ToBytes()) != string(serverID(n).ToBytes()) {
				return nil
			}
			return always(append(more, na(address(a, hour, hour)), serverID(n))...)(p)
		}
	}
	for _, c := range []struct {
		name     string
		server2  answer
		messages []string
		delegate bool
	}{
		{"preference", offer(2, "2001:db8::2", raw(dhcpv6.OptionPreference, 7)),
			[]string{"0s SOLICIT", "1.05s REQUEST 2001:db8::2"}, false},
		{"the greatest preference does not wait", offer(2, "2001:db8::2", raw(dhcpv6.OptionPreference, 255)),
			[]string{"0s SOLICIT", "0s REQUEST 2001:db8::2"}, false},
		{"the first of equals", offer(2, "2001:db8::2"), []string{"0s SOLICIT", "1.05s REQUEST 2001:db8::1"}, false},
		{"all that is wanted", offer(2, "2001:db8::2", pd(prefix("2001:db8:1::/56", hour, hour))),
			[]string{"0s SOLICIT", "1.05s REQUEST 2001:db8::2 2001:db8:1::/56"}, true},
		{"nothing to give", always(serverID(2), na(statusCode(2, "full")), raw(dhcpv6.OptionPreference, 255)),
			[]string{"0s SOLICIT", "1.05s REQUEST 2001:db8::1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: both(offer(1, "2001:db8::1"), c.server2)}, netconf.Lease6Request{Delegate: c.delegate})
				defer s.stop()
				netconftest.Pass(t, 2*time.Second)
				netconftest.Compare(t, "messages", c.messages, s.take())
				if r := s.lastReport(); r.State != netconf.LeaseBound {
					t.Errorf("report %+v", r)
				}
			})
		})
	}
}

func TestDelegation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := grants(na(address("2001:db8::5", hour, 2*hour)), pd(prefix("2001:db8:1::/56", 1000*time.Second, 2000*time.Second)))
		s := start(t, &wire{answer: both}, netconf.Lease6Request{Delegate: true})
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"0s SOLICIT", "0s REQUEST 2001:db8::5 2001:db8:1::/56"}, s.take())
		// The prefix is not renewed, the address is; then it ends alone.
		s.set(grants(na(address("2001:db8::5", 8*hour, 8*hour))))
		netconftest.Pass(t, 2100*time.Second)
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 2001:db8::5 2001:db8:1::/56",
			"renewing 2001:db8::5 2001:db8:1::/56", "bound 2001:db8::5 2001:db8:1::/56", "bound 2001:db8::5"}, s.reports())
		s.take()
		s.set(both) // it comes back, because it is always asked for
		s.renew <- struct{}{}
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"35m0s RENEW 2001:db8::5"}, s.take())
		if got := s.reports(); got[len(got)-1] != "bound 2001:db8::5 2001:db8:1::/56" {
			t.Errorf("states %q", got)
		}
	})
}

func TestPrefixUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(pd(prefix("2001:db8:1::/56", hour, hour)))}, netconf.Lease6Request{})
		defer s.stop()
		netconftest.Pass(t, 2*time.Second)
		netconftest.Compare(t, "states", []string{"selecting"}, s.reports())
	})
}

func TestStateless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := raw(dhcpv6.OptionDNSRecursiveNameServer, netip.MustParseAddr("2001:db8::53").AsSlice()...)
		s := start(t, &wire{answer: always(dns, na(address("2001:db8::5", hour, hour)))}, netconf.Lease6Request{Stateless: true})
		defer s.stop()
		began := time.Now()
		synctest.Wait()
		netconftest.Compare(t, "lease", &netconf.Lease6{Server: serverID(1).ToBytes(), DNS: []netip.Addr{netip.MustParseAddr("2001:db8::53")},
			Acquired: began, T1: 24 * hour}, s.lastReport().Lease)
		if o := s.sent().GetOneOption(dhcpv6.OptionIANA); o != nil {
			t.Errorf("asks for %v", o)
		}
		s.set(nil)
		netconftest.Pass(t, 25*hour)
		if r := s.lastReport(); r.State != netconf.LeaseRenewing || r.Lease == nil || r.Message != "nobody answers" {
			t.Errorf("report %+v", r)
		}
		s.take()
		s.reports()
		// Ten minutes are the least that a server can ask for.
		s.set(always(dns, raw(dhcpv6.OptionInformationRefreshTime, 0, 0, 0, 1)))
		s.renew <- struct{}{}
		netconftest.Pass(t, 11*time.Minute)
		netconftest.Compare(t, "messages", []string{"25h0m0s INFORMATION-REQUEST", "25h10m0s INFORMATION-REQUEST"}, s.take())
		netconftest.Compare(t, "states", []string{"renewing", "bound", "renewing", "bound"}, s.reports())
	})
}

// TestLinkLocalAddress: nothing can be sent before there is one; the wait is
// reported and bounded in its rate.
func TestLinkLocalAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{openErr: errors.New("still being probed"), answer: grants(na(address("2001:db8::5", hour, hour)))}
		s := start(t, w, netconf.Lease6Request{})
		defer s.stop()
		netconftest.Pass(t, 1750*time.Millisecond)
		if r := s.lastReport(); r.Message != "still being probed" || len(s.reports()) != 1 {
			t.Errorf("report %+v", r)
		}
		w.do(func(w *wire) { w.openErr = nil })
		netconftest.Pass(t, 100*time.Millisecond)
		netconftest.Compare(t, "messages", []string{"1.8s SOLICIT", "1.8s REQUEST 2001:db8::5"}, s.take())
	})
}

func TestNoHardwareAddress(t *testing.T) {
	var got netconf.Lease6Status
	err := dhcp6.New(dhcp6.Options{}).Run(context.Background(), netconf.Lease6Request{Link: netconf.Link{LinkID: netconf.LinkID{Name: "tun0"}}},
		func(s netconf.Lease6Status) { got = s })
	if err == nil || !strings.Contains(err.Error(), "tun0: no usable hardware address") || got.Message == "" {
		t.Errorf("error %v, report %+v", err, got)
	}
}

// TestBrokenSocket: an error while reading costs one wait, no more.
func TestBrokenSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := start(t, w, netconf.Lease6Request{})
		defer s.stop()
		synctest.Wait()
		w.do(func(w *wire) {
			w.inbox <- nil // no message
			w.answer = grants(na(address("2001:db8::5", hour, hour)))
		})
		netconftest.Pass(t, 2*time.Second)
		got := s.take()
		if !slices.Equal(got, []string{"0s SOLICIT", "1.05s SOLICIT", "1.05s REQUEST 2001:db8::5"}) {
			t.Errorf("messages %q", got)
		}
	})
}
