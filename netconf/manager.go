package netconf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Options of a Manager.
type Options struct {
	Log *slog.Logger // nil discards
	// LinkTimeout is how long a configured link or its carrier may be missing
	// before that counts as a problem; 0 is 10 s.
	LinkTimeout time.Duration
	// RetryInterval is the time until the second attempt at what the kernel
	// refused; it doubles with each, up to sixteenfold. 0 is 5 s.
	RetryInterval time.Duration

	// What is nil is not used.
	DHCP6      DHCP6
	LinkLocal4 LinkLocal4 // for LinkSpec.IPv4LL
	Leases     LeaseStore
	Runner     Runner
}

// Manager keeps the kernel's network as the Spec and the leases say.
type Manager struct {
	kernel Kernel
	dhcp   DHCP
	names  NameWriter
	opts   Options
	log    *slog.Logger

	specs    chan Spec   // capacity 1, the newest wins
	reports  chan report // from clients and commands
	requests chan func() // to be called by Run's goroutine

	// The following belong to Run's goroutine.
	spec      Spec
	applied   time.Time // when spec came; zero: none yet
	pending   *Spec     // waits for its PreCmds
	inForce   bool      // the kernel has been as a spec says
	ports     map[int]*port
	graph     *graph // spec over the links as last seen
	seen      Observed
	written   Names
	namesAt   time.Time // when names are written after all; zero: they are
	trouble   trouble
	pre, post *commands         // those of the spec
	radios    map[string]string // by link: why it has not joined its Wi-Fi network
	running   sync.WaitGroup    // commands

	mu      sync.Mutex // guards the following
	state   State
	changed chan struct{}
	begun   time.Time
	ended   chan struct{} // closed when Run ends; nil: it does not run
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
		log:      opts.Log,
		specs:    make(chan Spec, 1),
		reports:  make(chan report),
		requests: make(chan func()),
		ports:    make(map[int]*port),
		radios:   make(map[string]string),
		graph:    newGraph(Spec{}, nil),
		changed:  make(chan struct{}),
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

// PlanFor says what Apply would change, and changes nothing. Commands are
// taken for done. The error says what cannot be done, or that Run does not
// run; the plan is valid in the first case.
func (m *Manager) PlanFor(spec Spec) (plan Plan, err error) {
	asked := m.ask(func() {
		var seen Observed
		if seen, err = m.observe(); err != nil {
			return
		}
		var sentences []string
		plan, sentences = Diff(m.desired(newGraph(spec, seen.Links), true), seen)
		for _, s := range sentences {
			err = errors.Join(err, errors.New(s))
		}
	})
	return plan, errors.Join(asked, err)
}

// Renew makes the DHCP clients of a link ask at once. It does not wait for an
// answer. The error names a link that there is not, or that has no client.
func (m *Manager) Renew(link string) (err error) {
	asked := m.ask(func() {
		for _, p := range m.ports {
			if p.link.Name == link {
				err = p.renew()
				return
			}
		}
		err = fmt.Errorf("renew %s: no link of that name is configured", link)
	})
	return errors.Join(asked, err)
}

// ask lets Run's goroutine call f, and waits for it.
func (m *Manager) ask(f func()) error {
	m.mu.Lock()
	ended := m.ended
	m.mu.Unlock()
	if ended == nil {
		return errors.New("the network manager does not run")
	}
	done := make(chan struct{})
	select {
	case m.requests <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-ended:
		return errors.New("the network manager has ended")
	}
}

// Run applies specs and reacts to links and leases until ctx ends. Addresses,
// routes and leases stay as they are then; a later Run adopts them.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer m.stopAll()
	defer cancel()
	events, err := m.kernel.Subscribe(ctx)
	if err != nil {
		return fmt.Errorf("link events: %w", err)
	}
	adverts, err := m.kernel.Adverts(ctx)
	if err != nil {
		m.log.Warn("no name servers from router advertisements", "error", err)
		adverts = nil
	}
	defer m.begin()()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		look := true // whether the kernel has to be asked
		select {
		case <-ctx.Done():
			return ctx.Err()
		case spec := <-m.specs:
			m.take(ctx, spec)
		case _, ok := <-events:
			if !ok {
				return errors.Join(ctx.Err(), errors.New("link events: subscription ended"))
			}
		case r := <-m.reports:
			look = m.report(r)
		case a, ok := <-adverts:
			look = false
			if !ok {
				adverts = nil
			} else {
				m.advert(a)
			}
		case f := <-m.requests:
			look = false
			f()
		case <-timer.C:
		}
		if look {
			m.reconcile(ctx)
		}
		timer.Stop()
		if wake := m.conclude(ctx, look); !wake.IsZero() {
			timer.Reset(time.Until(wake))
		}
	}
}

// begin notes that Run runs; what it returns, that it does not.
func (m *Manager) begin() func() {
	ended := make(chan struct{})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun, m.ended = time.Now(), ended
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ended = nil
		close(ended)
	}
}

// take makes spec the desired state once its PreCmds have run.
func (m *Manager) take(ctx context.Context, spec Spec) {
	m.pending = &spec
	m.pre = m.run(ctx, m.pre, "pre_cmds", "", spec.PreCmds)
	m.adopt()
}

// adopt makes the pending spec the current one, unless its commands still run.
func (m *Manager) adopt() {
	if m.pending == nil || !m.ran(m.pre, m.pending.PreCmds) {
		return
	}
	m.spec, m.applied, m.pending = *m.pending, time.Now(), nil
	m.spec.DHCPTimeout = cmp.Or(m.spec.DHCPTimeout, DefaultDHCPTimeout)
	m.trouble = trouble{}
}

// stopAll ends all clients and waits for the commands, whose context has
// ended.
func (m *Manager) stopAll() {
	for _, p := range m.ports {
		p.stop()
	}
	m.running.Wait()
}
