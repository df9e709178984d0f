package netconf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// maxPasses bounds how often one event may lead to changes: links up, then
// routes that the kernel dropped together with a replaced address.
const maxPasses = 4

// Options of a Manager.
type Options struct {
	Log *slog.Logger // nil discards
	// LinkTimeout is how long a configured link or its carrier may be missing
	// before that counts as a problem; 0 is 10 s.
	LinkTimeout time.Duration
	// RetryInterval is the time until the second attempt at what the kernel
	// refused; it doubles with each, up to sixteenfold. 0 is 5 s.
	RetryInterval time.Duration
}

// Manager keeps the kernel's network as the Spec and the leases say.
type Manager struct {
	kernel Kernel
	dhcp   DHCP
	names  NameWriter
	opts   Options
	log    *slog.Logger

	specs  chan Spec       // capacity 1, the newest wins
	leases chan portStatus // from DHCP clients

	// The following belong to Run's goroutine.
	spec     Spec
	applied  time.Time // when spec came; zero: none yet
	ports    map[int]*port
	links    []Link  // as last seen
	routes   []Route // as last seen
	written  Names
	applyErr error
	retries  int       // of what has been refused
	retryAt  time.Time // the next one

	mu      sync.Mutex // guards the following
	state   State
	changed chan struct{}
	begun   time.Time
}

// New returns a Manager that does nothing until Run, and nothing but bringing
// up the loopback link until Apply.
func New(kernel Kernel, dhcp DHCP, names NameWriter, opts Options) *Manager {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.LinkTimeout == 0 {
		opts.LinkTimeout = 10 * time.Second
	}
	if opts.RetryInterval == 0 {
		opts.RetryInterval = 5 * time.Second
	}
	return &Manager{
		kernel: kernel, dhcp: dhcp, names: names, opts: opts,
		log:     opts.Log,
		specs:   make(chan Spec, 1),
		leases:  make(chan portStatus),
		ports:   make(map[int]*port),
		changed: make(chan struct{}),
	}
}

// Apply makes spec the desired state. It does not block; it may be called at
// any time, before Run too.
func (m *Manager) Apply(spec Spec) {
	m.mu.Lock() // two callers must not both drain and then both send
	defer m.mu.Unlock()
	select {
	case <-m.specs:
	default:
	}
	m.specs <- spec
}

// Run applies specs and reacts to links and leases until ctx ends. Addresses,
// routes and leases stay as they are then; a later Run adopts them.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := m.kernel.Subscribe(ctx)
	if err != nil {
		return fmt.Errorf("link events: %w", err)
	}
	m.mu.Lock()
	m.begun = time.Now()
	m.mu.Unlock()
	defer m.stopAll()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		look := true // whether the kernel has to be asked
		select {
		case <-ctx.Done():
			return ctx.Err()
		case spec := <-m.specs:
			m.spec, m.applied = spec, time.Now()
		case _, ok := <-events:
			if !ok {
				return errors.Join(ctx.Err(), errors.New("link events: subscription ended"))
			}
		case s := <-m.leases:
			look = m.leaseReport(s)
		case <-timer.C:
		}
		if look {
			m.reconcile(ctx)
		}
		timer.Stop()
		if wake := m.conclude(); !wake.IsZero() {
			timer.Reset(time.Until(wake))
		}
	}
}

// reconcile brings the kernel to the desired state as far as it lets itself
// be brought; m.applyErr says what is missing.
func (m *Manager) reconcile(ctx context.Context) {
	var plan Plan
	for range maxPasses {
		if m.applyErr = m.observe(); m.applyErr != nil {
			return
		}
		m.updatePorts(ctx, m.links)
		if plan = m.plan(); len(plan) == 0 {
			return
		}
		for _, op := range plan {
			m.log.Info("apply", "change", op.String())
		}
		if m.applyErr = plan.Apply(m.kernel); m.applyErr != nil {
			if err := m.observe(); err == nil {
				m.updatePorts(ctx, m.links)
			}
			return
		}
	}
	m.applyErr = fmt.Errorf("the kernel does not keep: %s", strings.ReplaceAll(strings.TrimSpace(plan.String()), "\n", "; "))
}

// observe asks the kernel for its state.
func (m *Manager) observe() error {
	links, err := m.kernel.Links()
	if err != nil {
		return err
	}
	routes, err := m.kernel.Routes()
	if err != nil {
		return err
	}
	m.links, m.routes = links, routes
	return nil
}

// plan computes what is to be done. Before the first Apply nobody knows what
// is wanted, except that the loopback link is to be up.
func (m *Manager) plan() Plan {
	var targets []Target
	links := m.links
	if m.applied.IsZero() {
		links = nil
		for _, l := range m.links {
			if l.Loopback {
				links = append(links, l)
				targets = append(targets, Target{Link: l.LinkID, Keep: true})
			}
		}
	}
	for _, l := range links {
		if p := m.ports[l.Index]; p != nil {
			t := target(l, p.spec, p.lease, p.adopted != nil)
			if m.spec.LinkLocal {
				t = withLinkLocal(t, l, p)
			}
			targets = append(targets, t)
		}
	}
	return Diff(targets, links, m.routes)
}

// conclude writes the names, publishes the state and returns when to look
// again at the latest; zero is never.
func (m *Manager) conclude() time.Time {
	err := errors.Join(m.applyErr, m.writeNames())
	state, wake := m.assess(m.linkStates(m.links, m.routes), err, time.Now())
	m.publish(state)
	if err == nil {
		m.retries, m.retryAt = 0, time.Time{}
		return wake
	}
	if now := time.Now(); !now.Before(m.retryAt) {
		m.retryAt = now.Add(m.opts.RetryInterval << min(m.retries, 4))
		m.retries++
	}
	if wake.IsZero() || m.retryAt.Before(wake) {
		wake = m.retryAt
	}
	return wake
}

// writeNames hands merged names on when they have changed.
func (m *Manager) writeNames() error {
	if m.applied.IsZero() {
		return nil
	}
	var leases []*Lease
	for _, l := range m.links {
		if p := m.ports[l.Index]; p != nil && p.lease != nil {
			leases = append(leases, p.lease)
		}
	}
	names := merge(m.spec, leases)
	if names.equal(m.written) {
		return nil
	}
	if err := m.names.Write(names); err != nil {
		return fmt.Errorf("names: %w", err)
	}
	m.written = names
	return nil
}
