package dhcp_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func TestRetransmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: silent}, nil)
		defer s.stop()
		netconftest.Pass(t, 70*time.Second)
		netconftest.Compare(t, "messages", []string{
			"0s DISCOVER", "100ms DISCOVER", "300ms DISCOVER", "700ms DISCOVER broadcast", "1.5s DISCOVER broadcast",
			"3.1s DISCOVER broadcast", "6.3s DISCOVER broadcast", "12.7s DISCOVER broadcast",
			"25.5s DISCOVER broadcast", "41.5s DISCOVER broadcast", "57.5s DISCOVER broadcast"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting"}, s.reports())
		s.set(grants(time.Hour))
		netconftest.Pass(t, 16*time.Second)
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
	})
}

func TestLeaseLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(1000 * time.Second)}, nil)
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "first messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5"}, s.take())
		if open, _ := s.counts(); open != 0 {
			t.Error("the socket stays open in bound")
		}
		netconftest.Pass(t, 501*time.Second)
		netconftest.Compare(t, "renewed at T1", []string{"8m20s REQUEST"}, s.take())
		if _, unicasts := s.counts(); unicasts != 1 {
			t.Errorf("%d unicast messages, want 1", unicasts)
		}
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24", "renewing 10.0.0.5/24",
			"bound 10.0.0.5/24"}, s.reports())
		s.set(silent)
		netconftest.Pass(t, 1001*time.Second) // T1 at 1000 s, T2 at 1375 s, end at 1500 s
		netconftest.Compare(t, "states until the end", []string{"renewing 10.0.0.5/24", "rebinding 10.0.0.5/24",
			"init !", "selecting"}, s.reports())
		messages := s.take()
		first := slices.IndexFunc(messages, func(m string) bool { return strings.HasSuffix(m, " DISCOVER") })
		if first < 10 || messages[first] != "25m0s DISCOVER" {
			t.Errorf("the first DISCOVER is not at the lease's end: %q", messages)
		}
		s.set(grants(1000 * time.Second))
		netconftest.Pass(t, 20*time.Second)
		netconftest.Compare(t, "states after", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
	})
}

func TestEndlessLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(dhcpv4.MaxLeaseTime)}, nil)
		defer s.stop()
		netconftest.Pass(t, 1000*time.Hour)
		netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5"}, s.take())
	})
}

func TestRapidCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeAck, dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil)))
		}}, nil)
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"0s DISCOVER"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting", "bound 10.0.0.5/24"}, s.reports())
	})
}

// TestRefusals: one NAK is answered at once, a server that always refuses is
// not asked at the speed of the wire.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: refuses}, nil)
		defer s.stop()
		netconftest.Pass(t, 2*time.Second)
		netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5", "0s DISCOVER", "0s REQUEST 10.0.0.5",
			"200ms DISCOVER", "300ms DISCOVER", "500ms DISCOVER", "900ms DISCOVER broadcast", "1.7s DISCOVER broadcast"}, s.take())
		netconftest.Pass(t, time.Minute)
		if n := len(s.take()); n > 50 {
			t.Errorf("%d messages in a minute", n)
		}
	})
}

// TestOfferForgotten: a server that offers and then falls silent is left; the
// next time others may be faster.
func TestOfferForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if p.MessageType() != dhcpv4.MessageTypeDiscover {
				return nil
			}
			return reply(p, dhcpv4.MessageTypeOffer)
		}}, nil)
		defer s.stop()
		netconftest.Pass(t, 6350*time.Millisecond)
		netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5", "100ms REQUEST 10.0.0.5",
			"300ms REQUEST 10.0.0.5", "700ms REQUEST 10.0.0.5 broadcast", "1.5s REQUEST 10.0.0.5 broadcast",
			"3.1s REQUEST 10.0.0.5 broadcast", "6.3s DISCOVER"}, s.take())
		netconftest.Pass(t, 6300*time.Millisecond)
		netconftest.Compare(t, "messages", []string{"6.4s DISCOVER", "6.6s DISCOVER", "7s DISCOVER broadcast", "7.8s DISCOVER broadcast",
			"9.4s DISCOVER broadcast", "12.6s DISCOVER broadcast", "12.6s REQUEST 10.0.0.5"}, s.take())
	})
}

func TestPreviousLease(t *testing.T) {
	address := netip.MustParsePrefix("10.0.0.5/24")
	full := func() *netconf.Lease {
		return &netconf.Lease{Address: address, Server: netip.MustParseAddr("10.0.0.1"),
			Acquired: time.Now(), Duration: 60 * time.Second, T1: 30 * time.Second, T2: 50 * time.Second}
	}
	for _, c := range []struct {
		name     string
		answer   func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4
		previous func() *netconf.Lease
		messages []string
		states   []string
	}{
		{"confirmed", grants(time.Hour), func() *netconf.Lease { return &netconf.Lease{Address: address} },
			[]string{"0s REQUEST 10.0.0.5"}, []string{"init-reboot", "bound 10.0.0.5/24"}},
		{"refused", func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return reply(p, dhcpv4.MessageTypeNak) }, full,
			[]string{"0s REQUEST 10.0.0.5", "0s DISCOVER", "100ms DISCOVER", "300ms DISCOVER", "700ms DISCOVER broadcast"},
			[]string{"init-reboot 10.0.0.5/24", "init !", "selecting"}},
		{"no answer", silent, full,
			[]string{"0s REQUEST 10.0.0.5", "100ms REQUEST 10.0.0.5", "300ms REQUEST 10.0.0.5",
				"700ms REQUEST 10.0.0.5 broadcast"},
			[]string{"init-reboot 10.0.0.5/24"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: c.answer}, c.previous())
				defer s.stop()
				netconftest.Pass(t, 1450*time.Millisecond)
				netconftest.Compare(t, "messages", c.messages, s.take())
				netconftest.Compare(t, "states", c.states, s.reports())
			})
		})
	}
	t.Run("no answer until it is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, &wire{answer: silent}, full())
			defer s.stop()
			netconftest.Pass(t, 59*time.Second)
			netconftest.Compare(t, "states", []string{"init-reboot 10.0.0.5/24", "selecting 10.0.0.5/24"}, s.reports())
			netconftest.Pass(t, 2*time.Second)
			netconftest.Compare(t, "states", []string{"init !", "selecting"}, s.reports())
		})
	})
}

// TestNoSocket: a link that refuses the socket is tried again and again.
func TestNoSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: grants(time.Hour), openErr: errors.New("no such device")}
		s := start(t, w, nil)
		defer s.stop()
		netconftest.Pass(t, 500*time.Millisecond)
		netconftest.Compare(t, "attempts", []string{"0s open", "100ms open", "300ms open"}, s.take())
		s.checkMessage(t, "no such device")
		w.mu.Lock()
		w.openErr = nil
		w.mu.Unlock()
		netconftest.Pass(t, time.Second)
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
	})
}

// TestNoQueue: what the kernel refuses to send in the first moment is sent
// again soon, and does not count as unanswered.
func TestNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(time.Hour), noQueue: 3}, nil)
		defer s.stop()
		netconftest.Pass(t, time.Second)
		netconftest.Compare(t, "messages", []string{"35ms DISCOVER", "35ms REQUEST 10.0.0.5"}, s.take())
	})
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(time.Hour), noQueue: 5}, nil)
		defer s.stop()
		netconftest.Pass(t, time.Second)
		netconftest.Compare(t, "messages", []string{"175ms DISCOVER", "175ms REQUEST 10.0.0.5"}, s.take())
	})
}

// checkMessage checks the last message reported.
func (s *session) checkMessage(t *testing.T, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.seen[len(s.seen)-1].Message; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

// TestStrangers: what is not an answer to this client is not taken for one.
func TestStrangers(t *testing.T) {
	other := dhcpv4.WithTransactionID(dhcpv4.TransactionID{9, 9, 9, 9})
	for name, answer := range map[string]func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4{
		"other transaction": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return reply(p, dhcpv4.MessageTypeOffer, other) },
		"other client": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeOffer, dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9}))
		},
		"a request": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return p },
		"ACK without rapid commit": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeAck)
		},
		"no address": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeOffer, dhcpv4.WithYourIP([]byte{0, 0, 0, 0}))
		},
		"multicast address": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeOffer, dhcpv4.WithYourIP([]byte{224, 0, 0, 1}))
		},
		"no server": func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeOffer, dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: answer}, nil)
				defer s.stop()
				netconftest.Pass(t, time.Second)
				netconftest.Compare(t, "states", []string{"selecting"}, s.reports())
			})
		})
	}
}
