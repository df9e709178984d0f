package pid1

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackoff(t *testing.T) {
	now := time.Unix(1000, 0)
	var v vitals
	var delays []time.Duration
	var loops []bool
	for range 12 {
		v.start(now)
		now = now.Add(time.Millisecond)
		delay, loop := v.exit(now)
		delays, loops = append(delays, delay), append(loops, loop)
		now = now.Add(delay)
	}
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 30000 * ms, 30000 * ms, 30000 * ms}
	if diff := cmp.Diff(want, delays); diff != "" {
		t.Error(diff)
	}
	for i, loop := range loops {
		if loop != (i == 4) { // said once, at the fifth death
			t.Errorf("death %d: crash loop %v", i+1, loop)
		}
	}
	v.start(now)
	now = now.Add(healthyRun)
	if delay, loop := v.exit(now); delay != firstDelay || loop {
		t.Errorf("after a healthy run: %v %v", delay, loop)
	}
}

func TestSlowDeathsAreNoLoop(t *testing.T) {
	now := time.Unix(1000, 0)
	var v vitals
	for range 20 {
		v.start(now)
		now = now.Add(20 * time.Second)
		if _, loop := v.exit(now); loop {
			t.Fatal("a death every 20 s taken for a crash loop")
		}
	}
}

func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v vitals
		check := func(what string, want bool) {
			t.Helper()
			if got := v.fresh(time.Now()); got != want {
				t.Errorf("%s: fresh = %v", what, got)
			}
		}
		wait := func(d time.Duration) { <-time.After(d) }
		check("before the first start", true)
		v.start(time.Now())
		wait(startGrace - time.Second)
		check("within the grace of a start", true)
		wait(time.Second)
		check("no heartbeat ever", false)
		v.heartbeat(time.Now())
		check("first heartbeat", true)
		wait(heartbeatLife)
		check("silent", false)
		v.exit(time.Now())
		check("dead: PID 1 restarts it", true)
		v.start(time.Now())
		wait(heartbeatLife)
		check("grace after a restart", true)
	})
}
