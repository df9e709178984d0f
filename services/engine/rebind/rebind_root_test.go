package rebind

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/linux"
)

// engineScript is a process 1 with a PID and mount namespace of its own, in
// which what is mounted on the machine arrives, with a container of each kind:
// one that has bound the point, one that has bound the directory above it, and
// both once more with slave propagation.
const engineScript = `
cd "$1"
container() { # NAME PROPAGATION SOURCE
	mkdir "$1"
	unshare --mount --propagation "$2" sh -c 'mount --rbind "$2" "$1" && mount --make-r"$3" "$1" && echo $$ >"$1.pid" && exec sleep 1000' sh "$PWD/$1" "$PWD/$3" "$2" &
}
container at private machine/nas
container above private machine
container at-follows slave machine/nas
container above-follows slave machine
wait
`

// TestRootSees: real mount tables of processes that have what a container has.
func TestRootSees(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	dir := t.TempDir()
	machine, place := filepath.Join(dir, "machine"), filepath.Join(dir, "machine/nas")
	run := func(words ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", words, err, out)
		}
	}
	run("mkdir", machine)
	run("mount", "-t", "tmpfs", "machine", machine)
	t.Cleanup(func() { exec.Command("umount", "-l", machine).Run() })
	run("mount", "--make-shared", machine)
	run("mkdir", place)
	run("mount", "-t", "tmpfs", "-o", "ro", "cover", place)

	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "slave", "sh", "-c", engineScript, "sh", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // killed
	})
	names := []string{"above", "above-follows", "at", "at-follows"}
	pids := map[string]int{}
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(pids) < len(names) {
		<-tick.C
		for _, name := range names {
			var pid int
			if text, err := os.ReadFile(filepath.Join(dir, name+".pid")); err == nil {
				if _, err := fmt.Sscan(string(text), &pid); err == nil {
					pids[name] = pid
				}
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes: %v", pids)
		}
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	engine := 0
	if _, err := fmt.Sscan(string(children), &engine); err != nil {
		t.Fatalf("%q: %v", children, err)
	}

	run("mount", "-t", "tmpfs", "nas:/export", place)
	table, err := linux.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	on, _ := linux.MountAt(table, place)
	f, e := newFake(t)
	e.Root = fmt.Sprintf("/proc/%d/root", engine)
	e.Own = func() ([]linux.MountInfo, error) { return linux.MountsOf(engine) }
	e.Of = func(pid int) ([]linux.MountInfo, error) { return linux.MountsInside(engine, pid) }
	for _, name := range names {
		source := machine
		if strings.HasPrefix(name, "at") {
			source = place
		}
		f.run(name, mount{source: source, target: filepath.Join(dir, name)}).pid = pids[name]
	}
	if err := e.Restart(t.Context(), Mount{Point: place, Device: on.Device}, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"restart above", "restart at"}, f.take()); d != "" {
		t.Error(d)
	}
}
