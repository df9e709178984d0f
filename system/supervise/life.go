package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pharos-os/pharos/system/unit"
)

// live is one run: wait for the conditions, start or adopt, become ready, wait
// for the end. When life ends first, the container is stopped.
func (s *service) live(life context.Context) error {
	u := s.snapshot().Unit
	if err := s.awaitConditions(life, u); err != nil {
		return err
	}
	proc, adopted, err := s.opts.Runner.Adopt(life, u)
	if err != nil {
		s.log.Warn("cannot tell whether the container runs already", "error", err)
	}
	if !adopted {
		s.set(Starting, 0, "starting")
		if proc, err = s.opts.Runner.Start(life, u); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	s.set(Starting, proc.PID(), "waits to be ready")
	return s.watch(life, u, proc)
}

// errUnhealthy ends a life whose health check failed three times in a row.
var errUnhealthy = errors.New("health check failed three times")

// watch follows a started container to its end.
func (s *service) watch(life context.Context, u unit.Unit, proc Process) error {
	watch, cancel := context.WithCancelCause(life)
	defer cancel(nil)
	type end struct {
		code uint32
		err  error
	}
	ended := make(chan end, 1)
	waitCtx, stopWait := context.WithCancel(context.WithoutCancel(life))
	defer stopWait()
	go func() {
		code, err := proc.Wait(waitCtx)
		ended <- end{code, err}
	}()
	ready := make(chan error, 1)
	if !u.Ready.Exit {
		go func() { ready <- awaitReady(watch, u.Ready, s.opts.Check) }()
	}
	unhealthy := make(chan struct{})
	for {
		select {
		case err := <-ready:
			if life.Err() != nil {
				continue
			}
			if err != nil {
				s.stopProcess(life, u, proc)
				return err
			}
			s.set(Running, proc.PID(), "running")
			if !u.Health.IsZero() {
				go s.health(watch, u, unhealthy)
			}
		case <-unhealthy:
			s.stopProcess(life, u, proc)
			return errUnhealthy
		case e := <-ended:
			if err := proc.Delete(context.WithoutCancel(life)); err != nil {
				s.log.Warn("cannot delete the container", "error", err)
			}
			if e.err != nil {
				return fmt.Errorf("wait: %w", e.err)
			}
			if e.code != 0 {
				return fmt.Errorf("ended with code %d", e.code)
			}
			return nil
		case <-life.Done():
			if errors.Is(context.Cause(life), errStop) {
				s.set(Stopping, proc.PID(), "asked to end")
				s.stopProcess(life, u, proc)
			} // else the manager goes and the container stays
			return context.Cause(life)
		}
	}
}

func (s *service) health(ctx context.Context, u unit.Unit, unhealthy chan<- struct{}) {
	every := u.HealthEvery
	if every == 0 {
		every = 30 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for failures := 0; failures < 3; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := s.opts.Check(ctx, u.Health); err != nil {
			failures++
			s.log.Warn("health check failed", "error", err, "failures", failures)
		} else {
			failures = 0
		}
	}
	close(unhealthy)
}

// defaultStopTimeout is the grace of a unit that names none.
const defaultStopTimeout = 10 * time.Second

// killTimeout bounds the wait for a process after SIGKILL: one in
// uninterruptible sleep must not hold a shutdown up.
const killTimeout = 5 * time.Second

// stopProcess asks the container to end, then makes it.
func (s *service) stopProcess(ctx context.Context, u unit.Unit, proc Process) {
	ctx = context.WithoutCancel(ctx)
	signal, grace := u.StopSignal, u.StopTimeout
	if signal == "" {
		signal = "SIGTERM"
	}
	if grace == 0 {
		grace = defaultStopTimeout
	}
	for _, try := range []struct {
		signal string
		wait   time.Duration
	}{{signal, grace}, {"SIGKILL", killTimeout}} {
		wait, cancel := context.WithTimeout(ctx, try.wait)
		if err := proc.Kill(wait, try.signal); err != nil {
			s.log.Warn("cannot signal the unit", "signal", try.signal, "error", err)
		}
		_, err := proc.Wait(wait)
		cancel()
		if err == nil {
			break
		}
		s.log.Warn("unit did not end in time", "signal", try.signal, "waited", try.wait)
	}
	del, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if err := proc.Delete(del); err != nil {
		s.log.Warn("cannot delete the container", "error", err)
	}
}

// awaitConditions waits for everything that the unit requires, saying for what.
func (s *service) awaitConditions(ctx context.Context, u unit.Unit) error {
	for _, name := range u.Requires {
		c := s.opts.Condition(name)
		if c == nil {
			return fmt.Errorf("unit %s requires %q, which nothing provides", u.Name, name)
		}
		if g, ok := c.(*Gate); ok && g.IsOpen() {
			continue
		}
		s.set(Waiting, 0, "waits for "+c.String())
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
