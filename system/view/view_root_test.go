package view

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/system/linux"
)

// TestMain lets the test's own binary be a container: a process whose root is
// the tree, made as a container runtime makes it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "container" {
		if err := container(os.Args[2], os.Args[3]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// container makes bind its root, with the directory shared on /share, the
// directory both beside it on /both with what is mounted there in either
// direction, says so and lives until its input ends.
func container(bind, shared string) error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := linux.Mount(bind, bind, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := linux.Propagate(bind, unix.MS_PRIVATE); err != nil {
		return err
	}
	if err := linux.Mount(shared, bind+"/share", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := linux.Propagate(bind+"/share", unix.MS_SLAVE); err != nil {
		return err
	}
	both := filepath.Join(filepath.Dir(shared), "both")
	if err := linux.Mount(both, bind+"/both", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := os.Chdir(bind); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Fchdir(old); err != nil {
		return err
	}
	if err := linux.Propagate(".", unix.MS_SLAVE|unix.MS_REC); err != nil {
		return err
	}
	if err := linux.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	fmt.Println("here")
	_, err = os.Stdin.Read(make([]byte, 1))
	if err != nil && err.Error() != "EOF" {
		return err
	}
	return nil
}

// run starts a container that has the tree and returns its process number.
func run(t *testing.T, v View, shared string, back bool) int {
	t.Helper()
	pid := start(t, v, shared)
	must(t, Join(v.root(), pid, back))
	return pid
}

// start starts a container whose runtime has bound the tree.
func start(t *testing.T, v View, shared string) int {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "container", v.forRuntime(), shared)
	// Not Unshareflags, with which Go makes every mount private.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	said := make([]byte, 4096)
	n, err := out.Read(said)
	if err != nil || strings.TrimSpace(string(said[:n])) != "here" {
		t.Fatalf("container: %q, %v", said[:n], err)
	}
	return cmd.Process.Pid
}

// in is a path as a process sees it.
func in(pid int, path string) string { return fmt.Sprintf("/proc/%d/root%s", pid, path) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if string(text) != want || want != "" && err != nil {
		t.Errorf("%s holds %q, want %q: %v", path, text, want, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newView is a tree that is not made yet, below the directory dir of a machine,
// with the directory shared of the machine.
func newView(t *testing.T) (v View, dir, shared string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	dir = t.TempDir()
	// As on the machine, everything is shared but the tree's own directory.
	must(t, linux.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { linux.Unmount(dir, unix.MNT_DETACH) })
	must(t, linux.Propagate(dir, unix.MS_SHARED))
	for path, text := range map[string]string{"lower/etc/os": "image", "lower/share/x": "", "lower/both/x": "", "shared/file": "of the machine", "both/file": "of the machine"} {
		write(t, filepath.Join(dir, path), text)
	}
	v = View{Lower: filepath.Join(dir, "lower"), Dir: filepath.Join(dir, "view"), MountPoints: []string{"/share", "/both", "/made"}}
	t.Cleanup(func() { linux.Unmount(v.Dir, unix.MNT_DETACH) })
	return v, dir, filepath.Join(dir, "shared")
}

// mounter mounts in a process's namespace below a path, one after the other.
func mounter(t *testing.T, pid int, path string, count int) func() {
	return func() {
		err := linux.InMountNamespace(pid, func() error {
			for i := range count {
				target := fmt.Sprintf("%s%d", path, i)
				if err := os.Mkdir(target, 0o755); err != nil {
					return err
				}
				if err := linux.Mount("tmpfs", target, "tmpfs", 0, "size=4k"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// mounted counts what mounter has mounted, as a process sees it.
func mounted(t *testing.T, pid int, path string, count int) int {
	t.Helper()
	mounts, err := linux.MountsOf(pid)
	must(t, err)
	n := 0
	for i := range count {
		at := fmt.Sprintf("%s%d", path, i)
		for _, m := range mounts {
			if m.Target == at {
				n++
			}
		}
	}
	return n
}

// TestRootMountsMeanwhile: what is mounted while an engine gets the tree, or
// is moved over to a new one, is there afterwards, once.
func TestRootMountsMeanwhile(t *testing.T) {
	v, _, shared := newView(t)
	must(t, v.Make())
	must(t, v.Lend())
	const rounds, count = 10, 30
	console := run(t, v, shared, true)
	var engine int
	for round := range rounds {
		engine = start(t, v, shared)
		path := fmt.Sprintf("/join%d-", round)
		var wg sync.WaitGroup
		wg.Go(mounter(t, console, path, count))
		must(t, Join(v.root(), engine, false))
		wg.Wait()
		if n := mounted(t, engine, path, count); n != count {
			t.Errorf("engine that starts: %d of %d mounts", n, count)
		}
	}
	must(t, linux.InMountNamespace(engine, func() error { return linux.Propagate("/", unix.MS_SHARED|unix.MS_REC) }))
	for round := range rounds {
		must(t, v.Lend())
		console = run(t, v, shared, true)
		path, own := fmt.Sprintf("/hand%d-", round), fmt.Sprintf("/share/own%d-", round)
		theirs, ours := fmt.Sprintf("/both/theirs%d-", round), fmt.Sprintf("/both/ours%d-", round)
		var wg sync.WaitGroup
		wg.Go(mounter(t, console, path, count))
		wg.Go(mounter(t, engine, own, count))
		wg.Go(mounter(t, console, theirs, count))
		wg.Go(mounter(t, engine, ours, count))
		must(t, v.Hand(engine))
		wg.Wait()
		for name, pid := range map[string]int{"console": console, "engine": engine} {
			if n, o := mounted(t, pid, theirs, count), mounted(t, pid, ours, count); n != count || o != count {
				t.Errorf("engine that is moved: the %s has %d and %d of what both see, of %d each", name, n, o, count)
			}
		}
		if n, o := mounted(t, engine, path, count), mounted(t, engine, own, count); n != count || o != count {
			t.Errorf("engine that is moved: %d of the console's and %d of its own, of %d each", n, o, count)
		}
	}
}

// TestRootFill: what was mounted below a directory of the machine before a
// container started is there as what comes later is, but for what it must not see.
func TestRootFill(t *testing.T) {
	v, _, shared := newView(t)
	must(t, v.Make())
	must(t, v.Lend())
	mount := func(path string) {
		t.Helper()
		path = filepath.Join(shared, path)
		must(t, os.MkdirAll(path, 0o755))
		must(t, linux.Mount("tmpfs", path, "tmpfs", 0, "size=64k"))
		t.Cleanup(func() { linux.Unmount(path, unix.MNT_DETACH) })
		write(t, filepath.Join(path, "file"), filepath.Base(path))
	}
	for _, path := range []string{"early", "early/deep", "secret", "secret/deep", "dir/secret", "unbindable", "arrives"} {
		mount(path)
	}
	must(t, linux.Propagate(filepath.Join(shared, "unbindable"), unix.MS_UNBINDABLE))
	engine := start(t, v, shared)
	must(t, Join(v.root(), engine, false))
	mount("meanwhile")
	must(t, Fill(engine, shared, "/share", []string{filepath.Join(shared, "secret"), filepath.Join(shared, "dir")}))
	must(t, linux.InMountNamespace(engine, func() error { return linux.Propagate("/", unix.MS_SHARED|unix.MS_REC) }))
	mount("late")
	mount("early/late")
	for path, want := range map[string]string{
		"early": "early", "early/deep": "deep", "arrives": "arrives", "meanwhile": "meanwhile", "late": "late", "early/late": "late",
		"secret": "", "secret/deep": "", "dir/secret": "", "unbindable": "",
	} {
		holds(t, in(engine, "/share/"+path+"/file"), want)
	}
	must(t, linux.Unmount(filepath.Join(shared, "early"), unix.MNT_DETACH))
	holds(t, in(engine, "/share/early/file"), "")
	must(t, linux.InMountNamespace(engine, func() error {
		return linux.Mount("tmpfs", "/share/arrives", "tmpfs", 0, "size=4k")
	}))
	holds(t, filepath.Join(shared, "arrives/file"), "arrives")
	mounts, err := linux.MountsOf(engine)
	must(t, err)
	for _, m := range mounts {
		if strings.Contains(m.Target, "secret") {
			t.Errorf("%s is mounted in the engine", m.Target)
		}
	}
	// What cannot be copied in a console's tree does not keep others from starting.
	must(t, os.Mkdir(filepath.Join(v.root(), "own"), 0o755))
	must(t, linux.Mount("tmpfs", filepath.Join(v.root(), "own"), "tmpfs", 0, "size=4k"))
	must(t, linux.Propagate(filepath.Join(v.root(), "own"), unix.MS_UNBINDABLE))
	must(t, Join(v.root(), start(t, v, shared), false))
}

// TestRootMountPointsStay: a container that sees the tree without what is
// mounted in it, and removes all that it can, takes no mount away elsewhere.
func TestRootMountPointsStay(t *testing.T) {
	v, dir, shared := newView(t)
	must(t, v.Make())
	must(t, v.Lend())
	must(t, v.Bind(filepath.Join(dir, "state/db"), "/db"))
	console := run(t, v, shared, true)
	var flags unix.Statfs_t
	must(t, unix.Statfs(in(console, "/db"), &flags))
	if flags.Flags&unix.ST_NOSUID == 0 || flags.Flags&unix.ST_NODEV == 0 {
		t.Errorf("/db in the console: flags %#x", flags.Flags)
	}
	bare := filepath.Join(dir, "bare")
	must(t, os.Mkdir(bare, 0o755))
	must(t, linux.Mount(v.root(), bare, "", unix.MS_BIND, ""))
	t.Cleanup(func() { linux.Unmount(bare, unix.MNT_DETACH) })
	if err := os.RemoveAll(filepath.Join(bare, "etc")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"share", "made", "db"} {
		if err := os.RemoveAll(filepath.Join(bare, name)); err == nil {
			t.Errorf("%s was removed", name)
		}
	}
	holds(t, in(console, "/share/file"), "of the machine")
	write(t, filepath.Join(dir, "state/db/file"), "lasts")
	holds(t, in(console, "/db/file"), "lasts")
	holds(t, in(console, "/etc/os"), "")
}

// TestRootMountThatHasNoPlace: a console starts without a mount that a new tree
// has no place for, and the error names it.
func TestRootMountThatHasNoPlace(t *testing.T) {
	v, dir, shared := newView(t)
	write(t, filepath.Join(dir, "lower/file"), "")
	must(t, v.Make())
	must(t, v.Lend())
	console := run(t, v, shared, true)
	must(t, linux.InMountNamespace(console, func() error { return os.Remove("/file") }))
	must(t, linux.InMountNamespace(console, func() error {
		if err := os.Mkdir("/file", 0o755); err != nil {
			return err
		}
		return linux.Mount("tmpfs", "/file", "tmpfs", 0, "size=4k")
	}))
	mounter(t, console, "/data", 1)()
	lost, ok := errors.AsType[*LostError](v.Lend())
	if !ok || len(lost.Mounts) != 1 || !strings.HasPrefix(lost.Mounts[0], "/file ") {
		t.Errorf("error %v", lost)
	}
	if n := mounted(t, run(t, v, shared, true), "/data", 1); n != 1 {
		t.Errorf("/data0 is mounted %d times", n)
	}
}

// TestRootView: console and engine see one tree, with what is mounted in the
// console; a console that starts again has everything back; and a running
// engine moves over, with its own mounts and all its processes.
func TestRootView(t *testing.T) {
	v, dir, shared := newView(t)

	must(t, v.Make())
	must(t, v.Lend())
	first, err := os.Stat(v.root())
	must(t, err)
	must(t, v.Bind(filepath.Join(dir, "state/early"), "/early")) // before there is a container
	console, engine := run(t, v, shared, true), run(t, v, shared, false)
	// What ros-engine does (services/engine/supervisor).
	must(t, linux.InMountNamespace(engine, func() error { return linux.Propagate("/", unix.MS_SHARED|unix.MS_REC) }))
	write(t, in(console, "/early/file"), "lasts")
	holds(t, in(engine, "/early/file"), "lasts")
	holds(t, filepath.Join(dir, "state/early/file"), "lasts")

	write(t, in(console, "/etc/mine"), "by hand")
	holds(t, in(engine, "/etc/mine"), "by hand")
	holds(t, in(engine, "/share/file"), "of the machine")
	mount := func(pid int, target string) {
		t.Helper()
		must(t, linux.InMountNamespace(pid, func() error {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
			return linux.Mount("tmpfs", target, "tmpfs", 0, "size=64k")
		}))
	}
	mount(console, "/data")
	write(t, in(console, "/data/file"), "on a disk")
	holds(t, in(engine, "/data/file"), "on a disk")
	mount(engine, "/share/netns") // as dockerd does
	write(t, in(engine, "/share/netns/file"), "a container's")
	holds(t, in(console, "/share/netns/file"), "")
	mount(engine, "/both/a") // as a container does that has asked for rshared
	write(t, in(engine, "/both/a/file"), "a container's")
	holds(t, in(console, "/both/a/file"), "a container's")
	if stale, err := v.Stale(engine); stale || err != nil {
		t.Errorf("the first tree is stale: %v, %v", stale, err)
	}
	must(t, v.Make()) // a manager that starts anew
	if again, err := os.Stat(v.root()); err != nil || !os.SameFile(first, again) {
		t.Errorf("a second Make made another tree: %v", err)
	}

	// A container with the whole tree: rm -rf /etc. Then the console restarts.
	must(t, os.RemoveAll(in(engine, "/etc")))
	must(t, v.Lend())
	holds(t, filepath.Join(v.root(), "etc/os"), "image")
	holds(t, filepath.Join(v.root(), "etc/mine"), "")
	holds(t, filepath.Join(v.root(), "data/file"), "on a disk")
	if stale, err := v.Stale(engine); !stale || err != nil {
		t.Errorf("the engine's tree is not stale: %v, %v", stale, err)
	}
	holds(t, in(engine, "/data/file"), "on a disk") // until it is moved, too
	console = run(t, v, shared, true)
	holds(t, in(console, "/data/file"), "on a disk")
	holds(t, in(console, "/early/file"), "lasts")
	mount(console, "/late")
	write(t, in(console, "/late/file"), "later")
	must(t, v.Hand(engine))
	if stale, err := v.Stale(engine); stale || err != nil {
		t.Errorf("the engine has not got the new tree: %v, %v", stale, err)
	}
	for path, want := range map[string]string{
		"/etc/os": "image", "/data/file": "on a disk", "/late/file": "later", "/share/file": "of the machine",
		"/share/netns/file": "a container's", "/early/file": "lasts",
	} {
		holds(t, in(engine, path), want)
	}
	if all, err := linux.Mounts(); err != nil || strings.Join(below(v.root(), all), " ") != "/data /early /late" {
		t.Errorf("mounted in the tree on the machine: %q, %v", below(v.root(), all), err)
	}
	mount(console, "/new")
	write(t, in(console, "/new/file"), "after the move")
	holds(t, in(engine, "/new/file"), "after the move")
	mount(engine, "/early/sub")
	write(t, in(engine, "/early/sub/file"), "a container's")
	holds(t, in(console, "/early/sub/file"), "")
	mount(engine, "/share/netns2")
	holds(t, in(console, "/share/netns2/file"), "")
	mount(engine, "/both/b")
	write(t, in(engine, "/both/b/file"), "a container's")
	mount(console, "/both/c")
	write(t, in(console, "/both/c/file"), "by hand")
	for _, pid := range []int{console, engine} {
		holds(t, in(pid, "/both/a/file"), "a container's")
		holds(t, in(pid, "/both/b/file"), "a container's")
		holds(t, in(pid, "/both/c/file"), "by hand")
	}
	mounts, err := linux.MountsOf(engine)
	must(t, err)
	seen := map[string]bool{}
	for _, m := range mounts {
		if seen[m.Target] {
			t.Errorf("%s is mounted twice in the engine", m.Target)
		}
		seen[m.Target] = true
	}

	// A directory that the configuration wants to last.
	must(t, v.Bind(filepath.Join(dir, "state/db"), "/db"))
	write(t, in(console, "/db/file"), "lasts")
	holds(t, filepath.Join(dir, "state/db/file"), "lasts")
	holds(t, in(engine, "/db/file"), "lasts")
	must(t, v.Bind(filepath.Join(dir, "state/db"), "/db"))
	must(t, os.Symlink("/tmp", filepath.Join(v.root(), "link")))
	if err := v.Bind(filepath.Join(dir, "state/x"), "/link/x"); err == nil {
		t.Error("a link led the mount out of the tree")
	}
}

// fuse mounts a program's file system in a process's namespace. The program
// never answers, or has died.
func fuse(t *testing.T, pid int, target string, dead bool) {
	t.Helper()
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	must(t, err)
	must(t, linux.InMountNamespace(pid, func() error {
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
		return linux.Mount("program", target, "fuse.program", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev.Fd()))
	}))
	if dead {
		must(t, dev.Close())
	} else {
		t.Cleanup(func() { dev.Close() })
	}
}

// ends fails the test if f returns an error or waits for a file system.
func ends(t *testing.T, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%s does not end", what)
	}
}

// TestRootSilentMounts: console and engine start, and the engine moves, whatever
// is mounted in their tree and does not answer.
func TestRootSilentMounts(t *testing.T) {
	for name, dead := range map[string]bool{"silent": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			v, _, shared := newView(t)
			must(t, v.Make())
			must(t, v.Lend())
			console, engine := run(t, v, shared, true), run(t, v, shared, false)
			must(t, linux.InMountNamespace(engine, func() error { return linux.Propagate("/", unix.MS_SHARED|unix.MS_REC) }))
			fuse(t, console, "/nas", dead)
			fuse(t, engine, "/data", dead) // as a container does with -v /data:/data:rshared
			ends(t, "the next console", v.Lend)
			next := start(t, v, shared)
			ends(t, "the start of the console", func() error { return Join(v.root(), next, true) })
			ends(t, "the move of the engine", func() error { return v.Hand(engine) })
			another := start(t, v, shared)
			ends(t, "the start of an engine", func() error { return Join(v.root(), another, false) })
			for pid, want := range map[int]string{next: "/nas", another: "/nas", engine: "/data /nas"} {
				mounts, err := linux.MountsOf(pid)
				must(t, err)
				var has []string
				for _, m := range mounts {
					if m.Type == "fuse.program" {
						has = append(has, m.Target)
					}
				}
				slices.Sort(has)
				if got := strings.Join(has, " "); got != want {
					t.Errorf("process %d has %q, want %q", pid, got, want)
				}
			}
		})
	}
}

// TestRootHandUndone: an engine that could not be moved, or whose manager died
// meanwhile, has taken no mount away, and moves the next time.
func TestRootHandUndone(t *testing.T) {
	v, dir, shared := newView(t)
	must(t, v.Make())
	must(t, v.Lend())
	console, engine := run(t, v, shared, true), run(t, v, shared, false)
	must(t, linux.InMountNamespace(engine, func() error { return linux.Propagate("/", unix.MS_SHARED|unix.MS_REC) }))
	mounter(t, console, "/both/nas", 1)()
	write(t, in(console, "/both/nas0/file"), "on a disk")
	mounter(t, console, "/nas", 1)()
	mounter(t, console, "/nas0/sub", 1)()
	write(t, in(console, "/nas0/sub0/file"), "on a disk")
	stays := func() {
		t.Helper()
		for _, path := range []string{in(console, "/both/nas0/file"), in(engine, "/both/nas0/file"), filepath.Join(dir, "both/nas0/file"), in(console, "/nas0/sub0/file"), in(engine, "/nas0/sub0/file")} {
			holds(t, path, "on a disk")
		}
	}
	must(t, v.Lend())
	console = run(t, v, shared, true)
	half := func() (next string) {
		t.Helper()
		tree, err := linux.CopyMount(v.root())
		must(t, err)
		defer unix.Close(tree)
		p, err := linux.OpenProcess(engine)
		must(t, err)
		defer p.Close()
		table, err := p.OpenMounts()
		must(t, err)
		defer table.Close()
		there := []string{"/share", "/both", "/nas0"}
		must(t, linux.InMountNamespace(engine, func() error {
			if next, err = stage(tree); err != nil {
				return err
			}
			return fill(next, there, nil, table)
		}))
		return next
	}
	next := half()
	must(t, linux.InMountNamespace(engine, func() error { return unstage(next) }))
	stays()
	half() // and the manager dies
	must(t, os.Mkdir(in(engine, "/.pharos-next-mine"), 0o755))
	write(t, in(engine, "/.pharos-next-mine/file"), "a user's")
	write(t, in(engine, "/.pharos-next-file"), "a user's")
	must(t, v.Hand(engine))
	stays()
	if stale, err := v.Stale(engine); stale || err != nil {
		t.Errorf("the engine has not got the new tree: %v, %v", stale, err)
	}
	mounts, err := linux.MountsOf(engine)
	must(t, err)
	for _, m := range mounts {
		if strings.HasPrefix(m.Target, "/"+nextPrefix) {
			t.Errorf("the engine has %s mounted", m.Target)
		}
	}
	if left, err := filepath.Glob(filepath.Join(v.root(), nextPrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("the console's tree has %q, %v", left, err)
	}
}

func TestOutermost(t *testing.T) {
	got := strings.Join(outermost([]string{"/run/b", "/var", "/run", "/run-x", "/var"}), " ")
	if got != "/run /run-x /var" {
		t.Error(got)
	}
}

// TestRootCover: a mount that comes on top of another one, as the console's
// set-up mounts servers, arrives in the engine whichever of the two has started
// again or moved meanwhile.
func TestRootCover(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	for name, order := range map[string][]string{
		"neither":                      {"comes"},
		"console before":               {"restart", "move", "comes"},
		"console before and late move": {"restart", "comes", "move"},
		"console after":                {"comes", "restart", "move"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, linux.Mount(dir, dir, "", unix.MS_BIND, ""))
			t.Cleanup(func() { linux.Unmount(dir, unix.MNT_DETACH) })
			must(t, linux.Propagate(dir, unix.MS_SHARED))
			write(t, filepath.Join(dir, "lower/share/x"), "")
			write(t, filepath.Join(dir, "lower/both/x"), "")
			must(t, os.Mkdir(filepath.Join(dir, "both"), 0o755))
			shared := filepath.Join(dir, "shared")
			write(t, filepath.Join(shared, "y"), "")
			v := View{Lower: filepath.Join(dir, "lower"), Dir: filepath.Join(dir, "view")}
			t.Cleanup(func() { linux.Unmount(v.Dir, unix.MNT_DETACH) })
			must(t, v.Make())
			must(t, v.Lend())
			console, engine := run(t, v, shared, true), run(t, v, shared, false)
			must(t, linux.InMountNamespace(engine, func() error { return linux.Propagate("/", unix.MS_SHARED|unix.MS_REC) }))
			sees := func(who, source string) {
				t.Helper()
				pid := map[string]int{"console": console, "engine": engine}[who]
				mounts, err := linux.MountsOf(pid)
				must(t, err)
				if m, _ := linux.MountAt(mounts, "/nas"); m.Source != source {
					t.Errorf("the %s has %q, want %q", who, m.Source, source)
				}
			}
			mount := func(source string) {
				t.Helper()
				must(t, linux.InMountNamespace(console, func() error {
					if err := os.MkdirAll("/nas", 0o755); err != nil {
						return err
					}
					return linux.Mount(source, "/nas", "tmpfs", 0, "size=64k")
				}))
			}
			mount("cover")
			want := "cover"
			for _, step := range order {
				switch step {
				case "comes":
					want = "server"
					mount(want)
				case "restart":
					must(t, v.Lend())
					console = run(t, v, shared, true)
				case "move":
					must(t, v.Hand(engine))
				}
				sees("console", want)
				sees("engine", want)
			}
		})
	}
}

// TestRootRecycledNumber: a process that ends while it is handled is not mixed up
// with the next one of its number.
func TestRootRecycledNumber(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	v, _, shared := newView(t)
	must(t, v.Make())
	must(t, v.Lend())
	begin := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", "container", v.forRuntime(), shared)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		_, err := cmd.StdinPipe()
		must(t, err)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		if n, err := out.Read(make([]byte, 4096)); n == 0 {
			t.Fatal(err)
		}
		return cmd
	}
	end := func(cmd *exec.Cmd) { cmd.Process.Kill(); cmd.Wait() }
	first := begin()
	p, err := linux.OpenProcess(first.Process.Pid)
	must(t, err)
	defer p.Close()
	must(t, Join(v.root(), p.PID, false))
	must(t, v.Lend())
	end(first)
	var second *exec.Cmd
	for range 100 { // threads of the test itself take numbers, too
		must(t, os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(p.PID-1)), 0))
		second = begin()
		if second.Process.Pid == p.PID {
			break
		}
		end(second)
	}
	defer end(second)
	if second.Process.Pid != p.PID {
		t.Fatalf("no other process got the number %d", p.PID)
	}
	before, err := linux.MountsOf(p.PID)
	must(t, err)
	if err := linux.InMountNamespace(p.PID, func() error { return nil }); err != nil {
		t.Errorf("the second process by its number: %v", err)
	}
	enter := p.InMountNamespace(func() error { t.Error("in the namespace of the second process"); return nil })
	_, list := p.Mounts()
	_, stale := v.stale(p)
	for name, err := range map[string]error{"enter": enter, "list": list, "stale": stale, "hand": v.hand(p), "complete": v.complete(p, "/next")} {
		if !errors.Is(err, unix.ESRCH) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if after, err := linux.MountsOf(p.PID); err != nil || !slices.Equal(before, after) {
		t.Errorf("mounts of the second process %v, before %v: %v", after, before, err)
	}
}
