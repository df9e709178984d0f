package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
