package units

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

// TestGroupOutlivesMain: what the main process left behind is stopped with
// the unit, although the main process ended long before.
func TestGroupOutlivesMain(t *testing.T) {
	w := newWorld(t)
	w.apply(w.service("a.service", "[Service]\nRemainAfterExit=yes\n"+
		"ExecStart=/bin/sh -c '(trap \"echo left >> DIR/log; exit\" TERM; echo up >> DIR/log; while :; do sleep 0.05; done) &'\n"))
	w.reaches("a.service", Exited)
	w.logged("up")
	w.apply()
	w.logged("up", "left")
}

// TestNumberOfOthers: when nobody of a unit is left, the number that its main
// process had may be another's by the time the unit stops.
func TestNumberOfOthers(t *testing.T) {
	reaper, err := keep.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go reaper.Run(ctx)
	start := func(args ...string) Process {
		t.Helper()
		p, err := reaper.Start(keep.Command{Args: args})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	r := New(Options{Root: t.TempDir(), Log: slog.New(slog.DiscardHandler), Start: func(c keep.Command) (Process, error) { return reaper.Start(c) }})
	spec := &coreunit.Service{KillMode: "control-group", KillSignal: "SIGTERM", SendKill: true, StopTimeout: time.Second}
	n := &run{r: r, u: &unit{name: "a.service"}, spec: spec, dir: "/", mainFD: -1}
	program, err := filepath.EvalSymlinks("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if n.main, err = n.spawn(coreunit.Command{Words: []string{program}}, true); err != nil {
		t.Fatal(err)
	}
	defer n.forget()
	<-n.main.Done()
	other := start("/bin/sleep", "60")
	defer other.(*keep.Process).Stop(time.Second)
	n.main.(*keep.Process).PID = pid(other)
	n.kill()
	select {
	case <-other.Done():
		t.Error("a process that is none of the unit's was killed")
	case <-time.After(100 * time.Millisecond):
	}
}
