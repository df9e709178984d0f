package dhcp6_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp6"
)

// answer is a scripted server: none, one or several messages.
type answer func(*dhcpv6.Message) [][]byte

// wire is a cable with a scripted server at its end, in virtual time.
type wire struct {
	mu      sync.Mutex
	began   time.Time
	log     []string // "0s SOLICIT", …
	answer  answer
	openErr error
	open    int // sockets
	inbox   chan []byte
	closed  chan struct{}
	last    *dhcpv6.Message
}

func (w *wire) dial(netconf.Link) (dhcp6.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.openErr != nil {
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

func (e *end) Send(message []byte) error {
	p, err := dhcpv6.MessageFromBytes(message)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	text := time.Since(e.began).Round(time.Millisecond).String() + " " + p.MessageType.String()
	for _, a := range p.Options.IANA() {
		for _, one := range a.Options.Addresses() {
			text += " " + one.IPv6Addr.String()
		}
	}
	for _, a := range p.Options.IAPD() {
		for _, one := range a.Options.Prefixes() {
			text += " " + one.Prefix.String()
		}
	}
	e.log = append(e.log, text)
	e.last = p
	if e.answer != nil {
		for _, b := range e.answer(p) {
			e.inbox <- b
		}
	}
	return nil
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

// do changes the wire.
func (w *wire) do(change func(*wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func (w *wire) set(a answer) { w.do(func(w *wire) { w.answer = a }) }

func (w *wire) sockets() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

// sent returns the last message.
func (w *wire) sent() *dhcpv6.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// take returns what was sent since the last time.
func (w *wire) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log
	w.log = nil
	return log
}

// Options of servers.

func raw(code dhcpv6.OptionCode, data ...byte) dhcpv6.Option {
	return &dhcpv6.OptionGeneric{OptionCode: code, OptionData: data}
}

func serverID(n byte) dhcpv6.Option { return raw(dhcpv6.OptionServerID, 0, 3, 0, 1, 2, 0, 0, 0, 1, n) }

func statusCode(code byte, text string) dhcpv6.Option {
	return raw(dhcpv6.OptionStatusCode, append([]byte{0, code}, text...)...)
}

func rapid() dhcpv6.Option { return raw(dhcpv6.OptionRapidCommit) }

const forEver = 0xffffffff * time.Second

// na is an IA_NA; t1 and t2 are left to the client.
func na(inner ...dhcpv6.Option) *dhcpv6.OptIANA {
	return &dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.IdentityOptions{Options: inner}}
}

func pd(inner ...dhcpv6.Option) *dhcpv6.OptIAPD {
	return &dhcpv6.OptIAPD{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.PDOptions{Options: inner}}
}

func address(a string, preferred, valid time.Duration) dhcpv6.Option {
	return &dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(a), PreferredLifetime: preferred, ValidLifetime: valid}
}

func prefix(p string, preferred, valid time.Duration) dhcpv6.Option {
	_, n, err := net.ParseCIDR(p)
	if err != nil {
		panic(err)
	}
	return &dhcpv6.OptIAPrefix{Prefix: n, PreferredLifetime: preferred, ValidLifetime: valid}
}

// reply answers a message as server 1, or as another if that is among the
// options.
func reply(p *dhcpv6.Message, kind dhcpv6.MessageType, options ...dhcpv6.Option) []byte {
	r := &dhcpv6.Message{MessageType: kind, TransactionID: p.TransactionID}
	r.AddOption(p.GetOneOption(dhcpv6.OptionClientID))
	if !slices.ContainsFunc(options, func(o dhcpv6.Option) bool { return o.Code() == dhcpv6.OptionServerID }) {
		r.AddOption(serverID(1))
	}
	for _, o := range options {
		r.AddOption(o)
	}
	return r.ToBytes()
}

// always answers each message with these options, SOLICIT by ADVERTISE.
func always(options ...dhcpv6.Option) answer {
	return func(p *dhcpv6.Message) [][]byte {
		kind := dhcpv6.MessageTypeReply
		if p.MessageType == dhcpv6.MessageTypeSolicit {
			kind = dhcpv6.MessageTypeAdvertise
		}
		return [][]byte{reply(p, kind, options...)}
	}
}

// only answers one kind of message.
func only(kind dhcpv6.MessageType, a answer) answer {
	return func(p *dhcpv6.Message) [][]byte {
		if p.MessageType != kind {
			return nil
		}
		return a(p)
	}
}

// both joins servers.
func both(list ...answer) answer {
	return func(p *dhcpv6.Message) (out [][]byte) {
		for _, a := range list {
			out = append(out, a(p)...)
		}
		return out
	}
}

// grants is a server of a higher rank than all others, so that nothing waits.
func grants(options ...dhcpv6.Option) answer {
	return always(append(options, raw(dhcpv6.OptionPreference, 255))...)
}

// session is a client that runs.
type session struct {
	*wire
	stop     func()
	renew    chan struct{}
	declined chan netip.Addr
	logged   *strings.Builder
	mu       sync.Mutex
	seen     []netconf.Lease6Status
}

// reports returns the states since the last time, repetitions left out, with
// what is leased.
func (s *session) reports() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.seen {
		text := string(r.State)
		if r.Lease != nil {
			for _, g := range slices.Concat(r.Lease.Addresses, r.Lease.Prefixes) {
				text += " " + strings.TrimSuffix(g.Prefix.String(), "/128")
			}
		}
		out = append(out, text)
	}
	s.seen = nil
	return slices.Compact(out)
}

// last returns the last report.
func (s *session) lastReport() netconf.Lease6Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return netconf.Lease6Status{}
	}
	return s.seen[len(s.seen)-1]
}

func (s *session) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.Write(b)
}

// warnings returns how often something was logged.
func (s *session) warnings(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.logged.String(), text)
}

func start(t *testing.T, w *wire, request netconf.Lease6Request) *session {
	t.Helper()
	w.began = time.Now()
	s := &session{wire: w, renew: make(chan struct{}), declined: make(chan netip.Addr), logged: &strings.Builder{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	client := dhcp6.New(dhcp6.Options{Open: w.dial, Random: func() uint32 { return 1 << 31 }, // no jitter
		Log: slog.New(slog.NewTextHandler(s, nil))})
	request.Link = netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: "eth0"}, MAC: "02:00:00:00:00:01"}
	request.Renew, request.Declined = s.renew, s.declined
	go func() {
		done <- client.Run(ctx, request, func(r netconf.Lease6Status) {
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
		if n := w.sockets(); n != 0 {
			t.Errorf("%d sockets are open after Run", n)
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

// compare compares values with addresses in them.
func compare(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func granted(p string, preferred, valid time.Duration) netconf.Granted {
	if !strings.Contains(p, "/") {
		p = fmt.Sprintf("%s/128", p)
	}
	return netconf.Granted{Prefix: netip.MustParsePrefix(p), Preferred: preferred, Valid: valid}
}
