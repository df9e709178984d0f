package units

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// stampDir holds when timers with Persistent= last fired.
const stampDir = "/var/lib/pharos/console/timers"

// look is how often a timer compares itself with the clock, which a time
// server may set.
const look = time.Minute

// apart is what lies between two starts at least: one after zero seconds of
// idleness would never end.
const apart = time.Second

// ticking is one timer that runs.
type ticking struct {
	r      *Runner
	u      *unit
	spec   *coreunit.Timer
	active time.Time      // since when
	last   time.Time      // it fired, by the calendar's reckoning
	rested time.Time      // before which it does not fire again
	fired  map[int64]bool // moments of OnBootSec and the like that have been
}

// timer is the life of a timer, until ctx ends. What it starts lives in outer.
func (r *Runner) timer(outer, ctx context.Context, u *unit) {
	if end := r.order(ctx, u); end.err != nil {
		r.set(u, Inactive, end.text())
		return
	}
	t := &ticking{r: r, u: u, spec: u.spec.Timer, active: time.Now(), fired: map[int64]bool{}}
	t.last = t.stamp()
	r.set(u, Active, "")
	r.decide(u, true)
	for t.sleep(ctx) {
		t.fire(outer)
	}
	r.set(u, Inactive, "stopped")
}

// sleep waits for the timer's next moment; false when ctx ended. The moment
// is computed again and again: the clock may have been set, or the service
// may have run.
func (t *ticking) sleep(ctx context.Context) bool {
	var delay time.Duration
	if t.spec.RandomDelay > 0 {
		delay = rand.N(t.spec.RandomDelay)
	}
	for {
		at, ok := t.next()
		pause := look
		if ok {
			if pause = min(look, max(time.Until(at.Add(delay)), time.Until(t.rested))); pause <= 0 {
				return true
			}
		}
		begin := time.Now()
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-t.u.wake:
			timer.Stop()
		case <-timer.C:
		}
		now := time.Now()
		// The wall clock and the other one differ: it was set.
		if set := now.Round(0).Sub(begin.Round(0)) - now.Sub(begin); set.Abs() > 2*time.Second {
			t.clockSet(now)
		}
	}
}

// clockSet goes on from now. What lies between has not been missed, except by
// a timer that makes up for it; yet none has fired in the future.
func (t *ticking) clockSet(now time.Time) {
	if t.spec.Persistent && !t.last.After(now) {
		return
	}
	t.last = now
	t.keepStamp(now)
}

// next is when the timer fires next; false when nothing is in sight.
func (t *ticking) next() (time.Time, bool) {
	var best time.Time
	add := func(at time.Time) {
		// By how long it takes: moments since the boot keep their distance
		// when the clock is set, those of the calendar keep their name.
		if best.IsZero() || time.Until(at) < time.Until(best) {
			best = at
		}
	}
	local := t.r.local()
	for _, c := range t.spec.Calendar {
		if at, ok := c.Next(t.last, local); ok {
			add(at)
		}
	}
	t.r.mu.Lock()
	var active, idle time.Time
	if service := t.r.units[t.spec.Unit]; service != nil {
		active, idle = service.lastActive, service.lastIdle
		if service.cancel != nil { // it runs: idle comes later
			idle = time.Time{}
		}
	}
	t.r.mu.Unlock()
	for _, base := range []struct {
		from  time.Time
		spans []time.Duration
	}{{t.r.o.Booted, t.spec.OnBoot}, {t.active, t.spec.OnActive}, {active, t.spec.OnUnitActive}, {idle, t.spec.OnUnitIdle}} {
		for _, d := range base.spans {
			if at := base.from.Add(d); !base.from.IsZero() && d != coreunit.Infinity && !t.fired[at.UnixNano()] {
				add(at)
			}
		}
	}
	return best, !best.IsZero()
}

// local is the console's time zone. Go reads it once; the configuration may
// set it later.
func (r *Runner) local() *time.Location {
	data, err := os.ReadFile(r.path("/etc/localtime"))
	if err != nil {
		return time.Local
	}
	location, err := time.LoadLocationFromTZData("Local", data)
	if err != nil {
		return time.Local
	}
	return location
}

// fire starts the service. One that runs is left alone.
func (t *ticking) fire(ctx context.Context) {
	now := time.Now()
	t.r.mu.Lock()
	service := t.r.units[t.spec.Unit]
	bases := []time.Time{t.r.o.Booted, t.active}
	if service != nil {
		bases = append(bases, service.lastActive, service.lastIdle)
	}
	t.r.mu.Unlock()
	// All moments up to now have been.
	fired := map[int64]bool{}
	for i, base := range bases {
		spans := [][]time.Duration{t.spec.OnBoot, t.spec.OnActive, t.spec.OnUnitActive, t.spec.OnUnitIdle}[i]
		for _, d := range spans {
			if at := base.Add(d); !at.After(now) {
				fired[at.UnixNano()] = true
			}
		}
	}
	t.fired, t.last, t.rested = fired, now, now.Add(apart)
	t.keepStamp(now)
	t.r.o.Log.Info("timer", "name", t.u.name, "starts", t.spec.Unit)
	t.r.mu.Lock()
	if service != nil {
		t.r.start(ctx, service)
	}
	t.r.mu.Unlock()
}

func (t *ticking) stampPath() string { return t.r.path(filepath.Join(stampDir, t.u.name)) }

// stamp is from when the calendar counts: now, or when a timer with
// Persistent= last fired, so that what was missed comes at once.
func (t *ticking) stamp() time.Time {
	now := time.Now()
	if !t.spec.Persistent || len(t.spec.Calendar) == 0 {
		return now
	}
	text, err := os.ReadFile(t.stampPath())
	if err == nil {
		if at, err := time.Parse(time.RFC3339, string(text)); err == nil && at.Before(now) {
			return at
		}
	}
	t.keepStamp(now)
	return now
}

func (t *ticking) keepStamp(now time.Time) {
	if !t.spec.Persistent || len(t.spec.Calendar) == 0 {
		return
	}
	path, text := t.stampPath(), []byte(now.UTC().Format(time.RFC3339))
	err := atomicfile.WriteFile(path, text, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = atomicfile.WriteFile(path, text, 0o644)
		}
	}
	if err != nil {
		t.r.o.Log.Warn("timer's last time not kept", "name", t.u.name, "error", err)
	}
}
