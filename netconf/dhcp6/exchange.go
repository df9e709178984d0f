package dhcp6

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
)

// exchange is one message, repeated until it is answered.
type exchange struct {
	kind   dhcpv6.MessageType
	server []byte          // the only one that is to answer; nil: any
	own    []dhcpv6.Option // see packet
	timing timing
	until  time.Time           // zero is for ever
	take   func(*message) bool // whether an answer ends the exchange
	lapse  func() bool         // after each wait: whether that ends the exchange; nil is no
}

// event is what ends a wait.
type event int

const (
	silence  event = iota // the time is over
	answered              // take was content
	again                 // somebody asks for a renewal
	stopped               // ctx is over, or an address has to be declined
)

// exchange tells whether take or lapse ended it, and not tries, time or ctx.
func (m *machine) exchange(ctx context.Context, x exchange) bool {
	m.newTransaction()
	var began time.Time
	var wait time.Duration
	for attempt := 1; x.timing.tries == 0 || attempt <= x.timing.tries; attempt++ {
		if !m.connect(ctx, x.until) {
			return false
		}
		if began.IsZero() {
			began = time.Now()
		}
		m.transmit(x, time.Since(began))
		m.attempt = attempt
		m.tell(attempt)
		wait = m.repetition(x, attempt, wait)
		switch m.listen(ctx, earlier(x.until, time.Now().Add(wait)), &x) {
		case answered:
			return true
		case stopped:
			return false
		case again:
			attempt = 0
			continue
		}
		if x.lapse != nil && x.lapse() {
			return true
		}
		if over(x.until) {
			return false
		}
		if !m.heard {
			m.message = "nobody answers"
		}
	}
	return false
}

// over tells whether a time has come; zero never does.
func over(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// repetition is the time until the next message (RFC 8415, section 15). The
// first one for a SOLICIT must not be shorter than IRT (section 18.2.1).
func (m *machine) repetition(x exchange, attempt int, last time.Duration) time.Duration {
	r := float64(m.opts.Random()) / (1 << 32) // [0, 1)
	jitter := func(d time.Duration) time.Duration { return time.Duration(float64(d) * (r - 0.5) / 5) }
	next := 2*last + jitter(last)
	if attempt == 1 {
		next = x.timing.first + jitter(x.timing.first)
		if x.kind == dhcpv6.MessageTypeSolicit {
			next = x.timing.first + time.Duration(float64(x.timing.first)*(1-r)/10)
		}
	}
	longest := x.timing.longest
	switch x.kind { // these two servers can change, while nobody has a lease, too
	case dhcpv6.MessageTypeSolicit:
		longest = m.longestSolicit
	case dhcpv6.MessageTypeInformationRequest:
		longest = m.longestInform
	}
	if longest > 0 && next > longest {
		next = longest + jitter(longest)
	}
	return next
}

// connect opens the link, as often as it takes; that it has to wait is
// reported.
func (m *machine) connect(ctx context.Context, until time.Time) bool {
	for attempt := 1; ; attempt++ {
		err := m.openConn()
		if err == nil {
			if attempt > 1 {
				m.message = ""
			}
			return true
		}
		if text := err.Error(); attempt == 1 || text != m.message {
			m.message = text
			m.tell(0)
		}
		at := earlier(until, time.Now().Add(openWait(attempt)))
		if m.sleep(ctx, at) == stopped || over(until) {
			return false
		}
	}
}

// transmit sends one message. One that cannot be sent counts as lost.
func (m *machine) transmit(x exchange, elapsed time.Duration) {
	m.heard = false
	m.sent = time.Now()
	if err := m.conn.Send(m.packet(x, elapsed)); err != nil {
		m.closeConn()
		m.note(fmt.Sprintf("send: %v", err))
	}
}

// sleep waits until a time, zero being never.
func (m *machine) sleep(ctx context.Context, until time.Time) event { return m.listen(ctx, until, nil) }

// listen waits until a time, zero being never, for an answer that x.take is
// content with; without x nothing is heard.
func (m *machine) listen(ctx context.Context, until time.Time, x *exchange) event {
	var elapsed <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		elapsed = timer.C
	}
	for {
		var messages <-chan []byte
		var broken <-chan error
		if x != nil {
			messages, broken = m.messages, m.broken
		}
		select {
		case <-elapsed:
			return silence
		case err := <-broken: // the next message opens another
			m.closeConn()
			m.note(fmt.Sprintf("receive: %v", err))
		case b := <-messages:
			if r := m.check(b, *x); r != nil && x.take(r) {
				return answered
			}
		case <-ctx.Done():
			return stopped
		case _, ok := <-m.request.Renew:
			if e := m.renew(ok); e != silence {
				return e
			}
		case a, ok := <-m.request.Declined:
			if e := m.refuse(a, ok); e != silence {
				return e
			}
		}
	}
}

// renew is a request for a renewal. A closed channel has none any more.
func (m *machine) renew(ok bool) event {
	if !ok {
		m.request.Renew = nil
		return silence
	}
	return again
}

// refuse takes an address that somebody else has out of the lease.
func (m *machine) refuse(a netip.Addr, ok bool) event {
	if !ok {
		m.request.Declined = nil
		return silence
	}
	if m.lease == nil || find(m.lease.Addresses, single(a)) < 0 {
		return silence
	}
	m.decliner = m.lease.Server
	m.declined = append(m.declined, netconf.Granted{Prefix: single(a)})
	m.lease, _ = without(m.lease, func(g netconf.Granted) bool { return g.Prefix == single(a) })
	m.wanted = m.lease
	m.message = fmt.Sprintf("somebody else has the address %v", a)
	return stopped
}

// openConn opens the link and starts its reader, if that is not done.
func (m *machine) openConn() error {
	if m.conn != nil {
		return nil
	}
	conn, err := m.opts.Open(m.request.Link)
	if err != nil {
		return err
	}
	m.conn = conn
	m.messages = make(chan []byte, 8)
	m.broken = make(chan error, 1)
	go receive(conn, m.messages, m.broken)
	return nil
}

// receive hands on what comes until the link is closed. Messages that nobody
// waits for are dropped.
func receive(conn Conn, messages chan<- []byte, broken chan<- error) {
	buffer := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			broken <- err
			return
		}
		select {
		case messages <- bytes.Clone(buffer[:n]):
		default:
		}
	}
}

func (m *machine) closeConn() {
	if m.conn != nil {
		m.conn.Close()
		m.conn, m.messages, m.broken = nil, nil, nil
	}
}

func (m *machine) newTransaction() {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], m.opts.Random())
	copy(m.xid[:], b[1:])
}
