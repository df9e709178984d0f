package ctrd_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/ctrd"
	"github.com/pharos-os/pharos/system/ctrd/ctrdtest"
	"github.com/pharos-os/pharos/system/unit"
)

// world is a real containerd with one image, "test".
type world struct {
	*ctrdtest.Daemon
	*ctrd.Client
	t *testing.T
}

func newWorld(t *testing.T) *world {
	d := ctrdtest.Start(t)
	d.Image("test")
	return &world{Daemon: d, Client: client(t, d), t: t}
}

func client(t *testing.T, d *ctrdtest.Daemon) *ctrd.Client {
	t.Helper()
	c, err := ctrd.New(ctrd.Options{
		Address: d.Address,
		State:   filepath.Join(d.Dir, "state"),
		Paths: ctrd.Paths{
			Images: d.Images, Units: filepath.Join(d.Dir, "units"),
			Persist: filepath.Join(d.Dir, "persist"), Logs: filepath.Join(d.Dir, "logs"),
		},
		RuncRoot: filepath.Join(d.Dir, "runc"),
		Log:      slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newUnit is the smallest unit: it runs /payload with args.
func newUnit(name string, args ...string) unit.Unit {
	u := unit.Unit{Name: ctrdtest.UnitName(name), Image: "test", HostNet: true}
	if len(args) > 0 {
		u.Args = append([]string{"/payload"}, args...)
	}
	return u
}

// start starts u and deletes it when the test ends. A payload that waits for
// a signal does so when start returns: the kernel drops a signal that comes to
// the first program of a PID namespace before that asks for it.
func (w *world) start(u unit.Unit) *ctrd.Process {
	w.t.Helper()
	before := w.waiting(u.Name)
	p, err := w.Client.Start(w.t.Context(), u)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { remove(w.t, p) })
	if len(u.Args) == 0 || slices.Contains(u.Args, "wait") {
		w.eventually("first line", func() bool { return w.waiting(u.Name) > before })
	}
	return p
}

// waiting counts how often the unit's payload has begun to wait.
func (w *world) waiting(name string) int {
	data, _ := os.ReadFile(w.LogPath(name))
	return strings.Count(string(data), "waiting\n")
}

func remove(t *testing.T, p *ctrd.Process) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Delete(ctx); err != nil {
		t.Error(err)
	}
}

func (w *world) exit(p *ctrd.Process) uint32 {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	code, err := p.Wait(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// eventually asks until ok says yes.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("not in time: %s", what)
		}
	}
}

func (w *world) logContains(name, text string) func() bool {
	return func() bool {
		data, _ := os.ReadFile(w.LogPath(name))
		return strings.Contains(string(data), text)
	}
}

func alive(p *ctrd.Process) bool { return syscall.Kill(p.PID(), 0) == nil }

func (w *world) stillRuns(p *ctrd.Process) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 300*time.Millisecond)
	defer cancel()
	if code, err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		w.t.Fatalf("Wait: code %d, %v; want the deadline", code, err)
	}
	if !alive(p) {
		w.t.Fatal("the program is gone")
	}
}

func TestRootStartStop(t *testing.T) {
	w := newWorld(t)
	u := newUnit("stop") // the image's command
	p := w.start(u)
	w.stillRuns(p)
	if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if code := w.exit(p); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
		t.Errorf("a signal to an ended program: %v", err)
	}
	for range 2 {
		if err := p.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Kill(t.Context(), "SIGKILL"); err != nil {
		t.Errorf("a signal to a deleted container: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "units", u.Name)); !os.IsNotExist(err) {
		t.Errorf("the writable layer is still there: %v", err)
	}
	if err := p.Kill(t.Context(), "SIGNONE"); err == nil {
		t.Error("an unknown signal was accepted")
	}
}

func TestRootExitCodes(t *testing.T) {
	w := newWorld(t)
	for _, code := range []uint32{0, 1, 42} {
		p := w.start(newUnit(fmt.Sprintf("exit%d", code), "exit", strconv.Itoa(int(code))))
		if got := w.exit(p); got != code {
			t.Errorf("exit code %d, want %d", got, code)
		}
	}
	p := w.start(newUnit("killed", "stubborn"))
	p.Kill(t.Context(), "SIGKILL")
	if got := w.exit(p); got != 128+9 {
		t.Errorf("exit code %d after SIGKILL, want 137", got)
	}
}

func TestRootStartFails(t *testing.T) {
	w := newWorld(t)
	u := newUnit("fails")
	u.Args = []string{"/missing"}
	if _, err := w.Client.Start(t.Context(), u); err == nil || !strings.Contains(err.Error(), "/missing") {
		t.Fatalf("got %v, want an error that names /missing", err)
	}
	u.Args = nil
	p := w.start(u) // nothing was left in the way
	w.stillRuns(p)

	u = newUnit("noimage")
	u.Image = "none"
	if _, err := w.Client.Start(t.Context(), u); err == nil {
		t.Error("a missing image was accepted")
	}
}

func TestRootCapabilitiesAreTheUnits(t *testing.T) {
	w := newWorld(t)
	for name, caps := range map[string][]string{
		"none": nil,
		"two":  {"CAP_SYS_TIME", "CAP_CHOWN"},
	} {
		u := newUnit("caps" + name)
		u.Capabilities = caps
		u.NoNewPrivileges = true
		u.Limits.OOMScoreAdj = 500
		p := w.start(u)
		var mask uint64
		for bit, c := range unit.Capabilities() {
			for _, have := range caps {
				if c == have {
					mask |= 1 << bit
				}
			}
		}
		full, empty := fmt.Sprintf("%016x", mask), fmt.Sprintf("%016x", 0)
		want := map[string]string{"CapBnd": full, "CapPrm": full, "CapEff": full, "CapInh": empty, "CapAmb": empty, "NoNewPrivs": "1", "Seccomp": "2"}
		got := procStatus(t, p.PID())
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s is %s, want %s", name, k, got[k], v)
			}
		}
		oom, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.PID()))
		if err != nil || strings.TrimSpace(string(oom)) != "500" {
			t.Errorf("%s: oom_score_adj is %q, %v", name, oom, err)
		}
	}
}

func procStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		k, v, _ := strings.Cut(line, ":")
		out[k] = strings.TrimSpace(v)
	}
	return out
}

func TestRootExec(t *testing.T) {
	w := newWorld(t)
	u := newUnit("exec")
	u.Env = []string{"FROM=unit"}
	u.Capabilities = []string{"CAP_CHOWN"}
	p := w.start(u)
	for _, c := range []struct {
		args []string
		out  string
		code int
	}{
		{[]string{"/payload", "env", "FROM"}, "unit\n", 0},
		{[]string{"/payload", "exit", "7"}, "", 7},
		{[]string{"/payload", "nothing"}, "unknown behaviour \"nothing\"\n", 1},
	} {
		out, code, err := p.Exec(t.Context(), c.args)
		if err != nil || code != c.code || string(out) != c.out {
			t.Errorf("%v: %q, %d, %v; want %q, %d", c.args, out, code, err, c.out, c.code)
		}
	}
	out, _, err := p.Exec(t.Context(), []string{"/payload", "cat", "/proc/self/status"})
	if err != nil || !strings.Contains(string(out), "CapEff:\t0000000000000001\n") {
		t.Errorf("an exec has not the unit's capabilities: %s, %v", out, err)
	}
	if _, _, err := p.Exec(t.Context(), []string{"/missing"}); err == nil {
		t.Error("a missing program ran")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := p.Exec(ctx, []string{"/payload", "stubborn"}); err == nil {
		t.Error("an exec outlived its context")
	}
	left, err := filepath.Glob(filepath.Join(w.Dir, "logs", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the log directory: %v, %v", left, err)
	}
	w.stillRuns(p)
}

// A stream that ends early costs the other nothing.
func TestRootClosedStdout(t *testing.T) {
	w := newWorld(t)
	u := newUnit("closed", "errors")
	p := w.start(u)
	w.eventually("the last of many lines on stderr", w.logContains(u.Name, "error 4999 of this program"))
	w.stillRuns(p)
}
