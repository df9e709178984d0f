package keep

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackoff(t *testing.T) {
	var b Backoff
	var got []time.Duration
	for _, ran := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 0, time.Minute, 0} {
		got = append(got, b.Next(ran)/time.Millisecond)
	}
	want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 100, 200}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// reaper is one Reaper for the test's process: only one may wait at a time.
func reaper(t *testing.T) *Reaper {
	t.Helper()
	r, err := NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

func TestKeepRestartsAndStops(t *testing.T) {
	r := reaper(t)
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pids := make(chan *Process, 8)
	befores := 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Keep(ctx, Daemon{
			Name: "sleeper",
			// The trap shows that SIGTERM comes first.
			Command: Command{Args: []string{"/bin/sh", "-c", "trap 'echo term; exit 0' TERM; echo up $$; sleep 60 & wait"}, Stdout: out, Stderr: out},
			Before:  func(*Command) error { befores++; return nil },
			Started: func(p *Process) { pids <- p },
			Backoff: Backoff{Min: time.Millisecond},
		}, slog.New(slog.DiscardHandler))
	}()
	first := <-pids
	first.Signal(syscall.SIGKILL)
	second := <-pids
	if first.PID == second.PID {
		t.Errorf("not restarted: %d twice", first.PID)
	}
	if got := first.Status().String(); got != "killed by SIGKILL" {
		t.Errorf("status %q", got)
	}
	waitFor(t, func() bool {
		b, _ := os.ReadFile(out.Name())
		return strings.HasSuffix(string(b), fmt.Sprintf("up %d\n", second.PID))
	})
	cancel()
	<-ended
	if befores != 2 {
		t.Errorf("Before ran %d times, want 2", befores)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil || !bytes.HasSuffix(text, []byte("term\n")) {
		t.Errorf("output %q, %v: want an orderly end", text, err)
	}
}

func TestStartReportsMissingProgram(t *testing.T) {
	r := reaper(t)
	if _, err := r.Start(Command{Args: []string{"/no/such/program"}}); err == nil {
		t.Error("no error")
	}
}

func TestReaperTakesOrphans(t *testing.T) {
	r := reaper(t)
	dir := t.TempDir()
	// The shell leaves a child behind that ends later; as a subreaper we get
	// it, and it must not stay a zombie.
	p, err := r.Start(Command{Args: []string{"/bin/sh", "-c", "(sleep 0.05; :) & echo $! > " + dir + "/pid"}})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if !p.Status().OK() {
		t.Fatal(p.Status())
	}
	pid, err := os.ReadFile(dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		_, err := os.Stat("/proc/" + strings.TrimSpace(string(pid)))
		return os.IsNotExist(err)
	})
}

// waitFor asks every 5 ms until ok or five seconds are over.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("not within 5 s")
		}
	}
}

// TestSignalGroup: what a process has started in its group hears it, too.
func TestSignalGroup(t *testing.T) {
	r := reaper(t)
	file := filepath.Join(t.TempDir(), "helper")
	p, err := r.Start(Command{Args: []string{"/bin/sh", "-c", "(trap 'echo ended >" + file + "; exit' TERM; echo up >" + file + "; while :; do sleep 0.01; done) & wait"}})
	if err != nil {
		t.Fatal(err)
	}
	says := func(want string) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			text, _ := os.ReadFile(file) // not yet there
			if string(text) == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the helper says %q, want %q", text, want)
			}
		}
	}
	says("up\n")
	if err := p.SignalGroup(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-p.Done()
	says("ended\n")
	if err := p.SignalGroup(syscall.SIGTERM); err != nil { // its number may be another's
		t.Error(err)
	}
}
