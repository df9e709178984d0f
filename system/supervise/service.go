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
	name string
	opts Options
	log  *slog.Logger

	mu          sync.Mutex
	unit        unit.Unit
	info        Info
	want        bool                    // should run now
	goal        bool                    // what the last request wants in the end; a restart has want false and goal true
	living      bool                    // run is not idle
	ending      bool                    // a stop of the life in progress was requested
	lives       int                     // lives begun
	stops       int                     // lives ended as requested
	transitions int                     // calls of set; info.Events is bounded
	endLife     context.CancelCauseFunc // ends the life in progress; nil before the first
	changed     chan struct{}           // closed and renewed on every transition and request
	wake        chan struct{}           // buffered 1: want changed
}

func newService(u unit.Unit, opts Options) *service {
	return &service{
		name: u.Name, opts: opts, log: opts.Log.With("unit", u.Name), unit: u, want: true, goal: true, living: true,
		info:    Info{Unit: u, State: Waiting, Since: time.Now()},
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// set is the only place where a service's state changes.
func (s *service) set(state State, pid int, message string) {
	s.mu.Lock()
	s.transitions++
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
	if state == Stopped && s.ending {
		s.stops++
		s.living, s.ending = false, false
	}
	s.notify()
	s.mu.Unlock()
	level := slog.LevelInfo
	if state == Failed || state == CrashLooping {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "unit "+string(state), "message", message, "pid", pid)
	if s.opts.OnEvent != nil {
		s.opts.OnEvent(s.name, e)
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
		life, next := s.next(ctx)
		switch next {
		case stop:
			s.set(Stopped, 0, "stopped")
			continue
		case idle:
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
	}
}

// errStop is the cause of a life that was ended by Stop.
var errStop = errors.New("asked to stop")

// What run does next.
type next int

const (
	live next = iota // another life
	stop             // record that the service has stopped as requested
	idle             // wait for a request
)

// next returns what comes now, and the context of the next life.
func (s *service) next(ctx context.Context) (context.Context, next) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ending:
		return nil, stop
	case !s.want:
		s.living = false
		return nil, idle
	}
	life, cancel := context.WithCancelCause(ctx)
	s.endLife, s.living = cancel, true
	s.lives++
	return life, live
}

// settle applies the restart policy to a life that ended by itself; it reports
// whether another one follows.
func (s *service) settle(err error) bool {
	switch restart := s.snapshot().Unit.Restart; {
	case restart == unit.RestartNever && err != nil:
		if s.finish() {
			s.set(Failed, 0, err.Error())
		}
	case restart == unit.RestartNever, restart == unit.RestartOnFailure && err == nil:
		if s.finish() {
			s.set(Stopped, 0, "finished")
		}
	default:
		return true
	}
	return false
}

// finish ends the service with its life, unless a stop was requested, which
// says itself what comes next.
func (s *service) finish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return false
	}
	s.want, s.living = false, false
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
