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

// State is where a service stands.
type State string

// The states of a service and what leads out of each.
const (
	Waiting      State = "waiting"       // for its conditions
	Starting     State = "starting"      // the container is made; not ready yet
	Running      State = "running"       // ready
	Stopping     State = "stopping"      // asked to end
	Stopped      State = "stopped"       // ended as asked, or a one-shot that succeeded
	Failed       State = "failed"        // ended and will not be restarted, or waits to be
	CrashLooping State = "crash-looping" // fails again and again; is still retried
)

// Event is one transition of a service.
type Event struct {
	Time    time.Time
	State   State
	Message string
}

// Info is a snapshot of a service.
type Info struct {
	Unit     unit.Unit
	State    State
	Since    time.Time
	PID      int
	Restarts int
	Message  string
	Events   []Event
}

// maxEvents bounds a service's history.
const maxEvents = 50

// service is one unit and its state machine.
type service struct {
	opts Options
	log  *slog.Logger

	mu      sync.Mutex
	unit    unit.Unit
	info    Info
	want    bool                    // should run
	endLife context.CancelCauseFunc // ends the life in progress with errStop; nil before the first
	changed chan struct{}           // closed and renewed on every transition
	wake    chan struct{}           // buffered 1: want changed
}

func newService(u unit.Unit, opts Options) *service {
	return &service{
		opts: opts, log: opts.Log.With("unit", u.Name), unit: u, want: true,
		info:    Info{Unit: u, State: Waiting, Since: time.Now()},
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// set is the only place where a service's state changes.
func (s *service) set(state State, pid int, message string) {
	s.mu.Lock()
	now := time.Now()
	if s.info.State != state {
		s.info.Since = now
	}
	e := Event{now, state, message}
	s.info.State, s.info.PID, s.info.Message = state, pid, message
	s.info.Events = append(s.info.Events, e)
	if n := len(s.info.Events); n > maxEvents {
		s.info.Events = append([]Event(nil), s.info.Events[n-maxEvents:]...)
	}
	close(s.changed)
	s.changed = make(chan struct{})
	name := s.unit.Name
	s.mu.Unlock()
	level := slog.LevelInfo
	if state == Failed || state == CrashLooping {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "unit "+string(state), "message", message, "pid", pid)
	if s.opts.OnEvent != nil {
		s.opts.OnEvent(name, e)
	}
}

func (s *service) snapshot() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.info
	i.Unit = s.unit
	i.Events = append([]Event(nil), s.info.Events...)
	return i
}

// run keeps the service as wanted until ctx ends. A container that runs then
// is left alone: a manager that starts anew adopts it.
func (s *service) run(ctx context.Context) {
	backoff := s.opts.Backoff
	for ctx.Err() == nil {
		life, ok := s.newLife(ctx)
		if !ok {
			select {
			case <-s.wake:
				backoff.Reset()
			case <-ctx.Done():
			}
			continue
		}
		began := time.Now()
		err := s.live(life)
		if ctx.Err() != nil {
			return
		}
		if life.Err() == nil && s.settle(err) {
			s.pause(life, &backoff, time.Since(began), err)
		}
		if errors.Is(context.Cause(life), errStop) {
			s.set(Stopped, 0, "stopped")
		}
	}
}

// errStop is the cause of a life that was ended by Stop.
var errStop = errors.New("asked to stop")

// newLife returns the context of the next run, or false when none is wanted.
func (s *service) newLife(ctx context.Context) (context.Context, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.want {
		return nil, false
	}
	life, cancel := context.WithCancelCause(ctx)
	s.endLife = cancel
	return life, true
}

// settle applies the restart policy to a life that ended by itself; it reports
// whether another one follows.
func (s *service) settle(err error) bool {
	u := s.snapshot().Unit
	switch {
	case u.Restart == unit.RestartNever && err == nil, u.Restart == unit.RestartOnFailure && err == nil:
		s.setWant(false)
		s.set(Stopped, 0, "finished")
		return false
	case u.Restart == unit.RestartNever:
		s.setWant(false)
		s.set(Failed, 0, err.Error())
		return false
	}
	return true
}

// pause waits out the back-off before the next life.
func (s *service) pause(life context.Context, b *Backoff, ran time.Duration, err error) {
	d := b.Next(ran)
	state := Failed
	if b.Looping() {
		state = CrashLooping
	}
	msg := "ended with code 0"
	if err != nil {
		msg = err.Error()
	}
	s.mu.Lock()
	s.info.Restarts++
	s.mu.Unlock()
	s.set(state, 0, fmt.Sprintf("%s; restart in %s", msg, d))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-life.Done():
	}
}

func (s *service) setWant(want bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want = want
}
