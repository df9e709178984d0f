package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/unit"
)

// fakeProc is a process that ends when it is told to or killed.
type fakeProc struct {
	pid      int
	stubborn bool // ignores SIGTERM
	mu       sync.Mutex
	signals  []string
	done     chan struct{}
	code     uint32
	deleted  bool
}

func (p *fakeProc) PID() int { return p.pid }

func (p *fakeProc) Wait(ctx context.Context) (uint32, error) {
	select {
	case <-p.done:
		return p.code, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (p *fakeProc) Kill(_ context.Context, signal string) error {
	p.mu.Lock()
	p.signals = append(p.signals, signal)
	p.mu.Unlock()
	if signal == "SIGKILL" || !p.stubborn {
		p.end(143)
	}
	return nil
}

func (p *fakeProc) end(code uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
	default:
		p.code = code
		close(p.done)
	}
}

func (p *fakeProc) Delete(context.Context) error { p.deleted = true; return nil }

// fakeRunner makes processes and remembers them.
type fakeRunner struct {
	mu       sync.Mutex
	started  []*fakeProc
	existing map[string]*fakeProc
	stubborn bool
	fail     error
}

func (r *fakeRunner) Start(_ context.Context, _ unit.Unit) (Process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return nil, r.fail
	}
	p := &fakeProc{pid: 100 + len(r.started), done: make(chan struct{}), stubborn: r.stubborn}
	r.started = append(r.started, p)
	return p, nil
}

func (r *fakeRunner) Adopt(_ context.Context, u unit.Unit) (Process, bool, error) {
	if p, ok := r.existing[u.Name]; ok {
		delete(r.existing, u.Name)
		return p, true, nil
	}
	return nil, false, nil
}

func (r *fakeRunner) last() *fakeProc {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started[len(r.started)-1]
}

// bench is a supervisor under test.
type bench struct {
	*Supervisor
	runner *fakeRunner
	gates  map[string]*Gate
	check  func(context.Context, unit.Probe) error
	stop   func()
}

func newBench(t *testing.T, units ...unit.Unit) *bench {
	t.Helper()
	b := &bench{runner: &fakeRunner{existing: map[string]*fakeProc{}}, gates: map[string]*Gate{"state": NewGate("the state")}}
	b.check = func(context.Context, unit.Probe) error { return nil }
	b.Supervisor = New(Options{
		Runner: b.runner,
		Check:  func(ctx context.Context, p unit.Probe) error { return b.check(ctx, p) },
		Condition: func(name string) Condition {
			if g, ok := b.gates[name]; ok {
				return g
			}
			return nil
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	for _, u := range units {
		if err := b.Add(u); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	b.stop = func() { cancel(); <-done }
	return b
}

func (b *bench) sequence(t *testing.T, name string) []State {
	t.Helper()
	i, err := b.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []State
	for _, e := range i.Events {
		if len(out) == 0 || out[len(out)-1] != e.State {
			out = append(out, e.State)
		}
	}
	return out
}

func TestServiceLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unit.Unit{Name: "a", Requires: []string{"state"}, Restart: unit.RestartAlways})
		synctest.Wait()
		if i, _ := b.Get("a"); i.State != Waiting || i.Message != "waits for the state" {
			t.Fatalf("before its condition: %s %q", i.State, i.Message)
		}
		b.gates["state"].Open()
		synctest.Wait()
		b.runner.last().end(3)
		time.Sleep(time.Second) // virtual: past the first back-off
		synctest.Wait()
		if err := b.Stop(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		want := []State{Waiting, Starting, Running, Failed, Starting, Running, Stopping, Stopped}
		if d := cmp.Diff(want, b.sequence(t, "a")); d != "" {
			t.Error(d)
		}
		if got := b.runner.last().signals; !cmp.Equal(got, []string{"SIGTERM"}) {
			t.Errorf("signals %v", got)
		}
		if err := b.Start(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if i, _ := b.Get("a"); i.State != Running || i.Restarts != 1 {
			t.Errorf("after a new start: %s, %d restarts", i.State, i.Restarts)
		}
		b.stop()
	})
}

// TestRestartByWhoIsGone: a session of the console restarts the console, and
// ends with its first half.
func TestRestartByWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unit.Unit{Name: "console", Restart: unit.RestartAlways})
		defer b.stop()
		synctest.Wait()
		first := b.runner.last()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-first.done; cancel() }()
		if err := b.Restart(ctx, "console"); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		synctest.Wait()
		if i, err := b.Get("console"); err != nil || i.State != Running || b.runner.last() == first {
			t.Errorf("the console is %s, %v", i.State, err)
		}
	})
}

func TestServiceAdoptedAndLeftRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := &fakeProc{pid: 7, done: make(chan struct{})}
		b := newBench(t)
		b.runner.existing["a"] = old
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if i, _ := b.Get("a"); i.State != Running || i.PID != 7 {
			t.Fatalf("adopted: %s pid %d", i.State, i.PID)
		}
		b.stop()
		if len(old.signals) != 0 || old.deleted || len(b.runner.started) != 0 {
			t.Errorf("a manager that ends touched its container: %v", old.signals)
		}
	})
}

func TestServiceKilledAfterGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.runner.stubborn = true
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways, StopTimeout: 7 * time.Second}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		if err := b.Stop(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("took %s, want the grace of 7s", took)
		}
		if got := b.runner.last().signals; !cmp.Equal(got, []string{"SIGTERM", "SIGKILL"}) {
			t.Errorf("signals %v", got)
		}
		b.stop()
	})
}

func TestServiceCrashLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.runner.fail = errors.New("no such image")
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		i, _ := b.Get("a")
		if i.State != CrashLooping {
			t.Errorf("state %s after %d restarts", i.State, i.Restarts)
		}
		if err := b.Start(t.Context(), "a"); err == nil {
			t.Error("start of a crash-looping service reported success")
		}
		b.stop()
	})
}

func TestServiceNotReadyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.check = func(context.Context, unit.Probe) error { return errors.New("connection refused") }
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways, Ready: unit.Probe{Socket: "/x", Timeout: 5 * time.Second}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5100 * time.Millisecond)
		synctest.Wait()
		i, _ := b.Get("a")
		if want := "not ready in time (5s): connection refused; restart in 200ms"; i.State != Failed || i.Message != want {
			t.Errorf("%s %q, want %q", i.State, i.Message, want)
		}
		if !b.runner.last().deleted {
			t.Error("the container that did not get ready was left")
		}
		b.stop()
	})
}

func TestServiceUnhealthyIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var sick atomic.Bool
		b.check = func(_ context.Context, p unit.Probe) error {
			if sick.Load() && p.File == "health" {
				return errors.New("sick")
			}
			return nil
		}
		if err := b.Add(unit.Unit{Name: "a", Restart: unit.RestartAlways, Health: unit.Probe{File: "health"}, HealthEvery: time.Second}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		sick.Store(true)
		time.Sleep(3500 * time.Millisecond)
		sick.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if i, _ := b.Get("a"); i.State != Running || i.Restarts != 1 {
			t.Errorf("%s after %d restarts: %s", i.State, i.Restarts, i.Message)
		}
		b.stop()
	})
}

func TestOneShot(t *testing.T) {
	for _, tt := range []struct {
		code uint32
		want State
	}{{0, Stopped}, {1, Failed}} {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, unit.Unit{Name: "a", Restart: unit.RestartNever, Ready: unit.Probe{Exit: true}})
				synctest.Wait()
				b.runner.last().end(tt.code)
				synctest.Wait()
				if i, _ := b.Get("a"); i.State != tt.want {
					t.Errorf("%s, want %s", i.State, tt.want)
				}
				b.stop()
			})
		})
	}
}

func TestShutdownRefusesStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unit.Unit{Name: "a", Restart: unit.RestartAlways})
		synctest.Wait()
		b.Shutdown()
		if err := b.Stop(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := b.Start(t.Context(), "a"); !errors.Is(err, ErrShutdown) {
			t.Errorf("start: %v", err)
		}
		if err := b.Add(unit.Unit{Name: "b"}); !errors.Is(err, ErrShutdown) {
			t.Errorf("add: %v", err)
		}
		if err := b.Stop(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
			t.Errorf("stop: %v", err)
		}
		b.stop()
	})
}

func TestGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ran []string
		step := func(name string, takes time.Duration, err error, after ...string) Step {
			return Step{Name: name, After: after, For: name, Deadline: 10 * time.Second, Run: func(ctx context.Context) error {
				select {
				case <-time.After(takes):
				case <-ctx.Done():
				}
				mu.Lock()
				defer mu.Unlock()
				ran = append(ran, name)
				return err
			}}
		}
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		g, err := NewGraph(log, []Step{
			step("a", 3*time.Second, nil), step("b", time.Second, errors.New("broken")),
			step("c", time.Second, nil, "b"), step("slow", time.Hour, nil), step("d", 0, nil, "a", "c", "slow"),
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		g.Run(t.Context())
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s, want the slow step's deadline of 10s", took)
		}
		synctest.Wait()
		if d := cmp.Diff([]string{"b", "c", "a"}, ran[:3]); d != "" {
			t.Error(d)
		}
		for _, i := range g.Info() {
			failed := i.Name == "b" || i.Name == "slow"
			if (i.Err != nil) != failed {
				t.Errorf("step %s: %v", i.Name, i.Err)
			}
		}
	})
	for _, bad := range [][]Step{
		{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}},
		{{Name: "a"}, {Name: "a"}},
	} {
		if _, err := NewGraph(slog.Default(), bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := DefaultBackoff()
	var got []time.Duration
	for range 9 {
		got = append(got, b.Next(time.Second))
	}
	ms := time.Millisecond
	want := []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 30 * time.Second}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !b.Looping() {
		t.Error("nine short runs are no crash loop")
	}
	if d := b.Next(2 * time.Minute); d != 200*ms || b.Looping() {
		t.Errorf("after a healthy run: %s, looping %v", d, b.Looping())
	}
}
