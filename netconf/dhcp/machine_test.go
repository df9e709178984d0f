package dhcp_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp"
)

// wire is a cable with a scripted server at its end, in virtual time.
type wire struct {
	mu       sync.Mutex
	began    time.Time
	log      []string // "0s DISCOVER", …
	answer   func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4
	openErr  error
	open     int // sockets
	inbox    chan []byte
	closed   chan struct{}
	unicasts int
}

func (w *wire) dial(netconf.Link) (dhcp.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.openErr != nil {
		w.log = append(w.log, time.Since(w.began).String()+" open")
		return nil, w.openErr
	}
	w.open++
	w.inbox, w.closed = make(chan []byte, 16), make(chan struct{})
	return &end{wire: w, inbox: w.inbox, closed: w.closed}, nil
}

// end is one socket.
type end struct {
	*wire
	inbox  chan []byte
	closed chan struct{}
}

func (e *end) Broadcast(message []byte) error {
	p, err := dhcpv4.FromBytes(message)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	text := time.Since(e.began).String() + " " + p.MessageType().String()
	if a := p.RequestedIPAddress(); a != nil {
		text += " " + a.String()
	}
	if p.IsBroadcast() {
		text += " broadcast"
	}
	e.log = append(e.log, text)
	if e.answer != nil {
		if reply := e.answer(p); reply != nil {
			e.inbox <- reply.ToBytes()
		}
	}
	return nil
}

func (e *end) Unicast(message []byte, from, to netip.Addr) error {
	e.mu.Lock()
	e.unicasts++
	e.mu.Unlock()
	return e.Broadcast(message)
}

func (e *end) Read(buffer []byte) (int, error) {
	select {
	case m := <-e.inbox:
		return copy(buffer, m), nil
	case <-e.closed:
		return 0, io.EOF
	}
}

func (e *end) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open--
	close(e.closed)
	return nil
}

func (w *wire) set(answer func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// take returns what was sent since the last time.
func (w *wire) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log
	w.log = nil
	return log
}

// silent is a server that hears and says nothing.
func silent(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return nil }

// grants is a server that gives 10.0.0.5 for a time.
func grants(lease time.Duration, modify ...dhcpv4.Modifier) func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	return func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		kind := dhcpv4.MessageTypeAck
		if p.MessageType() == dhcpv4.MessageTypeDiscover {
			kind = dhcpv4.MessageTypeOffer
		}
		return reply(p, kind, append([]dhcpv4.Modifier{
			dhcpv4.WithOption(dhcpv4.OptIPAddressLeaseTime(lease))}, modify...)...)
	}
}

func reply(p *dhcpv4.DHCPv4, kind dhcpv4.MessageType, modify ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	r, err := dhcpv4.NewReplyFromRequest(p, append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithYourIP(netip.MustParseAddr("10.0.0.5").AsSlice()),
		dhcpv4.WithNetmask([]byte{255, 255, 255, 0}),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(netip.MustParseAddr("10.0.0.1").AsSlice()))}, modify...)...)
	if err != nil {
		panic(err)
	}
	return r
}

// refuses answers requests with NAK and offers what it will refuse.
func refuses(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	if p.MessageType() == dhcpv4.MessageTypeDiscover {
		return reply(p, dhcpv4.MessageTypeOffer)
	}
	return reply(p, dhcpv4.MessageTypeNak)
}

// session is a client that runs.
type session struct {
	*wire
	stop func()
	mu   sync.Mutex
	seen []netconf.LeaseStatus
}

// reports returns the states since the last time, repetitions left out; "!"
// marks a loss, the address a lease.
func (s *session) reports() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.seen {
		text := string(r.State)
		if r.Lost {
			text += " !"
		}
		if r.Lease != nil {
			text += " " + r.Lease.Address.String()
		}
		out = append(out, text)
	}
	s.seen = nil
	return slices.Compact(out)
}

func start(t *testing.T, w *wire, previous *netconf.Lease) *session {
	t.Helper()
	w.began = time.Now()
	s := &session{wire: w}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	client := dhcp.New(dhcp.Options{Open: w.dial, Random: func() uint32 { return 1 << 31 }}) // no jitter
	go func() {
		done <- client.Run(ctx, netconf.LeaseRequest{
			Link:     netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: "eth0"}, MAC: "02:00:00:00:00:01"},
			Previous: previous,
		}, func(r netconf.LeaseStatus) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, r)
		})
	}()
	s.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if w.open != 0 {
			t.Errorf("%d sockets are open after Run", w.open)
		}
	}
	return s
}

// pass lets virtual time go by. Nothing waits for it: it is the clock.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	synctest.Wait()
}

func check(t *testing.T, what string, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestRetransmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: silent}, nil)
		defer s.stop()
		pass(t, 70*time.Second)
		check(t, "messages", []string{
			"0s DISCOVER", "100ms DISCOVER", "300ms DISCOVER", "700ms DISCOVER broadcast", "1.5s DISCOVER broadcast",
			"3.1s DISCOVER broadcast", "6.3s DISCOVER broadcast", "12.7s DISCOVER broadcast",
			"25.5s DISCOVER broadcast", "41.5s DISCOVER broadcast", "57.5s DISCOVER broadcast"}, s.take())
		check(t, "states", []string{"selecting"}, s.reports())
		s.set(grants(time.Hour))
		pass(t, 16*time.Second)
		check(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
	})
}

func TestLeaseLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(1000 * time.Second)}, nil)
		defer s.stop()
		synctest.Wait()
		check(t, "first messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5"}, s.take())
		if s.open != 0 {
			t.Error("the socket stays open in bound")
		}
		pass(t, 501*time.Second)
		check(t, "renewed at T1", []string{"8m20s REQUEST"}, s.take())
		if s.unicasts != 1 {
			t.Errorf("%d unicast messages, want 1", s.unicasts)
		}
		check(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24", "renewing 10.0.0.5/24",
			"bound 10.0.0.5/24"}, s.reports())
		s.set(silent)
		pass(t, 1001*time.Second) // T1 at 1000 s, T2 at 1375 s, end at 1500 s
		check(t, "states until the end", []string{"renewing 10.0.0.5/24", "rebinding 10.0.0.5/24",
			"init !", "selecting"}, s.reports())
		messages := s.take()
		if i := slices.Index(messages, "25m0s DISCOVER"); i < 5 || s.unicasts < 4 || i-s.unicasts < 1 {
			t.Errorf("%d unicast, messages: %q", s.unicasts, messages)
		}
		s.set(grants(1000 * time.Second))
		pass(t, 20*time.Second)
		check(t, "states after", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
	})
}

func TestEndlessLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: grants(dhcpv4.MaxLeaseTime)}, nil)
		defer s.stop()
		pass(t, 1000*time.Hour)
		check(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5"}, s.take())
	})
}

func TestRapidCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			return reply(p, dhcpv4.MessageTypeAck, dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil)))
		}}, nil)
		defer s.stop()
		synctest.Wait()
		check(t, "messages", []string{"0s DISCOVER"}, s.take())
		check(t, "states", []string{"selecting", "bound 10.0.0.5/24"}, s.reports())
	})
}

// TestRefusals: one NAK is answered at once, a server that always refuses is
// not asked at the speed of the wire.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: refuses}, nil)
		defer s.stop()
		pass(t, 2*time.Second)
		check(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5", "0s DISCOVER", "0s REQUEST 10.0.0.5",
			"200ms DISCOVER", "200ms REQUEST 10.0.0.5", "600ms DISCOVER", "600ms REQUEST 10.0.0.5",
			"1.4s DISCOVER", "1.4s REQUEST 10.0.0.5"}, s.take())
	})
}

// TestOfferForgotten: a server that offers and then falls silent is left.
func TestOfferForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if p.MessageType() != dhcpv4.MessageTypeDiscover {
				return nil
			}
			return reply(p, dhcpv4.MessageTypeOffer)
		}}, nil)
		defer s.stop()
		pass(t, 6350*time.Millisecond)
		check(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5", "100ms REQUEST 10.0.0.5",
			"300ms REQUEST 10.0.0.5", "700ms REQUEST 10.0.0.5 broadcast", "1.5s REQUEST 10.0.0.5 broadcast",
			"3.1s REQUEST 10.0.0.5 broadcast", "6.3s DISCOVER", "6.3s REQUEST 10.0.0.5"}, s.take())
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
				pass(t, 1450*time.Millisecond)
				check(t, "messages", c.messages, s.take())
				check(t, "states", c.states, s.reports())
			})
		})
	}
	t.Run("no answer until it is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, &wire{answer: silent}, full())
			defer s.stop()
			pass(t, 59*time.Second)
			check(t, "states", []string{"init-reboot 10.0.0.5/24", "selecting 10.0.0.5/24"}, s.reports())
			pass(t, 2*time.Second)
			check(t, "states", []string{"init !", "selecting"}, s.reports())
		})
	})
}

// TestNoSocket: a link that refuses the socket is tried again and again.
func TestNoSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: grants(time.Hour), openErr: errors.New("no such device")}
		s := start(t, w, nil)
		defer s.stop()
		pass(t, 500*time.Millisecond)
		check(t, "attempts", []string{"0s open", "100ms open", "300ms open"}, s.take())
		s.checkMessage(t, "no such device")
		w.mu.Lock()
		w.openErr = nil
		w.mu.Unlock()
		pass(t, time.Second)
		check(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
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
				pass(t, time.Second)
				check(t, "states", []string{"selecting"}, s.reports())
			})
		})
	}
}
