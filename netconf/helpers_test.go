package netconf_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

// leases6 stands in for DHCPv6, as leases does for DHCP.
type leases6 struct{ running[*fakeClient6] }

type fakeClient6 struct {
	request netconf.Lease6Request
	report  func(netconf.Lease6Status)
}

func (l *leases6) Run(ctx context.Context, request netconf.Lease6Request, report func(netconf.Lease6Status)) error {
	return l.run(ctx, request.Link.Name, &fakeClient6{request, report})
}

// tell lets a link's client report.
func (l *leases6) tell(t *testing.T, name string, s netconf.Lease6Status) {
	t.Helper()
	c := l.on(name)
	if c == nil {
		t.Fatalf("no DHCPv6 client runs on %s", name)
	}
	c.report(s)
	synctest.Wait()
}

// claims stands in for the claiming of link-local addresses.
type claims struct{ running[func(netip.Prefix)] }

func (c *claims) Run(ctx context.Context, link netconf.Link, report func(netip.Prefix)) error {
	return c.run(ctx, link.Name, report)
}

// shelf keeps leases in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string]*netconf.Lease
}

func (s *shelf) Load(id string) *netconf.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.kept[id]
	if l == nil || l.Expired(time.Now()) {
		return nil
	}
	left := *l
	left.Acquired = time.Time{}
	if l.Duration > 0 {
		left.Duration = time.Until(l.Acquired.Add(l.Duration))
	}
	return &left
}

func (s *shelf) Save(id string, lease *netconf.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = make(map[string]*netconf.Lease)
	}
	s.kept[id] = lease
	return nil
}

// hands runs commands: it remembers them, and those in stuck do not end
// before they are told the outcome.
type hands struct {
	mu    sync.Mutex
	ran   []string
	stuck map[string]chan error
}

func (h *hands) Run(ctx context.Context, args []string) error {
	command := strings.Join(args, " ")
	h.mu.Lock()
	h.ran = append(h.ran, command)
	wait := h.stuck[command]
	h.mu.Unlock()
	if wait == nil {
		return nil
	}
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commands returns what was run since the last time, sorted: links' commands
// run side by side.
func (h *hands) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ran := h.ran
	h.ran = nil
	slices.Sort(ran)
	return ran
}
