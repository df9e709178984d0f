package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pharos-os/pharos/system/unit"
)

// Options is what a Supervisor works with.
type Options struct {
	Runner Runner
	// Check asks a probe once; nil is the package's Check.
	Check func(context.Context, unit.Probe) error
	// Condition finds a condition by the name that units require; nil when unknown.
	Condition func(name string) Condition
	// OnEvent is told of every transition, in order for each unit.
	OnEvent func(name string, e Event)
	// Backoff is the restart spacing; the zero value is DefaultBackoff.
	Backoff Backoff
	Log     *slog.Logger
}

// Supervisor keeps a set of units as they should be.
type Supervisor struct {
	opts Options

	mu       sync.Mutex
	order    []string
	services map[string]*service
	running  context.Context // of Run; nil before
	closed   bool            // shutdown has begun: nothing starts any more
	wg       sync.WaitGroup
}

// New returns a supervisor without units.
func New(opts Options) *Supervisor {
	if opts.Check == nil {
		opts.Check = Check
	}
	if opts.Backoff == (Backoff{}) {
		opts.Backoff = DefaultBackoff()
	}
	return &Supervisor{opts: opts, services: map[string]*service{}}
}

var (
	// ErrUnknown is returned for a service that does not exist.
	ErrUnknown = errors.New("no such service")
	// ErrSuperseded ends a start or restart after which a stop was requested.
	ErrSuperseded = errors.New("superseded by a later stop")
	// ErrShutdown refuses new starts once the machine goes down.
	ErrShutdown = errors.New("the machine is shutting down")
)

// Run supervises until ctx ends and returns when no goroutine is left.
// Containers keep running.
func (s *Supervisor) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = ctx
	for _, name := range s.order {
		s.launch(s.services[name])
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.wg.Wait()
	return nil
}

// launch starts a service's goroutine; s.mu is held.
func (s *Supervisor) launch(svc *service) {
	ctx := s.running
	s.wg.Go(func() { svc.run(ctx) })
}

// Add takes a unit in and starts it as soon as its conditions hold.
func (s *Supervisor) Add(u unit.Unit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("unit %s: %w", u.Name, ErrShutdown)
	}
	if _, ok := s.services[u.Name]; ok {
		return fmt.Errorf("unit %s stands twice", u.Name)
	}
	svc := newService(u, s.opts)
	s.services[u.Name] = svc
	s.order = append(s.order, u.Name)
	if s.running != nil {
		s.launch(svc)
	}
	return nil
}

// Replace gives a service a new definition, which its next start uses.
func (s *Supervisor) Replace(u unit.Unit) error {
	svc, err := s.find(u.Name)
	if err != nil {
		return err
	}
	svc.mu.Lock()
	defer svc.mu.Unlock()
	svc.unit = u
	return nil
}

func (s *Supervisor) find(name string) (*service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if svc, ok := s.services[name]; ok {
		return svc, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
}

// List returns snapshots in the order in which units were added.
func (s *Supervisor) List() []Info {
	s.mu.Lock()
	names := append([]string(nil), s.order...)
	s.mu.Unlock()
	infos := make([]Info, 0, len(names))
	for _, name := range names {
		if svc, err := s.find(name); err == nil {
			infos = append(infos, svc.snapshot())
		}
	}
	return infos
}

// Get returns one snapshot.
func (s *Supervisor) Get(name string) (Info, error) {
	svc, err := s.find(name)
	if err != nil {
		return Info{}, err
	}
	return svc.snapshot(), nil
}

// Start makes a service run and waits until it does, fails, or ctx ends.
func (s *Supervisor) Start(ctx context.Context, name string) error {
	svc, err := s.find(name)
	if err != nil {
		return err
	}
	if err := s.open(name); err != nil {
		return err
	}
	started := svc.requestStart()
	svc.signal()
	return svc.await(ctx, started)
}

// open refuses starts once the machine goes down.
func (s *Supervisor) open(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("start %s: %w", name, ErrShutdown)
	}
	return nil
}

// Stop ends a service and waits until it has ended, even if another start was
// requested meanwhile.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	svc, err := s.find(name)
	if err != nil {
		return err
	}
	return svc.await(ctx, svc.requestStop(false))
}

// Renew ends the present life of a service, begins another one, and waits until
// the first has ended. Unlike Restart it starts nothing that somebody has
// stopped, and a stop that is requested later always counts.
func (s *Supervisor) Renew(ctx context.Context, name string) error {
	svc, err := s.find(name)
	if err != nil {
		return err
	}
	if err := s.open(name); err != nil {
		return err
	}
	ended := svc.requestRenewal()
	svc.signal()
	return svc.await(ctx, ended)
}

// restartTimeout bounds a restart that nobody waits for any more.
const restartTimeout = 10 * time.Minute

// Restart is Stop, then Start. It goes on when ctx ends: whoever restarts the
// console from a session of it is gone after the first half. A stop that is
// requested before the second half supersedes it.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	svc, err := s.find(name)
	if err != nil {
		return err
	}
	stopped := svc.requestStop(true) // here, so that requests count in the order in which they are made
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restartTimeout)
		defer cancel()
		done <- s.restart(ctx, svc, stopped)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Supervisor) restart(ctx context.Context, svc *service, stopped func() (bool, error)) error {
	if err := svc.await(ctx, stopped); err != nil {
		return err
	}
	if err := s.open(svc.name); err != nil {
		return err
	}
	started, err := svc.requestSecondHalf()
	if err != nil {
		return err
	}
	svc.signal()
	return svc.await(ctx, started)
}

// Shutdown refuses every later start.
func (s *Supervisor) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
