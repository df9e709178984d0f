package dhcp6_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestFlood: a server that never stops costs a bounded number of lines, and
// messages at a bounded rate.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := byte(0)
		s := start(t, &wire{answer: func(p *dhcpv6.Message) (out [][]byte) {
			for range 10 {
				n++
				out = append(out, reply(p, dhcpv6.MessageTypeReply, rapid(), raw(23, n), raw(24, 0xc0, n), raw(7, n, n, n),
					na(address("2001:db8::5", time.Second, time.Second), address(netip.AddrFrom16([16]byte{0xff, 2, n}).String(), hour, hour))))
			}
			return out
		}}, netconf.Lease6Request{})
		defer s.stop()
		netconftest.Pass(t, 59*time.Minute)
		if n := s.warnings("WARN"); n == 0 || n > 16 {
			t.Errorf("%d warnings in an hour", n)
		}
		if n := len(s.take()); n > 3*60*60 {
			t.Errorf("%d messages in an hour", n)
		}
	})
}

// TestHostile: what a broken or hostile server says costs a line in the log;
// the good server's answer, which comes after it, counts.
func TestHostile(t *testing.T) {
	good := na(address("2001:db8::5", hour, hour))
	evil := na(address("2001:db8::666", hour, hour))
	kindOf := func(p *dhcpv6.Message) dhcpv6.MessageType {
		if p.MessageType == dhcpv6.MessageTypeSolicit {
			return dhcpv6.MessageTypeAdvertise
		}
		return dhcpv6.MessageTypeReply
	}
	// bent changes the octets of an answer that would be good.
	bent := func(change func(*dhcpv6.Message, []byte) []byte) answer {
		return func(p *dhcpv6.Message) [][]byte {
			return [][]byte{change(p, reply(p, kindOf(p), evil, raw(dhcpv6.OptionPreference, 255), serverID(9)))}
		}
	}
	for _, c := range []struct {
		name string
		evil answer
		flaw string // in the log; empty: no fault
	}{
		{"another transaction", bent(func(_ *dhcpv6.Message, b []byte) []byte { b[2] ^= 1; return b }), "another transaction"},
		{"another client", bent(func(_ *dhcpv6.Message, b []byte) []byte { b[17] ^= 1; return b }), "for another client"},
		{"no client", func(p *dhcpv6.Message) [][]byte {
			m := dhcpv6.Message{MessageType: kindOf(p), TransactionID: p.TransactionID}
			m.AddOption(serverID(9))
			m.AddOption(evil)
			return [][]byte{m.ToBytes()}
		}, "for another client"},
		{"no server", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, kindOf(p), raw(dhcpv6.OptionServerID), evil)
		}), "from nobody"},
		{"a server of endless name", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, kindOf(p), raw(dhcpv6.OptionServerID, make([]byte, 1000)...), evil)
		}), "from nobody"},
		{"half a message", bent(func(_ *dhcpv6.Message, b []byte) []byte { return b[:len(b)-3] }), "not a message"},
		{"an absurd length", bent(func(_ *dhcpv6.Message, b []byte) []byte { b[6] = 0xff; return b }), "not a message"},
		{"nothing", bent(func(*dhcpv6.Message, []byte) []byte { return nil }), "not a message"},
		{"a relay's message", bent(func(_ *dhcpv6.Message, b []byte) []byte { b[0] = 13; return b }), "of a kind that nobody asked for"},
		{"a client's message", bent(func(_ *dhcpv6.Message, b []byte) []byte { b[0] = 1; return b }), "of a kind that nobody asked for"},
		{"RECONFIGURE", bent(func(_ *dhcpv6.Message, b []byte) []byte { b[0] = 10; return b }), "of a kind that nobody asked for"},
		{"T1 after T2", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, kindOf(p), timed(na(address("2001:db8::666", hour, hour)), 200, 100), raw(dhcpv6.OptionPreference, 255), serverID(9))
		}), "is after T2"},
		{"zero lifetimes", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, kindOf(p), na(address("2001:db8::666", 0, 0)), raw(dhcpv6.OptionPreference, 255), serverID(9))
		}), ""},
		{"only a multicast address", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, kindOf(p), na(address("ff02::1", hour, hour)), raw(dhcpv6.OptionPreference, 255), serverID(9))
		}), "nothing that a link can have"},
		{"refusals", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, kindOf(p), statusCode(4, "go away"), raw(dhcpv6.OptionPreference, 255), serverID(9))
		}), ""},
		{"an answer that nobody asked for", bent(func(p *dhcpv6.Message, b []byte) []byte {
			return reply(p, dhcpv6.MessageTypeReply, evil, serverID(9))
		}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: both(c.evil, c.evil, grants(good))}, netconf.Lease6Request{})
				defer s.stop()
				synctest.Wait()
				netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 2001:db8::5"}, s.reports())
				if c.flaw != "" && s.warnings(c.flaw) == 0 || s.warnings("WARN") > 4 {
					t.Errorf("log, want %q:\n%s", c.flaw, s.logged)
				}
				s.set(both(c.evil, grants(good))) // and later
				netconftest.Pass(t, 40*time.Minute)
				netconftest.Compare(t, "states", []string{"renewing 2001:db8::5", "bound 2001:db8::5"}, s.reports())
			})
		})
	}
}

// TestRefusals: no server's refusal ends a lease early, except by its own
// RENEW or REBIND with zero lifetimes; and none makes the client run in
// circles at the speed of the wire.
func TestRefusals(t *testing.T) {
	lease := na(address("2001:db8::5", 800*time.Second, 1000*time.Second))
	for _, c := range []struct {
		name   string
		later  answer
		states []string // after the lease was to be renewed
		most   int      // messages until the end of the lease
	}{
		{"unspecified", always(statusCode(1, "")), []string{"renewing 2001:db8::5", "rebinding 2001:db8::5", "init", "selecting"}, 30},
		{"by multicast, please", always(statusCode(5, "")), []string{"renewing 2001:db8::5", "rebinding 2001:db8::5", "init", "selecting"}, 30},
		{"not on this link", always(statusCode(4, "")), []string{"renewing 2001:db8::5", "rebinding 2001:db8::5", "init", "selecting"}, 30},
		{"no binding, then the same again", func(p *dhcpv6.Message) [][]byte {
			if p.MessageType == dhcpv6.MessageTypeRenew {
				return always(na(statusCode(3, "who?")))(p)
			}
			return grants(lease)(p)
		}, []string{"renewing 2001:db8::5", "requesting 2001:db8::5", "bound 2001:db8::5"}, 10},
		{"no binding for ever", grants(na(statusCode(3, "who?"))), []string{"renewing 2001:db8::5", "requesting 2001:db8::5",
			"selecting 2001:db8::5", "init", "selecting"}, 30},
		{"half of it ended", grants(na(address("2001:db8::6", 0, 0))), []string{"renewing 2001:db8::5", "bound 2001:db8::5",
			"renewing 2001:db8::5", "bound 2001:db8::5"}, 60},
		{"ended", grants(na(address("2001:db8::5", 0, 0))), []string{"renewing 2001:db8::5", "init", "selecting"}, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: grants(lease)}, netconf.Lease6Request{})
				defer s.stop()
				synctest.Wait()
				s.set(c.later)
				s.reports()
				s.take()
				netconftest.Pass(t, 1001*time.Second)
				got := s.reports()
				netconftest.Compare(t, "states", c.states, got[:min(len(got), len(c.states))])
				if n := len(s.take()); n > c.most {
					t.Errorf("%d messages, more than %d", n, c.most)
				}
			})
		})
	}
	t.Run("requests are never granted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, status := range []byte{1, 2, 3, 4, 5} {
				s := start(t, &wire{answer: both(only(dhcpv6.MessageTypeSolicit, grants(lease)),
					only(dhcpv6.MessageTypeRequest, always(statusCode(status, "no"))))}, netconf.Lease6Request{})
				netconftest.Pass(t, 10*time.Minute)
				if n := len(s.take()); n > 60 {
					t.Errorf("status %d: %d messages in ten minutes", status, n)
				}
				s.set(grants(lease))
				netconftest.Pass(t, 3*time.Minute)
				if r := s.lastReport(); r.State != netconf.LeaseBound || r.Message != "" {
					t.Errorf("status %d: report %+v", status, r)
				}
				s.stop()
			}
		})
	})
}

// TestLongestSolicit: servers can make clients without a lease quieter, up to
// an hour, also those that have nothing to give (option 82).
func TestLongestSolicit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: always(na(statusCode(2, "full")), raw(82, 0, 1, 0x51, 0x80))}, netconf.Lease6Request{})
		defer s.stop()
		netconftest.Pass(t, 100*hour)
		if n := len(s.take()); n < 95 || n > 130 {
			t.Errorf("%d messages in 100 hours", n)
		}
		if r := s.lastReport(); !strings.Contains(r.Message, `no address: NoAddrsAvail: "full"`) {
			t.Errorf("report %+v", r)
		}
	})
}
