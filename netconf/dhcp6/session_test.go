package dhcp6_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp6"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

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
	client := dhcp6.New(dhcp6.Options{Open: w.dial, Random: func() uint32 { return 1 << 31 }, // no jitter
		Log: slog.New(slog.NewTextHandler(s, nil))})
	if request.Link.Index == 0 {
		request.Link = netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: "eth0"}, MAC: "02:00:00:00:00:01"}
	}
	request.Renew, request.Declined = s.renew, s.declined
	stop := netconftest.Go(t, func(ctx context.Context) error {
		return client.Run(ctx, request, func(r netconf.Lease6Status) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, r)
		})
	})
	s.stop = func() {
		stop()
		if n := w.sockets(); n != 0 {
			t.Errorf("%d sockets are open after Run", n)
		}
	}
	return s
}

func granted(p string, preferred, valid time.Duration) netconf.Granted {
	if !strings.Contains(p, "/") {
		p = fmt.Sprintf("%s/128", p)
	}
	return netconf.Granted{Prefix: netip.MustParsePrefix(p), Preferred: preferred, Valid: valid}
}
