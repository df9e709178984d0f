package dhcp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

// maxMessage is the largest message that is read, bytes.
const maxMessage = 1500

// exchange is one message, repeated until it is answered.
type exchange struct {
	build  func() *dhcpv4.DHCPv4           // called for each repetition
	send   func([]byte) error              // nil broadcasts
	accept verdict                         // whether a message is an answer
	wait   func(attempt int) time.Duration // for an answer; nil is backoff
	tries  int                             // 0 is any number
	until  time.Time                       // zero is for ever
}

// exchange returns the answer, or nil when tries, time or ctx are at an end.
func (m *machine) exchange(ctx context.Context, x exchange) *dhcpv4.DHCPv4 {
	if x.send == nil {
		x.send = func(b []byte) error { return m.conn.Broadcast(b) }
	}
	if x.wait == nil {
		x.wait = backoff
	}
	for attempt := 1; x.tries == 0 || attempt <= x.tries; attempt++ {
		if attempt > 1 {
			m.message, m.complaint = cmp.Or(m.complaint, "nobody answers"), ""
		}
		m.attempt = attempt
		if err := m.transmit(ctx, x, attempt); err != nil {
			m.message = err.Error()
		}
		m.tell(attempt)
		wait := m.jitter(x.wait(attempt))
		if !x.until.IsZero() {
			wait = min(wait, time.Until(x.until))
		}
		if reply := m.listen(ctx, wait, x.accept); reply != nil {
			return reply
		}
		if ctx.Err() != nil || !x.until.IsZero() && !time.Now().Before(x.until) {
			return nil
		}
	}
	return nil
}

// transmit sends one message, on a new socket if there is none.
func (m *machine) transmit(ctx context.Context, x exchange, attempt int) error {
	if err := m.openConn(); err != nil {
		return err
	}
	p := x.build()
	p.NumSeconds = uint16(min(time.Since(m.started)/time.Second, 0xffff))
	if attempt > broadcastAfter && p.ClientIPAddr == nil {
		p.SetBroadcast()
	}
	m.sent = time.Now()
	err := x.send(p.ToBytes())
	for wait := firstQueueWait; errors.Is(err, unix.ENOBUFS) && wait <= lastQueueWait && ctx.Err() == nil; wait *= 2 {
		pause(ctx, wait)
		m.sent = time.Now()
		err = x.send(p.ToBytes())
	}
	if err != nil {
		m.closeConn()
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// listen waits for an acceptable message. It ends early when somebody asks for
// a renewal: the message is then repeated.
func (m *machine) listen(ctx context.Context, wait time.Duration, accept verdict) *dhcpv4.DHCPv4 {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			return nil
		case _, ok := <-m.request.Renew:
			if m.renewAsked(ok) {
				return nil
			}
		case err := <-m.broken: // the next transmit opens another
			m.closeConn()
			m.message = fmt.Sprintf("receive: %v", err)
		case p := <-m.messages:
			if !m.isForUs(p) {
				continue
			}
			ok, why := accept(p)
			if ok {
				return p
			}
			if why != "" {
				m.complain(why)
			}
		}
	}
}

// renewAsked takes what came from the channel Renew.
func (m *machine) renewAsked(open bool) bool {
	if !open {
		m.request.Renew = nil // or it would be ready for ever
	}
	return open
}

// isForUs tells whether a message answers the last one of this client. The
// client's id has to be the one that was sent, if it is there (RFC 6842).
func (m *machine) isForUs(p *dhcpv4.DHCPv4) bool {
	id := p.Options.Get(dhcpv4.OptionClientIdentifier)
	return p.TransactionID == m.xid && bytes.Equal(p.ClientHWAddr, m.hardware) &&
		(len(id) == 0 || bytes.Equal(id, m.clientID()))
}

// complain logs what is wrong with a message, each thing once: a server may
// send it a thousand times.
func (m *machine) complain(why string) {
	m.complaint = why
	if !m.complained[why] {
		m.complained[why] = true
		m.log.Warn("bad message from a server", "why", why)
	}
}

// openConn opens the socket and starts its reader, if there is none.
func (m *machine) openConn() error {
	if m.conn != nil {
		return nil
	}
	conn, err := m.opts.Open(m.request.Link)
	if err != nil {
		return err
	}
	m.conn = conn
	m.messages = make(chan *dhcpv4.DHCPv4, 8)
	m.broken = make(chan error, 1)
	go receive(conn, m.messages, m.broken)
	return nil
}

// receive hands on what servers send until the socket is closed. Messages
// that nobody waits for are dropped.
func receive(conn Conn, messages chan<- *dhcpv4.DHCPv4, broken chan<- error) {
	buffer := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			broken <- err
			return
		}
		p, err := decode(buffer[:n])
		if err != nil || p.OpCode != dhcpv4.OpcodeBootReply {
			continue
		}
		select {
		case messages <- p:
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
	binary.BigEndian.PutUint32(m.xid[:], m.opts.Random())
}

// jitter spreads a duration by an eighth to both sides, so that machines that
// were switched on together do not stay in step.
func (m *machine) jitter(d time.Duration) time.Duration {
	return d - d/8 + time.Duration(float64(d/4)*float64(m.opts.Random())/(1<<32))
}

// backoff doubles from firstWait to longestWait.
func backoff(attempt int) time.Duration {
	return min(firstWait<<min(attempt-1, 16), longestWait)
}

// halfOf is RFC 2131's rule for renewals (section 4.4.5): half of what is
// left. Before that come quick repetitions, for a message that got lost.
func halfOf(end time.Time) func(int) time.Duration {
	return func(attempt int) time.Duration {
		if attempt <= quickRenewals {
			return time.Second << (attempt - 1)
		}
		return max(time.Until(end)/2, shortestRenewal)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
