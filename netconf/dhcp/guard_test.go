package dhcp_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/arp"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// ether is the ARP of a network in memory: who has which address.
type ether struct {
	mu      sync.Mutex
	began   time.Time
	has     func(netip.Addr) (arp.MAC, bool) // nil: nobody has any
	log     []string
	inbox   chan arp.Packet
	alive   int
	openErr error
}

func (e *ether) open(netconf.LinkID) (arp.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.openErr != nil {
		return nil, e.openErr
	}
	if e.began.IsZero() {
		e.began = time.Now()
	}
	e.alive++
	e.inbox = make(chan arp.Packet, 16)
	return &station{ether: e, inbox: e.inbox, closed: make(chan struct{})}, nil
}

// say lets another station send something.
func (e *ether) say(p arp.Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inbox <- p
}

// take returns what was sent since the last time.
func (e *ether) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	log := e.log
	e.log = nil
	return log
}

func (e *ether) sockets() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.alive
}

type station struct {
	*ether
	inbox  chan arp.Packet
	closed chan struct{}
}

func (s *station) Send(p arp.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	what := "announce"
	if p.SenderIP.IsUnspecified() {
		what = "probe"
	}
	s.log = append(s.log, fmt.Sprintf("%v %s %s", time.Since(s.began), what, p.TargetIP))
	if s.has != nil {
		if mac, ok := s.has(p.TargetIP); ok {
			s.inbox <- arp.Packet{Op: arp.Reply, SenderMAC: mac, SenderIP: p.TargetIP, TargetMAC: p.SenderMAC, TargetIP: p.SenderIP}
		}
	}
	return nil
}

func (s *station) Read() (arp.Packet, error) {
	select {
	case p := <-s.inbox:
		return p, nil
	case <-s.closed:
		return arp.Packet{}, io.EOF
	}
}

func (s *station) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive--
	close(s.closed)
	return nil
}

func other() arp.MAC { return arp.MAC{2, 0, 0, 0, 0, 0xee} }

// counting is a server that offers 10.0.0.5, 10.0.0.6 and so on, another one
// to each DISCOVER.
func counting() func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	next := byte(4)
	return func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		switch p.MessageType() {
		case dhcpv4.MessageTypeDiscover:
			next++
		case dhcpv4.MessageTypeDecline:
			return nil
		}
		return grants(time.Hour, dhcpv4.WithYourIP([]byte{10, 0, 0, next}))(p)
	}
}

// TestGuard: the lease is reported before the first probe has had time, and a
// free address is announced.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: grants(time.Hour)}
		s := start(t, w, nil)
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
		w.ether.say(arp.Probe(other(), netip.MustParseAddr("10.0.0.5"))) // a switch that looks around
		w.ether.say(arp.Packet{Op: arp.Reply, SenderMAC: other(), SenderIP: netip.MustParseAddr("10.0.0.9")})
		netconftest.Pass(t, 30*time.Second)
		netconftest.Compare(t, "ARP", []string{"0s probe 10.0.0.5", "1.5s probe 10.0.0.5", "3s probe 10.0.0.5",
			"5s announce 10.0.0.5", "7s announce 10.0.0.5"}, w.ether.take())
		netconftest.Compare(t, "states", nil, s.reports())
		if n := w.ether.sockets(); n != 0 {
			t.Errorf("%d ARP sockets are open after the detection", n)
		}
		netconftest.Pass(t, 31*time.Minute)
		netconftest.Compare(t, "renewed", []string{"renewing 10.0.0.5/24", "bound 10.0.0.5/24"}, s.reports())
		netconftest.Compare(t, "ARP after a renewal", nil, w.ether.take())
	})
}

// TestGuardCannot: without ARP there is a lease all the same.
func TestGuardCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: grants(time.Hour), ether: ether{openErr: errors.New("no ARP here")}}
		s := start(t, w, nil)
		defer s.stop()
		netconftest.Pass(t, time.Minute)
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
		if s.logged("no ARP here") != 1 {
			t.Errorf("log:\n%s", s.text.String())
		}
	})
}

func TestDecline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: counting()}
		w.ether.has = func(a netip.Addr) (arp.MAC, bool) { return other(), a == netip.MustParseAddr("10.0.0.5") }
		s := start(t, w, nil)
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24", "init !"}, s.reports())
		netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5", "0s DECLINE 10.0.0.5"}, s.take())
		w.mu.Lock()
		d := w.last
		w.mu.Unlock()
		if d.ServerIdentifier().String() != "10.0.0.1" || len(d.ClientIPAddr) == 4 && !d.ClientIPAddr.IsUnspecified() ||
			d.Options.Has(dhcpv4.OptionParameterRequestList) || d.Options.Has(dhcpv4.OptionMaximumDHCPMessageSize) {
			t.Errorf("DECLINE: %s", d.Summary())
		}
		netconftest.Pass(t, 9*time.Second)
		netconftest.Compare(t, "messages within 10 s", nil, s.take())
		netconftest.Pass(t, 2*time.Second)
		netconftest.Compare(t, "messages", []string{"10s DISCOVER", "10s REQUEST 10.0.0.6"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.6/24"}, s.reports())
	})
}

// TestDeclineLater: somebody who says that the address is his after it was
// announced is believed, too.
func TestDeclineLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: counting()}
		s := start(t, w, nil)
		defer s.stop()
		netconftest.Pass(t, 12*time.Second)
		s.reports()
		w.ether.say(arp.Announcement(other(), netip.MustParseAddr("10.0.0.5")))
		synctest.Wait()
		s.checkMessage(t, "10.0.0.5 is in use by 02:00:00:00:00:ee")
		netconftest.Compare(t, "states", []string{"init !"}, s.reports())
	})
}

// TestDisputed: a station that claims every address, or a server that knows no
// other one, does not keep the machine without an address for ever; it is asked
// less and less often until then.
func TestDisputed(t *testing.T) {
	for name, server := range map[string]func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4{
		"other addresses": counting(),
		"the same again":  grants(time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
					if p.MessageType() == dhcpv4.MessageTypeDecline {
						return nil
					}
					return server(p)
				}}
				w.ether.has = func(netip.Addr) (arp.MAC, bool) { return other(), true }
				s := start(t, w, nil)
				defer s.stop()
				netconftest.Pass(t, 10*time.Minute)
				var when []string
				for _, m := range s.take() {
					if at, _, ok := strings.Cut(m, " DISCOVER"); ok {
						when = append(when, at)
					}
				}
				netconftest.Compare(t, "attempts", []string{"0s", "10s", "30s", "1m10s"}, when)
				if states := s.reports(); !strings.HasPrefix(states[len(states)-1], "bound ") {
					t.Errorf("states: %q", states)
				}
				if n := s.logged("it claims whatever the server gives"); n != 1 {
					t.Errorf("it is logged %d times", n)
				}
			})
		})
	}
}

// TestDisputedByMany: different stations are real conflicts, each of them.
func TestDisputedByMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := byte(0)
		w := &wire{answer: grants(time.Hour)}
		w.ether.has = func(netip.Addr) (arp.MAC, bool) { n++; return arp.MAC{2, 0, 0, 0, 1, n}, true }
		s := start(t, w, nil)
		defer s.stop()
		netconftest.Pass(t, 20*time.Minute)
		declines := 0
		for _, m := range s.take() {
			if strings.Contains(m, "DECLINE") {
				declines++
			}
		}
		if declines != 8 { // after 0, 10, 30, 70, 150, 310, 630 and 950 s
			t.Errorf("%d DECLINEs in 20 minutes", declines)
		}
	})
}

// TestProxy: a gateway that answers for every address takes none away.
func TestProxy(t *testing.T) {
	for name, gateway := range map[string]dhcpv4.Modifier{
		"option 3":   dhcpv4.WithOption(dhcpv4.OptRouter([]byte{10, 0, 0, 1})),
		"option 121": dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{0, 10, 0, 0, 1}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: grants(time.Hour, gateway)}
				w.ether.has = func(netip.Addr) (arp.MAC, bool) { return other(), true }
				s := start(t, w, nil)
				defer s.stop()
				netconftest.Pass(t, 10*time.Minute)
				netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
				netconftest.Compare(t, "ARP", []string{"0s probe 10.0.0.5", "0s probe 10.0.0.1"}, w.ether.take())
				if n := s.logged("the gateway answers for the address"); n != 1 {
					t.Errorf("it is logged %d times", n)
				}
			})
		})
	}
	t.Run("the gateway is somebody else", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: grants(time.Hour, dhcpv4.WithOption(dhcpv4.OptRouter([]byte{10, 0, 0, 1})))}
			w.ether.has = func(a netip.Addr) (arp.MAC, bool) {
				if a == netip.MustParseAddr("10.0.0.1") {
					return arp.MAC{2, 0, 0, 0, 0, 0xff}, true
				}
				return other(), true
			}
			s := start(t, w, nil)
			defer s.stop()
			netconftest.Pass(t, 2*time.Second)
			netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24", "init !"}, s.reports())
		})
	})
}
