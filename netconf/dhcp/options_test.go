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

// TestRequestOptions: what the configuration says is sent, with each message
// that asks for something.
func TestRequestOptions(t *testing.T) {
	for _, c := range []struct {
		name            string
		request         netconf.LeaseRequest
		id              []byte
		class, hostname string
	}{
		{"default", netconf.LeaseRequest{}, []byte{1, 2, 0, 0, 0, 0, 1}, "", ""},
		{"the machine's name", netconf.LeaseRequest{Hostname: "box"}, []byte{1, 2, 0, 0, 0, 0, 1}, "", "box"},
		{"all", netconf.LeaseRequest{Hostname: "box", Options: netconf.DHCPOptions{
			ClientID: []byte("\xffid"), VendorClass: "class", Hostname: "other"}}, []byte("\xffid"), "class", "other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []*dhcpv4.DHCPv4
				grant := grants(time.Hour)
				s := request(t, &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
					seen = append(seen, p)
					return grant(p)
				}}, c.request)
				defer s.stop()
				netconftest.Pass(t, 31*time.Minute)
				if len(seen) != 3 {
					t.Fatalf("%d messages, want DISCOVER, REQUEST and a renewal", len(seen))
				}
				for _, p := range seen {
					if !bytes.Equal(p.Options.Get(dhcpv4.OptionClientIdentifier), c.id) || p.ClassIdentifier() != c.class || p.HostName() != c.hostname {
						t.Errorf("%s: id %q, class %q, name %q", p.MessageType(),
							p.Options.Get(dhcpv4.OptionClientIdentifier), p.ClassIdentifier(), p.HostName())
					}
					for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClasslessStaticRoute, dhcpv4.GenericOptionCode(249),
						dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionNTPServers} {
						if !p.IsOptionRequested(code) {
							t.Errorf("%s does not ask for %v", p.MessageType(), code)
						}
					}
				}
			})
		})
	}
}

// TestRenewAsked: what is asked for from outside happens at once.
func TestRenewAsked(t *testing.T) {
	run := func(name string, lease time.Duration, body func(*testing.T, *session, func())) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				renew := make(chan struct{}, 1)
				s := request(t, &wire{answer: grants(lease)}, netconf.LeaseRequest{Renew: renew})
				defer s.stop()
				netconftest.Pass(t, time.Minute)
				s.take()
				s.reports()
				body(t, s, func() { renew <- struct{}{}; synctest.Wait() })
			})
		})
	}
	run("the server answers", time.Hour, func(t *testing.T, s *session, renew func()) {
		renew()
		netconftest.Compare(t, "messages", []string{"1m0s REQUEST"}, s.take())
		netconftest.Compare(t, "states", []string{"renewing 10.0.0.5/24", "bound 10.0.0.5/24"}, s.reports())
		netconftest.Pass(t, 30*time.Minute)
		netconftest.Compare(t, "T1 counts from then", []string{"31m0s REQUEST"}, s.take())
	})
	run("an endless lease", dhcpv4.MaxLeaseTime, func(t *testing.T, s *session, renew func()) {
		renew()
		netconftest.Compare(t, "states", []string{"renewing 10.0.0.5/24", "bound 10.0.0.5/24"}, s.reports())
	})
	run("the server is gone, another comes", time.Hour, func(t *testing.T, s *session, renew func()) {
		s.set(silent)
		renew()
		netconftest.Pass(t, 9*time.Second)
		netconftest.Compare(t, "states", []string{"renewing 10.0.0.5/24", "init-reboot 10.0.0.5/24", "selecting 10.0.0.5/24"}, s.reports())
		s.set(grants(time.Hour, dhcpv4.WithYourIP([]byte{10, 0, 0, 9}), dhcpv4.WithOption(dhcpv4.OptServerIdentifier([]byte{10, 0, 0, 2}))))
		s.take()
		renew() // the wait for an answer ends, too
		netconftest.Compare(t, "states", []string{"selecting 10.0.0.5/24", "requesting 10.0.0.5/24", "bound 10.0.0.9/24"}, s.reports())
	})
	t.Run("a channel that was closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			renew := make(chan struct{})
			close(renew)
			s := request(t, &wire{answer: grants(time.Hour)}, netconf.LeaseRequest{Renew: renew})
			defer s.stop()
			netconftest.Pass(t, time.Minute)
			netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5"}, s.take())
		})
	})
}

// TestMicrosoftRoutes: option 249 counts where there is no 121.
func TestMicrosoftRoutes(t *testing.T) {
	old := dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(249), []byte{8, 10, 10, 0, 0, 9})
	for _, c := range []struct {
		name   string
		modify []dhcpv4.Modifier
		want   string
	}{
		{"alone", []dhcpv4.Modifier{old}, "10.0.0.0/8"},
		{"with 121", []dhcpv4.Modifier{old, dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{16, 172, 16, 10, 0, 0, 9})}, "172.16.0.0/16"},
		{"with a damaged 121", []dhcpv4.Modifier{old, dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{99, 1})}, "10.0.0.0/8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: grants(time.Hour, c.modify...)}, nil)
				defer s.stop()
				synctest.Wait()
				got := s.lease()
				if len(got.Routes) != 1 || got.Routes[0].Dst.String() != c.want || got.Routes[0].Gateway != netip.MustParseAddr("10.0.0.9") {
					t.Errorf("routes %v, want one to %s", got.Routes, c.want)
				}
			})
		})
	}
}

// lease is the last that was reported.
func (s *session) lease() *netconf.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[len(s.seen)-1].Lease
}
