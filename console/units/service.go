package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

// outcome is how a run of a service ended.
type outcome struct {
	err  error  // nil: well
	kind string // of the error: exit, signal, timeout, start, dependency
	note string // why it did not run at all
}

func (o outcome) text() string {
	switch {
	case o.err != nil:
		return o.err.Error()
	case o.note != "":
		return o.note
	}
	return "ended"
}

// service is the life of a service, until it ends for good or ctx does.
func (r *Runner) service(ctx context.Context, u *unit) {
	s := u.spec.Service
	backoff := keep.Backoff{Min: max(s.RestartDelay, time.Millisecond), Max: max(s.RestartDelay, 10*time.Second)}
	var starts []time.Time
	for {
		begin := time.Now()
		starts = append(starts, begin)
		end := r.once(ctx, u)
		if ctx.Err() != nil {
			r.set(u, Inactive, "stopped")
			return
		}
		if !restarts(s.Restart, end) {
			if end.err != nil {
				r.set(u, Failed, end.text())
			} else {
				r.set(u, Inactive, end.text())
			}
			return
		}
		starts = slices.DeleteFunc(starts, func(t time.Time) bool { return time.Since(t) >= u.spec.StartLimitTime })
		if limit := u.spec.StartLimitBurst; limit > 0 && len(starts) >= limit {
			r.set(u, Failed, fmt.Sprintf("%s; started %d times in %v", end.text(), len(starts), u.spec.StartLimitTime))
			return
		}
		pause := backoff.Next(time.Since(begin))
		r.mu.Lock()
		u.last = end.text()
		if u.restarts++; time.Since(begin) >= time.Minute {
			u.restarts = 1
		}
		r.mu.Unlock()
		r.set(u, Restarting, end.text())
		if !wait(ctx, pause) {
			r.set(u, Inactive, "stopped")
			return
		}
	}
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// restarts is the table of Restart= in systemd.service(5).
func restarts(policy string, o outcome) bool {
	if o.kind == "dependency" || o.kind == "condition" {
		return false
	}
	switch policy {
	case "always":
		return true
	case "on-success":
		return o.err == nil
	case "on-failure":
		return o.err != nil
	case "on-abnormal":
		return o.err != nil && (o.kind == "signal" || o.kind == "timeout")
	case "on-abort":
		return o.err != nil && o.kind == "signal"
	}
	return false
}

// once is one run: everything from ExecStartPre to ExecStopPost.
func (r *Runner) once(ctx context.Context, u *unit) outcome {
	if end := r.order(ctx, u); end.err != nil {
		r.decide(u, false)
		return end
	}
	if failed := r.conditions(u.spec.Conditions); failed != "" {
		r.decide(u, true) // as in systemd, others go on
		return outcome{kind: "condition", note: failed + " does not hold"}
	}
	r.set(u, Starting, "")
	run, err := r.prepare(u)
	if err != nil {
		r.decide(u, false)
		return outcome{kind: "start", err: err}
	}
	end := run.start(ctx)
	if end.err == nil && ctx.Err() == nil {
		r.decide(u, true)
		end = run.stay(ctx)
	}
	r.decide(u, false) // when it is not decided yet
	return run.stop(ctx, end)
}

// order waits until what must come before has come.
func (r *Runner) order(ctx context.Context, u *unit) outcome {
	r.mu.Lock()
	names, needed := slices.Clone(u.before), slices.Concat(u.spec.Requires, u.spec.BindsTo)
	r.mu.Unlock()
	for _, name := range names {
		r.mu.Lock()
		other := r.units[name]
		var job chan struct{}
		if other != nil {
			job = other.job
		}
		r.mu.Unlock()
		known, isKnown := coreunit.KnownUnit(name)
		switch {
		case other != nil && job != nil:
			if !closed(job) {
				r.set(u, Waiting, "for "+name)
			}
			select {
			case <-ctx.Done():
				return outcome{err: errStopped, kind: "dependency"}
			case <-job:
			}
			r.mu.Lock()
			good := other.good
			r.mu.Unlock()
			if slices.Contains(needed, name) && !good {
				return outcome{err: fmt.Errorf("%s, which it requires, did not start", name), kind: "dependency"}
			}
		case other == nil && isKnown && !known.Ready:
			r.set(u, Waiting, "for "+name)
			tell := time.AfterFunc(longWait, r.changed) // now it is a problem
			err := r.o.Ready(ctx, known)
			tell.Stop()
			if err != nil {
				return outcome{err: fmt.Errorf("%s: %w", name, err), kind: "dependency"}
			}
		}
	}
	return outcome{}
}

// dependents waits until all that come after a unit and were asked to end
// have ended: stopping goes backwards.
func (r *Runner) dependents(u *unit) {
	r.mu.Lock()
	var later []chan struct{}
	for _, other := range r.units {
		if other != u && other.cancel != nil && closed(other.asked) && slices.Contains(other.before, u.name) {
			later = append(later, other.ended)
		}
	}
	r.mu.Unlock()
	for _, ended := range later {
		<-ended
	}
}

// judge makes an outcome of how a process ended.
func judge(s *coreunit.Service, status keep.Status) outcome {
	w := unix.WaitStatus(status)
	if w.Signaled() {
		name := unix.SignalName(w.Signal())
		clean := []string{"SIGHUP", "SIGINT", "SIGTERM", "SIGPIPE"}
		if slices.Contains(clean, name) || slices.Contains(s.SuccessSignals, name) {
			return outcome{}
		}
		return outcome{err: errors.New(status.String()), kind: "signal"}
	}
	if status.OK() || slices.Contains(s.SuccessCodes, w.ExitStatus()) {
		return outcome{}
	}
	return outcome{err: errors.New(status.String()), kind: "exit"}
}
