package keep

import (
	"context"
	"log/slog"
	"syscall"
	"time"
)

// Backoff is the pause before a restart: it doubles from Min to Max and
// starts over after a run of at least Healthy. Zero fields are 100 ms, 10 s
// and 60 s.
type Backoff struct {
	Min, Max, Healthy time.Duration
	last              time.Duration
}

// Next is the pause after a run that took so long.
func (b *Backoff) Next(ran time.Duration) time.Duration {
	shortest, longest, healthy := orElse(b.Min, 100*time.Millisecond), orElse(b.Max, 10*time.Second), orElse(b.Healthy, time.Minute)
	switch {
	case b.last == 0 || ran >= healthy:
		b.last = shortest
	default:
		b.last = min(2*b.last, longest)
	}
	return b.last
}

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// Daemon is a child that is kept running.
type Daemon struct {
	Name    string
	Command Command
	// Before, when set, runs before each start: remove what a killed
	// predecessor left. It may change the command. Its error counts as a
	// failed start.
	Before func(*Command) error
	// Started, when set, is told of each start.
	Started func(*Process)
	// StopTimeout is the time from SIGTERM to SIGKILL; 0 is 10 s.
	StopTimeout time.Duration
	Backoff     Backoff
}

// Keep runs d until ctx ends, then stops it and returns.
func (r *Reaper) Keep(ctx context.Context, d Daemon, log *slog.Logger) {
	log = log.With("daemon", d.Name)
	backoff := d.Backoff
	for ctx.Err() == nil {
		begin := time.Now()
		r.once(ctx, d, log)
		if ctx.Err() != nil {
			return
		}
		pause := time.NewTimer(backoff.Next(time.Since(begin)))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// once is one run of d, to its end.
func (r *Reaper) once(ctx context.Context, d Daemon, log *slog.Logger) {
	if d.Before != nil {
		if err := d.Before(&d.Command); err != nil {
			log.Error("not started", "error", err)
			return
		}
	}
	p, err := r.Start(d.Command)
	if err != nil {
		log.Error("not started", "error", err)
		return
	}
	log.Info("started", "pid", p.PID)
	if d.Started != nil {
		d.Started(p)
	}
	select {
	case <-p.Done():
		log.Warn("ended", "pid", p.PID, "status", p.Status().String())
	case <-ctx.Done():
		p.Stop(orElse(d.StopTimeout, 10*time.Second))
		log.Info("stopped", "pid", p.PID, "status", p.Status().String())
	}
}

// Stop sends SIGTERM, after timeout SIGKILL, and returns when the process has
// ended.
func (p *Process) Stop(timeout time.Duration) {
	p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.Done():
		return
	case <-timer.C:
	}
	p.Signal(syscall.SIGKILL)
	<-p.Done()
}
