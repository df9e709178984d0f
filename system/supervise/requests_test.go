package supervise

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/unit"
)

// slowToStop is a bench whose one service takes a minute to stop.
func slowToStop(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.runner.stubborn = true
	if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways, StopTimeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return b
}

// expect gives everything that still runs the time to end.
func (b *bench) expect(t *testing.T, state State, starts int) {
	t.Helper()
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	if i, _ := b.Get("a"); i.State != state || len(b.runner.started) != starts {
		t.Errorf("in the end: %s after %d starts; want %s after %d", i.State, len(b.runner.started), state, starts)
	}
}

// TestStopAfterRestart: a restart that nobody waits for any more does not undo
// a stop that was asked for later.
func TestStopAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowToStop(t)
		defer b.stop()
		ctx, cancel := context.WithCancel(t.Context())
		restart := make(chan error, 1)
		go func() { restart <- b.Restart(ctx, "a") }()
		synctest.Wait()
		cancel()
		if err := <-restart; !errors.Is(err, context.Canceled) {
			t.Errorf("restart: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := b.Stop(ctx, "a"); err != nil {
			t.Errorf("stop: %v", err)
		}
		b.expect(t, Stopped, 1)
	})
}

// TestRestartSuperseded: who waits for a restart hears of the stop.
func TestRestartSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowToStop(t)
		defer b.stop()
		restart := make(chan error, 1)
		go func() { restart <- b.Restart(t.Context(), "a") }()
		synctest.Wait()
		if err := b.Stop(t.Context(), "a"); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := <-restart; !errors.Is(err, ErrSuperseded) {
			t.Errorf("restart: %v", err)
		}
		b.expect(t, Stopped, 1)
	})
}

func TestRestartTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowToStop(t)
		defer b.stop()
		results := make(chan error, 2)
		for range 2 {
			go func() { results <- b.Restart(t.Context(), "a") }()
			time.Sleep(time.Second)
		}
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		b.expect(t, Running, 2)
	})
}

// TestStartWhileStopping waits for the next container, and the stop does not
// wait for a state that has passed.
func TestStartWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowToStop(t)
		defer b.stop()
		stop := make(chan error, 1)
		go func() { stop <- b.Stop(t.Context(), "a") }()
		synctest.Wait()
		if err := b.Start(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if n := len(b.runner.started); n != 2 {
			t.Errorf("start returned after %d starts", n)
		}
		if err := <-stop; err != nil {
			t.Error(err)
		}
		b.expect(t, Running, 2)
	})
}

// TestStopWhileStarting: who waits for a start that does not come hears why.
func TestStopWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways, Requires: []string{"state"}}); err != nil {
			t.Fatal(err)
		}
		start := make(chan error, 1)
		go func() { start <- b.Start(t.Context(), "a") }()
		synctest.Wait()
		if err := b.Stop(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := <-start; !errors.Is(err, ErrSuperseded) {
			t.Errorf("start: %v", err)
		}
		b.expect(t, Stopped, 0)
	})
}

// TestRestartInShutdown: a restart that is under way starts nothing once the
// machine goes down.
func TestRestartInShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowToStop(t)
		defer b.stop()
		restart := make(chan error, 1)
		go func() { restart <- b.Restart(t.Context(), "a") }()
		synctest.Wait()
		b.Shutdown()
		if err := <-restart; !errors.Is(err, ErrShutdown) {
			t.Errorf("restart: %v", err)
		}
		b.expect(t, Stopped, 1)
	})
}

// TestStartAfterManyEvents: the history is bounded, what Start waits for is
// counted nevertheless.
func TestStartAfterManyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.runner.fail = errors.New("no such image")
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := b.Start(ctx, "a"); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("start: %v", err)
		}
	})
}

// TestStopAfterPolicyChange: a unit that has ended for good is stopped,
// whatever its new definition says.
func TestStopAfterPolicyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unit.Unit{Name: "a", Restart: unit.RestartNever, Ready: unit.Probe{Exit: true}})
		defer b.stop()
		synctest.Wait()
		b.runner.last().end(1)
		synctest.Wait()
		if err := b.Replace(unit.Unit{Name: "a", Restart: unit.RestartAlways}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Restart(ctx, "a"); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff([]State{Starting, Failed, Starting, Running}, b.sequence(t, "a")); d != "" {
			t.Error(d)
		}
	})
}

// TestStopBeforeTheFirstLife: a unit that was added just now is stopped, and
// says so.
func TestStopBeforeTheFirstLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		synctest.Wait()
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways}); err != nil {
			t.Fatal(err)
		}
		if err := b.Stop(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if i, _ := b.Get("a"); i.State != Stopped {
			t.Errorf("state %s", i.State)
		}
	})
}

// TestRenew: another life follows the present one, unless somebody stops the
// service before, meanwhile or later.
func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(ctx context.Context, b *bench) error
		state  State
		starts int
	}{
		"alone": {func(ctx context.Context, b *bench) error { return b.Renew(ctx, "a") }, Running, 2},
		"after a stop": {func(ctx context.Context, b *bench) error {
			return errors.Join(b.Stop(ctx, "a"), b.Renew(ctx, "a"))
		}, Stopped, 1},
		"before a stop": {func(ctx context.Context, b *bench) error {
			return errors.Join(b.Renew(ctx, "a"), b.Stop(ctx, "a"))
		}, Stopped, 2},
		"with a stop": {func(ctx context.Context, b *bench) error {
			renewed := make(chan error, 1)
			go func() { renewed <- b.Renew(ctx, "a") }()
			synctest.Wait()
			return errors.Join(b.Stop(ctx, "a"), <-renewed)
		}, Stopped, 1},
		"with a restart": {func(ctx context.Context, b *bench) error {
			restarted := make(chan error, 1)
			go func() { restarted <- b.Restart(ctx, "a") }()
			synctest.Wait()
			return errors.Join(b.Renew(ctx, "a"), <-restarted)
		}, Running, 2},
		"nobody waits": {func(ctx context.Context, b *bench) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := b.Renew(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
				return errors.New("no deadline")
			}
			return nil
		}, Running, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := slowToStop(t)
				defer b.stop()
				if err := c.do(t.Context(), b); err != nil {
					t.Error(err)
				}
				b.expect(t, c.state, c.starts)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := slowToStop(t)
		defer b.stop()
		b.Shutdown()
		if err := b.Renew(t.Context(), "a"); !errors.Is(err, ErrShutdown) {
			t.Error(err)
		}
		b.expect(t, Running, 1)
	})
}
