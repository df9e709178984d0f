package ctrd_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/pharos-os/pharos/system/ctrd"
	"github.com/pharos-os/pharos/system/unit"
)

// members starts n units of one group at once.
func (w *world) members(n int) ([]unit.Unit, []*ctrd.Process) {
	w.t.Helper()
	units, processes := make([]unit.Unit, n), make([]*ctrd.Process, n)
	var wg sync.WaitGroup
	for i := range n {
		units[i] = newUnit(fmt.Sprintf("member%d", i))
		units[i].Group = "core"
		wg.Go(func() {
			p, err := w.Client.Start(w.t.Context(), units[i])
			if err != nil {
				w.t.Error(err)
				return
			}
			processes[i] = p
		})
	}
	wg.Wait()
	w.t.Cleanup(func() {
		for _, p := range processes {
			if p != nil {
				remove(w.t, p)
			}
		}
	})
	if w.t.Failed() {
		w.t.FailNow()
	}
	return units, processes
}

func TestRootGroupSharesAShim(t *testing.T) {
	w := newWorld(t)
	units, processes := w.members(3)
	shim := parent(t, processes[0].PID())
	for i, p := range processes {
		if parent(t, p.PID()) != shim {
			t.Errorf("%s has a shim of its own", units[i].Name)
		}
	}
	alone := w.start(newUnit("alone"))
	if parent(t, alone.PID()) == shim {
		t.Error("a unit without the group has its shim")
	}

	// Each, the first included, ends, goes and comes back without the others.
	for i, p := range processes {
		if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
			t.Fatal(err)
		}
		if code := w.exit(p); code != 3 {
			t.Errorf("exit code %d, want 3", code)
		}
		if err := p.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		for j, other := range processes {
			if j != i {
				w.stillRuns(other)
			}
		}
		processes[i] = w.start(units[i])
		if parent(t, processes[i].PID()) != shim {
			t.Errorf("%s came back with a shim of its own", units[i].Name)
		}
	}
}

func TestRootGroupSurvivesContainerd(t *testing.T) {
	w := newWorld(t)
	units, processes := w.members(3)
	w.Daemon.Kill()
	w.Run()
	c := client(t, w.Daemon) // a new manager as well
	for i, u := range units {
		p, ok, err := c.Adopt(t.Context(), u)
		if err != nil || !ok || p.PID() != processes[i].PID() {
			t.Fatalf("adopt %s: %t, %v", u.Name, ok, err)
		}
		if out, code, err := p.Exec(t.Context(), []string{"/payload", "env", "FROM"}); err != nil || code != 0 {
			t.Errorf("exec: %s, %d, %v", out, code, err)
		}
		if err := p.Kill(t.Context(), "SIGTERM"); err != nil {
			t.Fatal(err)
		}
		if code := w.exit(p); code != 3 {
			t.Errorf("exit code %d, want 3", code)
		}
		if err := p.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, err := c.Start(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { remove(t, again) })
	}
}

// The shared shim is killed: all of its units end, and all come back.
func TestRootGroupShimIsKilled(t *testing.T) {
	w := newWorld(t)
	units, processes := w.members(3)
	if err := syscall.Kill(parent(t, processes[0].PID()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		w.exit(p)
	}
	var shim int
	for i, u := range units {
		p := w.start(u)
		w.stillRuns(p)
		if i == 0 {
			shim = parent(t, p.PID())
		} else if parent(t, p.PID()) != shim {
			t.Errorf("%s has a shim of its own", u.Name)
		}
	}
}

// The last container of a shim takes it along; the next start finds another.
func TestRootGroupStartsAnew(t *testing.T) {
	w := newWorld(t)
	units, processes := w.members(2)
	for _, p := range processes {
		if err := p.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range units {
		w.stillRuns(w.start(u))
	}
}

// A member that cannot be started takes nobody along, the group's shim least.
func TestRootGroupMemberFails(t *testing.T) {
	w := newWorld(t)
	_, processes := w.members(2)
	shim := parent(t, processes[0].PID())
	broken := newUnit("broken")
	broken.Group = "core"
	broken.Args = []string{"/missing"}
	for range 2 {
		if _, err := w.Client.Start(t.Context(), broken); err == nil {
			t.Fatal("a missing program ran")
		}
	}
	for _, p := range processes {
		w.stillRuns(p)
	}
	broken.Args = nil
	if p := w.start(broken); parent(t, p.PID()) != shim {
		t.Error("the group got a second shim")
	}
}
