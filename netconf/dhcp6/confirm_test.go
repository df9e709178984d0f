package dhcp6_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// previous is a lease of ten minutes ago.
func previous() *netconf.Lease6 {
	return &netconf.Lease6{Server: serverID(1).ToBytes(), Addresses: []netconf.Granted{granted("2001:db8::5", hour, hour)},
		Acquired: time.Now().Add(-10 * time.Minute), T1: 30 * time.Minute, T2: 48 * time.Minute}
}

func TestConfirm(t *testing.T) {
	bound := "bound 2001:db8::5"
	again := grants(na(address("2001:db8::6", hour, hour)))
	for _, c := range []struct {
		name             string
		previous         func(*netconf.Lease6)
		answer           answer
		messages, states []string
	}{
		{"still here", func(*netconf.Lease6) {}, always(statusCode(0, "")),
			[]string{"0s CONFIRM 2001:db8::5"}, []string{"init-reboot 2001:db8::5", bound}},
		{"another link", func(*netconf.Lease6) {}, both(only(dhcpv6.MessageTypeConfirm, always(statusCode(4, "elsewhere"))),
			only(dhcpv6.MessageTypeSolicit, again), only(dhcpv6.MessageTypeRequest, again)),
			[]string{"0s CONFIRM 2001:db8::5", "0s SOLICIT", "0s REQUEST 2001:db8::6"},
			[]string{"init-reboot 2001:db8::5", "init", "selecting", "requesting", "bound 2001:db8::6"}},
		{"nobody there", func(*netconf.Lease6) {}, nil,
			[]string{"0s CONFIRM 2001:db8::5", "1s CONFIRM 2001:db8::5", "3s CONFIRM 2001:db8::5", "7s CONFIRM 2001:db8::5"},
			[]string{"init-reboot 2001:db8::5", bound}},
		{"refused without a reason", func(*netconf.Lease6) {}, always(statusCode(1, "")),
			[]string{"0s CONFIRM 2001:db8::5", "1s CONFIRM 2001:db8::5", "3s CONFIRM 2001:db8::5", "7s CONFIRM 2001:db8::5"},
			[]string{"init-reboot 2001:db8::5", bound}},
		{"over", func(l *netconf.Lease6) { l.Acquired = l.Acquired.Add(-hour) }, again,
			[]string{"0s SOLICIT 2001:db8::5", "0s REQUEST 2001:db8::6"}, []string{"init", "selecting", "requesting", "bound 2001:db8::6"}},
		{"of unknown age", func(l *netconf.Lease6) { l.Acquired = time.Time{} }, again,
			[]string{"0s SOLICIT 2001:db8::5", "0s REQUEST 2001:db8::6"}, []string{"selecting", "requesting", "bound 2001:db8::6"}},
		{"with a prefix", func(l *netconf.Lease6) {
			l.Prefixes = []netconf.Granted{granted("2001:db8:1::/56", hour, hour)}
		}, grants(na(address("2001:db8::5", hour, hour))),
			[]string{"0s REBIND 2001:db8::5 2001:db8:1::/56"},
			[]string{"init-reboot 2001:db8::5 2001:db8:1::/56", "bound 2001:db8::5 2001:db8:1::/56"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := previous()
				c.previous(p)
				s := start(t, &wire{answer: c.answer}, netconf.Lease6Request{Previous: p, Delegate: p.Prefixes != nil})
				defer s.stop()
				netconftest.Pass(t, 20*time.Second)
				netconftest.Compare(t, "messages", c.messages, s.take())
				netconftest.Compare(t, "states", c.states, s.reports())
			})
		})
	}
}

func TestDecline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(na(address("2001:db8::5", hour, hour)))}, netconf.Lease6Request{})
		defer s.stop()
		synctest.Wait()
		s.declined <- netip.MustParseAddr("2001:db8::77") // nobody's
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"0s SOLICIT", "0s REQUEST 2001:db8::5"}, s.take())
		s.reports()
		s.set(both(only(dhcpv6.MessageTypeDecline, always(statusCode(0, ""))),
			only(dhcpv6.MessageTypeSolicit, grants(na(address("2001:db8::6", hour, hour)))),
			only(dhcpv6.MessageTypeRequest, grants(na(address("2001:db8::6", hour, hour))))))
		s.declined <- netip.MustParseAddr("2001:db8::5")
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"0s DECLINE 2001:db8::5", "0s SOLICIT", "0s REQUEST 2001:db8::6"}, s.take())
		netconftest.Compare(t, "states", []string{"init", "selecting", "requesting", "bound 2001:db8::6"}, s.reports())
		s.declined <- netip.MustParseAddr("2001:db8::6")
		netconftest.Pass(t, time.Second)
		netconftest.Compare(t, "a second conflict waits", []string{"0s DECLINE 2001:db8::6", "1s SOLICIT", "1s REQUEST 2001:db8::6"}, s.take())
	})
	t.Run("nobody hears it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, &wire{answer: grants(na(address("2001:db8::5", hour, hour), address("2001:db8::6", hour, hour)))},
				netconf.Lease6Request{})
			defer s.stop()
			synctest.Wait()
			s.take()
			s.reports()
			s.set(nil)
			s.declined <- netip.MustParseAddr("2001:db8::5")
			netconftest.Pass(t, 16*time.Second)
			netconftest.Compare(t, "messages", []string{"0s DECLINE 2001:db8::5", "1s DECLINE 2001:db8::5", "3s DECLINE 2001:db8::5",
				"7s DECLINE 2001:db8::5", "15s SOLICIT 2001:db8::6"}, s.take())
			netconftest.Compare(t, "states", []string{"init 2001:db8::6", "selecting 2001:db8::6"}, s.reports())
		})
	})
}
