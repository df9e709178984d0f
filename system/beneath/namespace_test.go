package beneath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/system/linux"
)

// rooted is a mount table in which a directory is the root directory and
// nothing is mounted on it.
func rooted(t *testing.T, dir string) *Namespace {
	t.Helper()
	n, err := OpenNamespace(dir, []linux.MountInfo{{ID: 20, Parent: 1, Target: "/", Type: "overlay"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// TestNamespace has a mount table in which what is mounted is said but not
// done.
func TestNamespace(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"srv/db", "data/db", "usr/lib/modules", "usr/share", "run", "scratch/a", "mnt/server", "disk", "home", "opt/sub", "proc/self"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "srv/file"), "")
	for link, target := range map[string]string{
		"lib": "usr/lib", "run/up": "../..", "srv/link": "/data/db", "data/back": "../srv/./db", "data/loop": "loop", "data/dangling": "/usr/share/zoneinfo/UTC",
		"opt/sub/up": "../../data", "data/to-server": "/mnt/server/x/../y", "data/to-file": "/srv/file", "data/around": "/srv/link/..",
		"data/to-proc": "/proc/self/root/etc", "proc/self/root": "/",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	mount := func(id, parent int, target, fstype, device string) linux.MountInfo {
		return linux.MountInfo{ID: id, Parent: parent, Target: target, Type: fstype, Device: device}
	}
	n, err := OpenNamespace(root, []linux.MountInfo{
		mount(20, 1, "/", "overlay", "0:40"), mount(21, 20, "/srv", "ext4", "8:1"), mount(23, 20, "/usr/lib/modules", "erofs", "7:0"),
		mount(24, 20, "/run", "tmpfs", "0:30"), mount(26, 20, "/scratch", "tmpfs", "0:50"), mount(27, 20, "/mnt", "ext4", "8:1"),
		mount(28, 27, "/mnt/server", "nfs4", "0:60"),
		mount(29, 20, "/disk", "tmpfs", "0:51"), mount(30, 29, "/disk", "ext4", "8:17"), // the second covers the first
		mount(31, 20, "/opt", "ext4", "8:1"), mount(32, 31, "/opt/sub", "overlay", "0:40"), // a bind of the tree
		mount(33, 99, "/home", "ext4", "8:1"), // below a mount that is covered itself
		mount(34, 21, "/srv/ram", "tmpfs", "0:52"), mount(35, 20, "/proc", "proc", "0:20"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n.Mount().ID != 20 {
		t.Errorf("the root is on %+v", n.Mount())
	}
	for path, want := range map[string]string{
		"/":                   "/ overlay",
		"":                    "/ overlay",
		"/srv/db":             "/srv/db ext4",
		"srv/./db/":           "/srv/db ext4",
		"/srv/file":           "/srv/file ext4",
		"/data/to-file":       "/srv/file ext4",
		"/srv/link":           "/data/db overlay",
		"/srv/link/new/file":  "/data/db/new/file overlay",
		"/srv/link/..":        "/data overlay",
		"/data/around/new":    "/data/new overlay",
		"/data/back":          "/srv/db ext4",
		"/lib/modules":        "/usr/lib/modules erofs",
		"/run/up/data":        "/data overlay",
		"/../../run/x.sock":   "/run/x.sock tmpfs",
		"/scratch/a":          "/scratch/a tmpfs",
		"/mnt/server/a/../b":  "/mnt/server/b nfs4",
		"/data/to-server":     "/mnt/server/y nfs4",
		"/data/to-proc":       "/proc/self/root/etc proc",
		"/disk/a":             "/disk/a ext4",
		"/home/x":             "/home/x overlay",
		"/opt/sub":            "/opt/sub overlay",
		"/opt/sub/up":         "/data overlay",
		"/srv/ram/x":          "/srv/ram/x tmpfs",
		"/no/such/place":      "/no/such/place overlay",
		"/srv/no/../../other": "/other ext4", // it cannot be made
		"/data/dangling":      "/usr/share/zoneinfo/UTC overlay",
	} {
		p, err := n.Resolve(path)
		if got := p.Path + " " + p.Mount.Type; err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", path, got, err, want)
		}
	}
	for path, want := range map[string]error{
		"/data/loop": unix.ELOOP, "/srv/file/x": unix.ENOTDIR, "/data/to-file/../x": unix.ENOTDIR, strings.Repeat("x", 300): unix.ENAMETOOLONG,
	} {
		if p, err := n.Resolve(path); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v, want %v", path, p, err, want)
		}
	}
}

func TestOpenNamespace(t *testing.T) {
	if _, err := OpenNamespace(t.TempDir(), nil); err == nil {
		t.Error("a table without a root")
	}
	root := []linux.MountInfo{{ID: 1, Target: "/"}}
	if _, err := OpenNamespace(filepath.Join(t.TempDir(), "no"), root); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestOpenFile opens regular files, by links too, and nothing else.
func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "srv/file"), "text")
	write(t, filepath.Join(dir, "mnt/server/file"), "not asked")
	if err := errors.Join(os.Symlink("/srv/file", filepath.Join(dir, "link")), unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	n, err := OpenNamespace(dir, []linux.MountInfo{
		{ID: 20, Parent: 1, Target: "/", Type: "overlay", Device: "0:40"}, {ID: 21, Parent: 20, Target: "/mnt/server", Type: "nfs4", Device: "0:60"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, name := range []string{"/srv/file", "/link", "/mnt/../link"} {
		f, err := n.Open(name)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := io.ReadAll(f)
		if err != nil || string(text) != "text" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		f.Close()
	}
	for name, want := range map[string]error{"/srv": ErrNotRegular, "/pipe": ErrNotRegular, "/no": fs.ErrNotExist, "/mnt/server/file": errSilent, "/": ErrNotRegular} {
		within(t, func() {
			if _, err := n.Open(name); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		})
	}
}

// TestRootNamespaceInside is of a process in PID and mount namespaces of its own.
func TestRootNamespaceInside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "mount -t tmpfs its-own $1/root && mkdir $1/root/d && echo text >$1/root/d/file && mount --bind $1/root/d $1/root/d && " +
		"echo ready && exec sleep 1000"
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script, "sh", dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // killed
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	init, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	n, err := NamespaceInside(init, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p, err := n.Resolve(dir + "/root/d/file")
	if err != nil || p.Mount.Type != "tmpfs" || p.Mount.Target != dir+"/root/d" {
		t.Errorf("%+v, %v", p, err)
	}
	f, err := n.Open(dir + "/root/d/file")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := NamespaceInside(init, 4000000); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestRootNamespace asks for the mounts of this process.
func TestRootNamespace(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	dir := t.TempDir()
	before, err := NamespaceOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := linux.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer linux.Unmount(dir, unix.MNT_DETACH)
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Symlink(dir, link), os.Symlink("/etc", filepath.Join(dir, "etc"))); err != nil {
		t.Fatal(err)
	}
	now, err := NamespaceOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	for path, want := range map[string]string{
		link + "/x": dir + "/x tmpfs", "/proc/self/root" + link: "/proc/self/root" + link + " proc", "/proc/self/fd/0": "/proc/self/fd/0 proc",
	} {
		p, err := now.Resolve(path)
		if got := p.Path + " " + p.Mount.Type; err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", path, got, err, want)
		}
	}
	// A table that is older than the mount: what is on it is not known.
	if p, err := before.Resolve(link + "/etc"); err != nil || p != (Location{Path: dir + "/etc"}) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestRootSilent has a file system of a program that never answers.
func TestRootSilent(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs /dev/fuse: %v", err)
	}
	defer unix.Close(dev) // which ends the file system
	dir := t.TempDir()
	before, err := NamespaceOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := linux.Mount("silent", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev)); err != nil {
		t.Fatal(err)
	}
	defer linux.Unmount(dir, unix.MNT_DETACH)
	now, err := NamespaceOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	for want, n := range map[string]*Namespace{"fuse": now, "": before} {
		within(t, func() {
			if p, err := n.Resolve(dir + "/a/b"); err != nil || p.Path != dir+"/a/b" || p.Mount.Type != want {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}
