package pid1

import "time"

// The constants of keeping the manager alive.
const (
	firstDelay   = 100 * time.Millisecond // before the first restart, doubled each time
	longestDelay = 30 * time.Second
	healthyRun   = 60 * time.Second // a run this long forgets earlier deaths
	loopDeaths   = 5                // so many deaths
	loopWindow   = 60 * time.Second // within this time are a crash loop

	startGrace    = 120 * time.Second // until the first heartbeat after a start
	heartbeatLife = 20 * time.Second  // four times the manager's interval
)

// vitals is what PID 1 knows of the manager's health: a state machine without
// clocks or processes of its own.
type vitals struct {
	running bool
	started time.Time
	alive   time.Time // last heartbeat; zero before the first of this run
	delay   time.Duration
	deaths  []time.Time // within loopWindow
}

func (v *vitals) start(now time.Time) {
	v.running, v.started, v.alive = true, now, time.Time{}
}

func (v *vitals) heartbeat(now time.Time) { v.alive = now }

// exit records a death and says when to start again, and whether this one
// makes it a crash loop.
func (v *vitals) exit(now time.Time) (delay time.Duration, loop bool) {
	v.running = false
	if now.Sub(v.started) >= healthyRun {
		v.delay, v.deaths = 0, nil
	}
	v.delay = min(max(2*v.delay, firstDelay), longestDelay)
	v.deaths = append(v.deaths, now)
	for now.Sub(v.deaths[0]) > loopWindow {
		v.deaths = v.deaths[1:]
	}
	return v.delay, len(v.deaths) == loopDeaths
}

// fresh reports whether the watchdog may be fed. A manager that is down is
// PID 1's own business and keeps the machine running, as its containers do; one
// that is up and silent does not.
func (v *vitals) fresh(now time.Time) bool {
	switch {
	case !v.running:
		return true
	case v.alive.IsZero():
		return now.Sub(v.started) < startGrace
	}
	return now.Sub(v.alive) < heartbeatLife
}
