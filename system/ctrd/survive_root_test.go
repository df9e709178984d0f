package ctrd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/ctrd"
	"github.com/pharos-os/pharos/system/unit"
)

// The manager is gone and comes back: a new client finds the containers.
func TestRootAdopt(t *testing.T) {
	w := newWorld(t)
	u := newUnit("adopt")
	first, err := w.Client.Start(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	w.Client.Close()

	c := client(t, w.Daemon)
	p, ok, err := c.Adopt(t.Context(), u)
	if err != nil || !ok {
		t.Fatalf("adopt: %t, %v", ok, err)
	}
	t.Cleanup(func() { remove(t, p) })
	if p.PID() != first.PID() {
		t.Errorf("adopted process %d, started %d", p.PID(), first.PID())
	}
	w.stillRuns(p)

	changed := u
	changed.Capabilities = []string{"CAP_CHOWN"}
	if _, ok, err := c.Adopt(t.Context(), changed); ok || err != nil {
		t.Errorf("a unit that changed: adopted %t, %v", ok, err)
	}
	if _, ok, err := c.Adopt(t.Context(), newUnit("other")); ok || err != nil {
		t.Errorf("a unit that never ran: adopted %t, %v", ok, err)
	}

	if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if code := w.exit(p); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if _, ok, err := c.Adopt(t.Context(), u); ok || err != nil {
		t.Errorf("a unit that ended: adopted %t, %v", ok, err)
	}
	w.Client = c
}

// A program that was told its new arguments is adopted with them.
func TestRootRedefine(t *testing.T) {
	w := newWorld(t)
	u := newUnit("redefine")
	p := w.start(u)
	changed := u
	changed.Args = []string{"/payload", "wait", "more"}
	if err := w.Redefine(t.Context(), changed); err != nil {
		t.Fatal(err)
	}

	c := client(t, w.Daemon)
	again, ok, err := c.Adopt(t.Context(), changed)
	if err != nil || !ok || again.PID() != p.PID() {
		t.Errorf("with the new arguments: adopted %t, %v", ok, err)
	}
	if _, ok, err := c.Adopt(t.Context(), u); ok || err != nil {
		t.Errorf("with the old arguments: adopted %t, %v", ok, err)
	}
	w.stillRuns(p)
	if err := c.Redefine(t.Context(), newUnit("unknown")); err == nil {
		t.Error("a unit that never ran: no error")
	}
}

// Start over what an earlier life left: running with another specification,
// or ended and never deleted.
func TestRootStartReplacesStale(t *testing.T) {
	w := newWorld(t)
	u := newUnit("stale", "write", "/mark", "x")
	old := w.start(u)
	w.exit(old)

	u.Args = []string{"/payload", "stubborn"}
	u.StopTimeout = 50 * time.Millisecond
	running := w.start(u)
	w.stillRuns(running)

	u.Args = []string{"/payload", "cat", "/mark"}
	p := w.start(u)
	if alive(running) {
		t.Error("the old program still runs")
	}
	if code := w.exit(p); code != 1 {
		t.Errorf("exit code %d: the old writable layer is still there", code)
	}
}

func TestRootPersist(t *testing.T) {
	w := newWorld(t)
	u := newUnit("persist", "write", "/mark", "kept")
	u.Persist = true
	p := w.start(u)
	w.exit(p)
	if err := p.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	u.Args = []string{"/payload", "cat", "/mark"}
	p = w.start(u)
	if code := w.exit(p); code != 0 {
		t.Errorf("exit code %d: the writable layer was lost", code)
	}
	w.eventually("output", w.logContains(u.Name, "kept"))
}

// containerd dies and comes back; the container lives on and its later end is
// reported with the right code.
func TestRootContainerdIsKilled(t *testing.T) {
	w := newWorld(t)
	u := newUnit("survive")
	p := w.start(u)
	type end struct {
		code uint32
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		code, err := p.Wait(t.Context())
		ended <- end{code, err}
	}()

	for range 2 {
		w.Daemon.Kill()
		select {
		case e := <-ended:
			t.Fatalf("Wait ended with containerd: %+v", e)
		case <-time.After(100 * time.Millisecond):
		}
		if !alive(p) {
			t.Fatal("the program ended with containerd")
		}
		w.Run()
	}
	again, ok, err := w.Adopt(t.Context(), u)
	if err != nil || !ok || again.PID() != p.PID() {
		t.Fatalf("adopt after the restart: %t, %v", ok, err)
	}
	if out, code, err := p.Exec(t.Context(), []string{"/payload", "env", "FROM"}); err != nil || code != 0 {
		t.Fatalf("exec after the restart: %s, %d, %v", out, code, err)
	}
	if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-ended:
		if e.err != nil || e.code != 3 {
			t.Errorf("Wait: %+v, want code 3", e)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Wait does not end")
	}
}

// The program ends while containerd is away: signals work, and Wait ends once
// somebody can be asked for the code.
func TestRootEndWhileContainerdIsAway(t *testing.T) {
	w := newWorld(t)
	p := w.start(newUnit("away"))
	w.Daemon.Kill()
	if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	w.eventually("end", func() bool { return !alive(p) })
	w.Run()
	if code := w.exit(p); code != 3 && code != ctrd.UnknownExit {
		t.Errorf("exit code %d, want 3 or unknown", code)
	}
}

// A shim that is killed takes its container along, and Wait says so.
func TestRootShimIsKilled(t *testing.T) {
	w := newWorld(t)
	u := newUnit("shim")
	p := w.start(u)
	shim := parent(t, p.PID())
	if err := syscall.Kill(shim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.exit(p)
	again := w.start(u)
	w.stillRuns(again)
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	var ppid int
	if _, err := fmt.Sscan(procStatus(t, pid)["PPid"], &ppid); err != nil || ppid <= 1 {
		t.Fatalf("parent of %d: %d, %v", pid, ppid, err)
	}
	return ppid
}

// In the machine's PID namespace nothing but the shim ends the children.
func TestRootHostPIDLeavesNoChildren(t *testing.T) {
	w := newWorld(t)
	u := newUnit("hostpid", "child")
	u.HostPID = true
	p := w.start(u)
	var child int
	w.eventually("child", func() bool {
		data, _ := os.ReadFile(w.LogPath(u.Name))
		n, _ := fmt.Sscanf(string(data), "child %d\n", &child)
		return n == 1
	})
	if err := p.Kill(t.Context(), "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	w.exit(p)
	w.eventually("end of the child", func() bool { return syscall.Kill(child, 0) != nil })
}

func TestRootMountSourceIsMade(t *testing.T) {
	w := newWorld(t)
	source := filepath.Join(w.Dir, "deep", "source")
	u := newUnit("mkdir", "write", "/mnt/a/file", "hello")
	u.Mounts = []unit.Mount{{Source: source, Target: "/mnt/a", Mkdir: 0o1777}}
	if code := w.exit(w.start(u)); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	info, err := os.Stat(source)
	if err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("source: %v, %v", info, err)
	}
	if data, err := os.ReadFile(filepath.Join(source, "file")); err != nil || string(data) != "hello" {
		t.Errorf("file: %q, %v", data, err)
	}
}

// TestRootMountBringsWhatIsBelow: a bind of one mount brings the mounts below it
// that were there before the container, but for those that it must not see.
func TestRootMountBringsWhatIsBelow(t *testing.T) {
	w := newWorld(t)
	source := filepath.Join(w.Dir, "source")
	for _, dir := range []string{"early", "secret"} {
		path := filepath.Join(source, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=4k"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Unmount(path, syscall.MNT_DETACH) })
		if err := os.WriteFile(filepath.Join(path, "file"), []byte(dir), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]uint32{"early": 0, "secret": 1} {
		u := newUnit("below-"+dir, "cat", "/mnt/a/"+dir+"/file")
		u.Mounts = []unit.Mount{{Source: source, Target: "/mnt/a", Options: []string{"bind", "rw", "rslave"}, Except: []string{filepath.Join(source, "secret")}}}
		if code := w.exit(w.start(u)); code != want {
			t.Errorf("%s: exit code %d, want %d", dir, code, want)
		}
	}
}
