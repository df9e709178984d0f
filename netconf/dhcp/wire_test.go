package dhcp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// wire is a cable with a scripted server at its end, in virtual time.
type wire struct {
	mu       sync.Mutex
	began    time.Time
	log      []string // "0s DISCOVER", …
	answer   func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4
	raw      func(*dhcpv4.DHCPv4) [][]byte // what comes before answer's
	last     *dhcpv4.DHCPv4                // what was sent last
	ether    ether
	noQueue  int // how often the kernel refuses to send
	openErr  error
	open     int // sockets
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
	return &end{wire: w, inbox: make(chan []byte, 64), closed: make(chan struct{})}, nil
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
	if e.noQueue > 0 {
		e.noQueue--
		return fmt.Errorf("on the wire: %w", unix.ENOBUFS)
	}
	text := time.Since(e.began).String() + " " + p.MessageType().String()
	if a := p.RequestedIPAddress(); a != nil {
		text += " " + a.String()
	}
	if p.IsBroadcast() {
		text += " broadcast"
	}
	e.log, e.last = append(e.log, text), p
	if e.raw != nil {
		for _, b := range e.raw(p) {
			e.inbox <- b
		}
	}
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

// counts returns how many sockets are open and how many messages were unicast.
func (w *wire) counts() (open, unicasts int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open, w.unicasts
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
	text bytes.Buffer // the log
	mu   sync.Mutex
	seen []netconf.LeaseStatus
}

// logged counts the lines of the log that have a text; the client must be idle.
func (s *session) logged(text string) int { return strings.Count(s.text.String(), text) }

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
	return request(t, w, netconf.LeaseRequest{Previous: previous})
}

// request starts a client on eth0 of the wire.
func request(t *testing.T, w *wire, r netconf.LeaseRequest) *session {
	t.Helper()
	w.began = time.Now()
	s := &session{wire: w}
	client := dhcp.New(dhcp.Options{Open: w.dial, OpenARP: w.ether.open, Random: func() uint32 { return 1 << 31 }, // no jitter
		Log: slog.New(slog.NewTextHandler(&s.text, nil))})
	r.Link = netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: "eth0"}, MAC: "02:00:00:00:00:01"}
	stop := netconftest.Go(t, func(ctx context.Context) error {
		return client.Run(ctx, r, func(r netconf.LeaseStatus) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, r)
		})
	})
	s.stop = func() {
		stop()
		if open, _ := w.counts(); open != 0 {
			t.Errorf("%d sockets are open after Run", open)
		}
	}
	return s
}
