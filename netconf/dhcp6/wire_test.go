package dhcp6_test

import (
	"io"
	"sync"
	"time"

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
	last    *dhcpv6.Message
}

func (w *wire) dial(netconf.Link) (dhcp6.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.openErr != nil {
		return nil, w.openErr
	}
	w.open++
	w.inbox = make(chan []byte, 16)
	return &end{wire: w, inbox: w.inbox, closed: make(chan struct{})}, nil
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
