// Package pid1 owns what only the first process can do: reaping, keeping the
// manager and the watchdog alive, and ending the machine. It refuses
// everything that the manager can do: it reads no configuration and starts
// nothing but the manager and the recovery console.
package pid1

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

const (
	orderedShutdown = 90 * time.Second  // the manager has, if it asks for no other
	longestShutdown = 600 * time.Second // that it may ask for
	feedInterval    = 5 * time.Second
)

// Feeder is the watchdog. Feed also opens the device if it is there by now.
type Feeder interface {
	Feed()
}

// PID1 is the first process's main loop. All fields must be set before Run.
type PID1 struct {
	Log      *slog.Logger
	Start    func() (*Process, error)
	Signals  <-chan os.Signal
	Button   <-chan struct{} // the power button was pressed
	Watchdog Feeder
	Appeared <-chan struct{} // a watchdog device has come
	// Crashed tells the person at the console; it must not block.
	Crashed func(reason string, lastWords []string, loop bool)

	vitals  vitals
	process *Process
	ending  linux.Action // empty until a shutdown was asked for
}

// Run keeps the manager running until the machine is to end, and returns how.
// After a panic of its own it goes on where it was.
func (p *PID1) Run(ctx context.Context) linux.Action {
	for ctx.Err() == nil {
		if action, ok := p.guarded(ctx); ok {
			return action
		}
	}
	return linux.Reboot
}

func (p *PID1) guarded(ctx context.Context) (action linux.Action, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			p.Log.Error("panic in PID 1", "value", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	return p.loop(ctx), true
}

func (p *PID1) loop(ctx context.Context) linux.Action {
	restart := time.NewTimer(0)
	deadline := time.NewTimer(orderedShutdown)
	if p.ending == "" {
		deadline.Stop()
	}
	if p.process != nil {
		restart.Stop()
	}
	feed := time.NewTicker(feedInterval)
	defer feed.Stop()
	p.Watchdog.Feed()

	for {
		var exit <-chan syscall.WaitStatus
		var messages <-chan Message
		if p.process != nil {
			exit, messages = p.process.Exit, p.process.Messages
		}
		select {
		case <-ctx.Done():
			return linux.Reboot
		case <-restart.C:
			if delay := p.start(); delay > 0 {
				restart.Reset(delay)
			}
		case m, ok := <-messages:
			switch {
			case !ok:
				p.process.Messages = nil // closed; its exit follows
			case m.Alive:
				p.vitals.heartbeat(time.Now())
			case m.Done != "":
				p.Log.Info("manager is done", "action", string(m.Done))
				return m.Done
			case m.Deadline > 0:
				p.announced(m)
				deadline.Reset(m.Deadline)
			}
		case status := <-exit:
			if action := lastWord(p.process.Messages); action != "" {
				return action
			}
			delay := p.exited(describe(status))
			if p.ending != "" {
				return p.ending
			}
			restart.Reset(delay)
		case <-deadline.C:
			p.Log.Error("ordered shutdown took too long, forcing it")
			return p.ending
		case s := <-p.Signals:
			if p.end(actionOf(s), s.String()) {
				deadline.Reset(orderedShutdown)
			}
		case <-p.Button:
			if p.end(linux.Poweroff, "power button") {
				deadline.Reset(orderedShutdown)
			}
		case <-p.Appeared:
			p.Watchdog.Feed()
		case <-feed.C:
			// A shutdown is bounded by its own deadline.
			if p.ending != "" || p.vitals.fresh(time.Now()) {
				p.Watchdog.Feed()
			}
		}
		if p.ending != "" && p.process == nil {
			return p.ending // nobody there to do it in order
		}
	}
}

// start returns 0, or after how long to try again.
func (p *PID1) start() time.Duration {
	process, err := p.Start()
	p.vitals.start(time.Now())
	if err != nil {
		return p.exited(err.Error())
	}
	p.process = process
	p.Log.Info("manager started", "pid", process.PID)
	return 0
}

// exited records the end of the manager and returns when to start it again.
func (p *PID1) exited(reason string) time.Duration {
	var lastWords []string
	if p.process != nil {
		lastWords = p.process.Tail()
	}
	p.process = nil
	delay, loop := p.vitals.exit(time.Now())
	p.Log.Warn("manager ended", "reason", reason, "restart_in", delay, "crash_loop", loop)
	if p.ending == "" {
		p.Crashed(reason, lastWords, loop)
	}
	return delay
}

// announced takes note of a shutdown that the manager has begun by itself. If
// it hangs in it and has not said how it is to end, the machine restarts:
// somebody who wanted it off can still switch it off.
func (p *PID1) announced(m Message) {
	if p.ending != "" {
		return
	}
	p.ending = linux.Reboot
	if m.Action != "" {
		p.ending = m.Action
	}
	p.Log.Warn("manager shuts down", "deadline", m.Deadline)
}

// lastWord looks in what a manager that has exited said before for "done": its
// exit may be heard of first.
func lastWord(messages <-chan Message) linux.Action {
	timeout := time.After(time.Second) // a child of it may hold the line open
	for messages != nil {
		select {
		case m, ok := <-messages:
			if !ok {
				return ""
			}
			if m.Done != "" {
				return m.Done
			}
		case <-timeout:
			return ""
		}
	}
	return ""
}

// end asks the manager for an ordered shutdown; the first wish counts.
func (p *PID1) end(action linux.Action, why string) bool {
	if p.ending != "" {
		return false
	}
	p.ending = action
	p.Log.Warn("shutdown asked for", "action", string(action), "by", why)
	if p.process == nil {
		return true
	}
	if err := p.process.Send("shutdown " + string(action)); err != nil {
		p.Log.Error("manager does not listen", "err", err)
	}
	return true
}

// Notify returns the signals that Run wants to get: what Ctrl-Alt-Del, a power
// failure daemon, and kill(1) in the recovery shell send.
func Notify() <-chan os.Signal {
	c := make(chan os.Signal, 4)
	signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGPWR)
	return c
}

func actionOf(s os.Signal) linux.Action {
	if s == unix.SIGINT {
		return linux.Reboot
	}
	return linux.Poweroff
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
