package ipv4ll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/arp"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// ether is a network in memory, in virtual time.
type ether struct {
	mu     sync.Mutex
	began  time.Time
	log    []string
	has    func(netip.Addr) bool // whether another station has the address; nil: none
	refuse error                 // of Open
	last   *station
}

// station is one socket.
type station struct {
	*ether
	inbox  chan arp.Packet
	closed chan struct{}
	broken chan struct{} // closed when the link goes down
}

func (e *ether) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, fmt.Sprintf("%v %s", time.Since(e.began), fmt.Sprintf(format, args...)))
}

func (e *ether) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	log := e.log
	e.log = nil
	return log
}

func (e *ether) open(netconf.LinkID) (arp.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse != nil {
		return nil, e.refuse
	}
	e.last = &station{e, make(chan arp.Packet, 16), make(chan struct{}), make(chan struct{})}
	return e.last, nil
}

func (e *station) Send(p arp.Packet) error {
	what := "announce"
	if p.SenderIP.IsUnspecified() {
		what = "probe"
	}
	e.note("%s %s", what, p.TargetIP)
	if e.has != nil && e.has(p.TargetIP) {
		e.say(arp.Packet{Op: arp.Reply, SenderMAC: other(), SenderIP: p.TargetIP})
	}
	return nil
}

// say lets another station send something.
func (e *ether) say(p arp.Packet) {
	e.mu.Lock()
	inbox := e.last.inbox
	e.mu.Unlock()
	inbox <- p
}

func (e *station) Read() (arp.Packet, error) {
	select {
	case p := <-e.inbox:
		return p, nil
	case <-e.closed:
		return arp.Packet{}, io.EOF
	case <-e.broken:
		return arp.Packet{}, io.ErrUnexpectedEOF
	}
}

func (e *station) Close() error {
	close(e.closed)
	return nil
}

func other() arp.MAC { return arp.MAC{2, 0, 0, 0, 0, 0xee} }

// start runs a client; the first two addresses that it will try come back.
func start(t *testing.T, e *ether) (first, second netip.Addr) {
	t.Helper()
	mac := arp.MAC{2, 0, 0, 0, 0, 1}
	e.began = time.Now()
	c := New(Options{Open: e.open, Random: func() uint32 { return 1 << 31 }})
	netconftest.Go(t, func(ctx context.Context) error {
		return c.Run(ctx, netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: "eth0"}, MAC: mac.String()}, func(p netip.Prefix) {
			if p.IsValid() {
				e.note("has %s", p)
			} else {
				e.note("has none")
			}
		})
	})
	next := candidates(mac)
	return next(), next()
}

// claimed is the log of a claim that nobody disturbs, up to the second
// announcement.
func claimed(from time.Duration, a netip.Addr) []string {
	at := func(d time.Duration, what string) string { return fmt.Sprintf("%v %s", from+d, what) }
	ms := time.Millisecond
	return []string{at(500*ms, "probe "+a.String()), at(2000*ms, "probe "+a.String()), at(3500*ms, "probe "+a.String()),
		at(5500*ms, "has "+a.String()+"/16"), at(5500*ms, "announce "+a.String()), at(7500*ms, "announce "+a.String())}
}

func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{}
		a, _ := start(t, e)
		netconftest.Pass(t, time.Hour)
		netconftest.Compare(t, "events", claimed(0, a), e.take())
	})
}

func TestTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := candidates(arp.MAC{2, 0, 0, 0, 0, 1})()
		e := &ether{has: func(x netip.Addr) bool { return x == taken }}
		a, b := start(t, e)
		netconftest.Pass(t, time.Minute)
		netconftest.Compare(t, "events", append([]string{"500ms probe " + a.String()}, claimed(500*time.Millisecond, b)...), e.take())
	})
}

// TestRace: two stations that probe for one address both go on to another.
func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{}
		a, b := start(t, e)
		netconftest.Pass(t, time.Second)
		e.say(arp.Probe(arp.MAC{2, 0, 0, 0, 0, 1}, a)) // its own, come back
		synctest.Wait()
		e.say(arp.Probe(other(), a))
		netconftest.Pass(t, time.Minute)
		netconftest.Compare(t, "events", append([]string{"500ms probe " + a.String()}, claimed(time.Second, b)...), e.take())
	})
}

func TestDefend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{}
		a, b := start(t, e)
		netconftest.Pass(t, 60*time.Second)
		e.take()
		conflict := arp.Announcement(other(), a)
		e.say(arp.Probe(other(), a)) // only asks; the kernel answers
		e.say(conflict)
		synctest.Wait()
		netconftest.Compare(t, "the first conflict", []string{"1m0s announce " + a.String()}, e.take())
		netconftest.Pass(t, 20*time.Second)
		e.say(conflict)
		synctest.Wait()
		netconftest.Compare(t, "a late second one", []string{"1m20s announce " + a.String()}, e.take())
		netconftest.Pass(t, 5*time.Second)
		e.say(conflict)
		netconftest.Pass(t, time.Minute)
		netconftest.Compare(t, "one too many", append([]string{"1m25s has none"}, claimed(85*time.Second, b)...), e.take())
	})
}

// TestRateLimit: where everything is taken, an address is tried each minute.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{has: func(netip.Addr) bool { return true }}
		start(t, e)
		netconftest.Pass(t, 5*time.Second)
		if n := len(e.take()); n != maxConflicts {
			t.Errorf("%d probes, want %d", n, maxConflicts)
		}
		netconftest.Pass(t, 10*time.Minute)
		if n := len(e.take()); n != 9 { // one each 60.5 s
			t.Errorf("%d probes in ten minutes", n)
		}
	})
}

// TestBrokenSocket: the address goes with the socket, and comes back with it.
func TestBrokenSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{}
		a, _ := start(t, e)
		netconftest.Pass(t, 10*time.Second)
		e.take()
		e.mu.Lock()
		e.refuse = errors.New("no such device")
		close(e.last.broken)
		e.mu.Unlock()
		netconftest.Pass(t, 5*time.Second)
		netconftest.Compare(t, "events", []string{"10s has none"}, e.take())
		e.mu.Lock()
		e.refuse = nil
		e.mu.Unlock()
		netconftest.Pass(t, 20*time.Second)
		netconftest.Compare(t, "events", claimed(17*time.Second, a), e.take())
		e.mu.Lock()
		close(e.last.broken) // the pauses begin anew
		e.mu.Unlock()
		netconftest.Pass(t, 20*time.Second)
		netconftest.Compare(t, "events", append([]string{"35s has none"}, claimed(36*time.Second, a)...), e.take())
	})
}

func TestNoEthernet(t *testing.T) {
	err := New(Options{}).Run(t.Context(), netconf.Link{LinkID: netconf.LinkID{Name: "ib0"}, MAC: "00:00:00:00:00:00:00:01"}, nil)
	if err == nil || err.Error() != `link-local address on ib0: "00:00:00:00:00:00:00:01" is not an Ethernet address` {
		t.Errorf("error: %v", err)
	}
}

func TestCandidates(t *testing.T) {
	next, again := candidates(arp.MAC{2, 0, 0, 0, 0, 1}), candidates(arp.MAC{2, 0, 0, 0, 0, 1})
	different := map[netip.Addr]bool{}
	for range 10000 {
		a := next()
		if a != again() {
			t.Fatal("one MAC address has two sequences")
		}
		if b := a.As4(); !a.IsLinkLocalUnicast() || b[2] == 0 || b[2] == 255 || b[2] == 169 {
			t.Fatalf("candidate %s", a)
		}
		different[a] = true
	}
	if len(different) < 8000 {
		t.Errorf("%d different addresses of 10000", len(different))
	}
	if x := candidates(arp.MAC{2, 0, 0, 0, 0, 2})(); x == candidates(arp.MAC{2, 0, 0, 0, 0, 1})() {
		t.Errorf("two MAC addresses begin with %s", x)
	}
}
