package units

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

// sleeper is a process of virtual time.
type sleeper struct {
	done   chan struct{}
	signal chan syscall.Signal
	status keep.Status
}

func (s *sleeper) Done() <-chan struct{} { return s.done }
func (s *sleeper) Status() keep.Status   { return s.status }
func (s *sleeper) Signal(sig syscall.Signal) error {
	select {
	case s.signal <- sig:
	default:
	}
	return nil
}

// clock is a Runner in virtual time. Its commands are "/run 5s exit" with
// how long they take and how they end.
type clock struct {
	*Runner
	starts []string // of each command: the time and its last word
	begin  time.Time
}

func newClock(t *testing.T, root string) *clock {
	t.Helper()
	c := &clock{begin: time.Now()}
	c.Runner = New(Options{Root: root, Output: &buffer{}, Booted: time.Now().Add(-time.Minute), Start: c.run,
		Ready: func(context.Context, coreunit.Known) error { return nil }})
	return c
}

func (c *clock) run(cmd keep.Command) (Process, error) {
	s := &sleeper{done: make(chan struct{}), signal: make(chan syscall.Signal, 1)}
	took, err := time.ParseDuration(cmd.Args[1])
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.starts = append(c.starts, time.Since(c.begin).String()+" "+cmd.Args[len(cmd.Args)-1])
	c.mu.Unlock()
	go func() {
		defer close(s.done)
		timer := time.NewTimer(took)
		defer timer.Stop()
		select {
		case <-timer.C:
			if slices.Contains(cmd.Args, "fail") {
				s.status = keep.Status(1 << 8)
			}
		case sig := <-s.signal:
			s.status = keep.Status(sig)
		}
	}()
	return s, nil
}

func (c *clock) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.starts)
}

func boot(name, content string) osconfig.CoreOSUnit {
	return osconfig.CoreOSUnit{Name: name, Content: content, Command: "start"}
}

func TestTimers(t *testing.T) {
	job := osconfig.CoreOSUnit{Name: "job.service", Content: "[Service]\nType=oneshot\nExecStart=/run 10s job\n"}
	// The virtual clock begins at 2000-01-01 00:00:00 UTC; the system started
	// a minute before.
	tests := []struct {
		name, timer string
		pass        time.Duration
		want        []string
	}{
		{"calendar", "OnCalendar=*-*-* 03:00:00 UTC", 49 * time.Hour, []string{"3h0m0s job", "27h0m0s job"}},
		{"boot", "OnBootSec=5min", time.Hour, []string{"4m0s job"}},
		{"boot is over", "OnBootSec=30s", time.Hour, []string{"0s job"}},
		{"active", "OnActiveSec=30s", time.Hour, []string{"30s job"}},
		{"again after its start", "OnBootSec=2min\nOnUnitActiveSec=5min", 12 * time.Minute, []string{"1m0s job", "6m10s job", "11m20s job"}},
		{"again after its end", "OnActiveSec=1s\nOnUnitInactiveSec=20s", 75 * time.Second, []string{"1s job", "31s job", "1m1s job"}},
		{"two events", "OnCalendar=*:00:00 UTC\nOnCalendar=*:30:00 UTC", 65 * time.Minute, []string{"30m0s job", "1h0m0s job"}},
		{"while it runs", "OnCalendar=*:*:0/4 UTC", 31 * time.Second, []string{"4s job", "16s job", "28s job"}},
		{"no pause", "OnActiveSec=1s\nOnUnitInactiveSec=0", 25 * time.Second, []string{"1s job", "11s job", "21s job"}},
		{"never", "OnCalendar=1999-01-01", time.Hour, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				c := newClock(t, root)
				ctx, cancel := context.WithCancel(t.Context())
				c.Apply(ctx, []osconfig.CoreOSUnit{boot("job.timer", "[Timer]\n"+tt.timer+"\n"), job})
				time.Sleep(tt.pass)
				cancel()
				c.Stop()
				if diff := cmp.Diff(tt.want, c.seen()); diff != "" || len(c.Problems()) > 0 {
					t.Errorf("-want +got:\n%s%v", diff, c.Problems())
				}
			})
		})
	}
}

// TestPersistent: what a machine missed while it was off comes at once.
func TestPersistent(t *testing.T) {
	root := t.TempDir()
	units := []osconfig.CoreOSUnit{
		boot("job.timer", "[Timer]\nOnCalendar=daily UTC\nPersistent=true\n"),
		{Name: "job.service", Content: "[Service]\nType=oneshot\nExecStart=/run 1s job\n"},
	}
	for round, want := range [][]string{nil, {"0s job"}, nil} {
		synctest.Test(t, func(t *testing.T) {
			c := newClock(t, root)
			if round == 1 { // it was off since the day before
				if err := os.WriteFile(filepath.Join(root, stampDir, "job.timer"), []byte("1999-12-30T00:00:00Z"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.Apply(t.Context(), units)
			time.Sleep(time.Hour)
			c.Stop()
			if diff := cmp.Diff(want, c.seen()); diff != "" {
				t.Errorf("round %d: %s", round, diff)
			}
		})
	}
}

// TestNoPause: a job of no time that follows on itself does not take a CPU.
func TestNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, t.TempDir())
		c.Apply(t.Context(), []osconfig.CoreOSUnit{
			boot("job.timer", "[Timer]\nOnActiveSec=1s\nOnUnitInactiveSec=0\n"),
			{Name: "job.service", Content: "[Service]\nType=oneshot\nExecStart=/run 1ms job\n"},
		})
		time.Sleep(4500 * time.Millisecond)
		c.Stop()
		if got := c.seen(); len(got) != 4 {
			t.Errorf("%d starts in 4.5 s: %.10q", len(got), got)
		}
	})
}

// TestClockSet: nothing has fired in the future, whoever makes up for what
// was missed; what was missed between is not made up for by others.
func TestClockSet(t *testing.T) {
	root := t.TempDir()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name       string
		persistent bool
		last, want time.Time
	}{
		{"forwards", false, now.AddDate(-50, 0, 0), now},
		{"backwards", false, now.AddDate(50, 0, 0), now},
		{"forwards, persistent", true, now.AddDate(-50, 0, 0), now.AddDate(-50, 0, 0)},
		{"backwards, persistent", true, now.AddDate(50, 0, 0), now},
	} {
		r := New(Options{Root: root, Output: &buffer{}})
		tick := &ticking{r: r, u: &unit{name: "a.timer"}, last: tt.last,
			spec: &coreunit.Timer{Persistent: tt.persistent, Calendar: make([]coreunit.Calendar, 1)}}
		tick.clockSet(now)
		if !tick.last.Equal(tt.want) {
			t.Errorf("%s: goes on from %v, want %v", tt.name, tick.last, tt.want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, stampDir, "a.timer")); err != nil || string(text) != now.Format(time.RFC3339) {
		t.Errorf("kept %q, %v", text, err)
	}
}

// shifted is at as a clock has it that was set since: its distance to now is
// another than its name says. The second word of a Time is its place on the
// clock that nobody sets.
func shifted(at time.Time, by time.Duration) time.Time {
	(*[2]int64)(unsafe.Pointer(&at))[1] += int64(by)
	return at
}

// TestNextAfterClockSet: a clock that began in 1976 does not make moments
// since the boot earlier than those of the calendar.
func TestNextAfterClockSet(t *testing.T) {
	const years = 50 * 365 * 24 * time.Hour
	booted := shifted(time.Now().Add(-years), years)
	if ago := time.Since(booted); ago > time.Minute {
		t.Fatalf("booted %v ago", ago)
	}
	hourly, err := coreunit.ParseCalendar("hourly")
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{Root: t.TempDir(), Output: &buffer{}, Booted: booted})
	tick := &ticking{r: r, last: time.Now(), spec: &coreunit.Timer{OnBoot: []time.Duration{7 * 24 * time.Hour}, Calendar: []coreunit.Calendar{hourly}}}
	if at, ok := tick.next(); !ok || time.Until(at) > time.Hour {
		t.Errorf("next in %v", time.Until(at))
	}
}

func TestTimerWithoutService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, t.TempDir())
		c.Apply(t.Context(), []osconfig.CoreOSUnit{boot("job.timer", "[Timer]\nOnBootSec=1\n")})
		if got := c.Problems(); len(got) != 1 || got[0] != "unit job.timer is not run: there is no job.service for it to start" {
			t.Error(got)
		}
		c.Stop()
	})
}

// TestBackoff: a service that fails starts again ever more seldom; once it
// has run for a minute it is no problem any more.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, t.TempDir())
		c.Apply(t.Context(), []osconfig.CoreOSUnit{boot("bad.service", "[Service]\nRestart=always\nRestartSec=1\nExecStart=/run 1s fail\n")})
		time.Sleep(40 * time.Second)
		want := []string{"0s fail", "2s fail", "5s fail", "10s fail", "19s fail", "30s fail"}
		if diff := cmp.Diff(want, c.seen()); diff != "" {
			t.Error(diff)
		}
		if got := strings.Join(c.Problems(), ""); !strings.Contains(got, "unit bad.service keeps ending: ") || !strings.HasSuffix(got, "restarts, the last after exit 1") {
			t.Error(got)
		}
		c.Stop()
	})
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, t.TempDir())
		ctx, cancel := context.WithCancel(t.Context())
		c.Apply(ctx, []osconfig.CoreOSUnit{boot("long.service", "[Service]\nRestart=always\nRestartSec=1min\nExecStart=/run 50s long\n")})
		time.Sleep(10 * time.Minute)
		if got := c.Problems(); len(got) == 0 {
			t.Error("five restarts are no problem")
		}
		cancel()
		c.Stop()
	})
}

// TestNeverReady: a unit that waits for an engine that does not come is told.
func TestNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, t.TempDir())
		var told atomic.Int32 // Changed is called by several goroutines
		c.o.Ready = func(ctx context.Context, _ coreunit.Known) error { <-ctx.Done(); return ctx.Err() }
		c.o.Changed = func() { told.Add(1) }
		c.Apply(t.Context(), []osconfig.CoreOSUnit{boot("a.service", "[Unit]\nAfter=docker.service\n[Service]\nExecStart=/run 1s a\n")})
		synctest.Wait()
		before := told.Load()
		time.Sleep(longWait - time.Second)
		if got := c.Problems(); len(got) > 0 || told.Load() != before {
			t.Error(got, told.Load())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want := []string{"unit a.service has not started: it waits for docker.service since 00:00:00 UTC"}
		if diff := cmp.Diff(want, c.Problems()); diff != "" || told.Load() != before+1 {
			t.Error(diff, told.Load()-before)
		}
		c.Stop()
	})
}
