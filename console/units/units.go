// Package units runs the units of coreos.units inside the console: services
// and timers in the form of systemd's, with its order, its phases and its
// restart policies. It refuses everything that package coreunit does not
// read, and units that others bring: it knows no systemd and no files of it.
package units

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

// Process is a running command; *keep.Process is one.
type Process interface {
	Done() <-chan struct{}
	Status() keep.Status
	Signal(sig syscall.Signal) error
}

// Options is what a Runner needs of the place in which it runs.
type Options struct {
	Log    *slog.Logger
	Output io.Writer // what commands print, a line at a time; nil is standard output
	Root   string    // prefix of paths that are read or written; empty is /
	// Hostname is what %H stands for.
	Hostname string
	// Start starts a command.
	Start func(c keep.Command) (Process, error)
	// Ready waits for docker.service or network-online.target; nil asks the
	// engine's socket and the kernel's routes.
	Ready func(ctx context.Context, known coreunit.Known) error
	// Booted is when the system started, for OnBootSec.
	Booted time.Time
	// Covered, when set, reports whether a path is in the place of a mount
	// that has not come: it is a mount point, and not the one that is meant.
	Covered func(path string) bool
	// Changed, when set, is told that Status and Problems have changed. It
	// must not start or stop anything, and several goroutines call it at once.
	Changed func()
}

// Runner runs units.
type Runner struct {
	o       Options
	mu      sync.Mutex
	units   map[string]*unit
	faults  []string // sentences about units that cannot run as they stand
	running sync.WaitGroup
	output  sync.Mutex
	env     []string
	down    bool // nothing starts any more
}

// New makes a Runner without units.
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Output == nil {
		o.Output = os.Stdout
	}
	if o.Root == "" {
		o.Root = "/"
	}
	r := &Runner{o: o, units: map[string]*unit{}}
	if r.o.Ready == nil {
		r.o.Ready = r.ready
	}
	return r
}

// SetEnvironment sets what commands that start from now on have in their
// environment, NAME=VALUE, beside what their units say.
func (r *Runner) SetEnvironment(env []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.env = slices.Clone(env)
}

// unit is one unit of the plan. Its fields are guarded by Runner.mu.
type unit struct {
	name   string
	spec   coreunit.Unit
	source any      // what it was made of, to see whether it changed
	masked bool     // never starts
	refuse bool     // does not start as long as the plan is what it is
	before []string // names that must be up first
	boot   bool     // starts by itself

	state    State
	text     string
	since    time.Time
	restarts int
	last     string // why it was restarted

	began  bool               // a start was asked for, ever
	job    chan struct{}      // closed when the last start is decided
	good   bool               // how it was decided
	cancel context.CancelFunc // ends it; nil: it does not run
	asked  <-chan struct{}    // closed when it is to end
	ended  chan struct{}      // closed when it has ended

	lastActive, lastIdle time.Time
	wake                 chan struct{} // of a timer: its service began or ended
}

// set changes a unit's state; the lock is not held.
func (r *Runner) set(u *unit, s State, text string) {
	r.mu.Lock()
	r.setLocked(u, s, text)
	r.mu.Unlock()
	r.changed()
}

func (r *Runner) setLocked(u *unit, s State, text string) {
	was := u.state
	u.state, u.text, u.since = s, text, time.Now()
	switch s {
	case Active, Exited:
		u.lastActive = u.since
	case Inactive, Failed:
		if was != Inactive && was != Failed {
			u.lastIdle = u.since
		}
	}
	r.wakeTimers(u)
	level := slog.LevelInfo
	if s == Failed {
		level = slog.LevelError
	}
	r.o.Log.Log(context.Background(), level, "unit", "name", u.name, "state", string(s), "why", text)
}

// wakeTimers lets the timers of a service look at it again; the lock is held.
func (r *Runner) wakeTimers(u *unit) {
	for _, other := range r.units {
		if other.spec.Timer != nil && other.spec.Timer.Unit == u.name {
			select {
			case other.wake <- struct{}{}:
			default: // it will look in any case
			}
		}
	}
}

func (r *Runner) changed() {
	if r.o.Changed != nil {
		r.o.Changed()
	}
}

// decide says how a start went to all who wait for it.
func (r *Runner) decide(u *unit, good bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !closed(u.job) {
		u.good = good
		close(u.job)
	}
}

// start starts a unit with all that it wants; the lock is held. What runs
// already is left alone.
func (r *Runner) start(ctx context.Context, u *unit) {
	if u.cancel != nil || u.masked || u.refuse || r.down || ctx.Err() != nil {
		return
	}
	own, cancel := context.WithCancel(ctx)
	u.cancel, u.asked, u.began = cancel, own.Done(), true
	u.job, u.ended, u.good = make(chan struct{}), make(chan struct{}), false
	u.restarts, u.state, u.text = 0, Waiting, ""
	for _, name := range slices.Concat(u.spec.Requires, u.spec.BindsTo, u.spec.Wants) {
		if other := r.units[name]; other != nil {
			r.start(ctx, other)
		}
	}
	r.running.Go(func() {
		defer cancel()
		if u.spec.Timer != nil {
			r.timer(ctx, own, u)
		} else {
			r.service(own, u)
		}
		r.decide(u, false)
		r.mu.Lock()
		u.cancel = nil
		r.wakeTimers(u)
		close(u.ended)
		failed := u.state == Failed
		r.mu.Unlock()
		r.after(ctx, u, failed)
	})
}

// after is what the end of a unit means for others.
func (r *Runner) after(ctx context.Context, u *unit, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.units {
		if slices.Contains(other.spec.BindsTo, u.name) && other.cancel != nil {
			other.cancel()
		}
	}
	if failed {
		for _, name := range u.spec.OnFailure {
			if other := r.units[name]; other != nil {
				r.start(ctx, other)
			}
		}
	}
}

// stop asks a unit to end, and those that cannot be without it; the lock is
// held.
func (r *Runner) stop(u *unit) {
	if u.cancel == nil {
		return
	}
	u.cancel()
	for _, other := range r.units {
		needs := slices.Contains(other.spec.Requires, u.name) || slices.Contains(other.spec.BindsTo, u.name) ||
			slices.Contains(other.spec.PartOf, u.name)
		if needs && other.cancel != nil && !closed(other.asked) {
			r.stop(other)
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Stop stops all units, those that come last first, and returns when the last
// has ended. Nothing starts after it.
func (r *Runner) Stop() {
	r.mu.Lock()
	r.down = true
	for _, u := range r.units {
		if u.cancel != nil {
			u.cancel()
		}
	}
	r.mu.Unlock()
	r.running.Wait()
}

// errStopped says that a unit was asked to end before it was up.
var errStopped = errors.New("asked to stop")
