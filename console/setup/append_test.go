package setup

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func (s *setup) mustWrite(t *testing.T, files ...osconfig.File) {
	t.Helper()
	for _, f := range files {
		if err := s.writeFile(f); err != nil {
			t.Error(err)
		}
	}
}

// TestAppend: what outlasts the console's root grows once, everything else at
// each boot.
func TestAppend(t *testing.T) {
	r := newRoom(t)
	more := func(path string) osconfig.File { return osconfig.File{Path: path, Content: "more\n", Append: true} }
	check := func(path, want string) {
		t.Helper()
		if got := r.read(t, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	r.write(t, "/etc/motd", "first\n")
	if err := os.Chmod(r.path("/etc/motd"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.setup()
	s.mustWrite(t, more("/etc/motd"), more("/home/rancher/notes"))
	check("/etc/motd", "first\nmore\n")
	check("/home/rancher/notes", "more\n")
	if info, err := os.Stat(r.path("/etc/motd")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("permissions %v, %v", info.Mode(), err)
	}
	if r.owned["/home/rancher/notes"] != "0:0" {
		t.Errorf("owner %s", r.owned["/home/rancher/notes"])
	}

	r.write(t, "/etc/motd", "first\n")
	r.write(t, "/home/rancher/notes", "mine\nmore\n")
	s = r.again(t)
	s.mustWrite(t, more("/etc/motd"), more("/home/rancher/notes"))
	check("/etc/motd", "first\nmore\n")
	check("/home/rancher/notes", "mine\nmore\n")
	s.mustWrite(t, osconfig.File{Path: "/home/rancher/notes", Content: "other\n", Append: true, Permissions: "0640", Owner: "sshd"})
	check("/home/rancher/notes", "mine\nmore\nother\n")
	if info, err := os.Stat(r.path("/home/rancher/notes")); err != nil || info.Mode().Perm() != 0o640 || r.owned["/home/rancher/notes"] != "991:65534" {
		t.Errorf("permissions %v, owner %s, %v", info.Mode(), r.owned["/home/rancher/notes"], err)
	}

	if err := os.Remove(r.path("/home/rancher/notes")); err != nil {
		t.Fatal(err)
	}
	r.again(t).mustWrite(t, more("/home/rancher/notes"))
	check("/home/rancher/notes", "more\n")

	// Written whole and then added to: so it is at each boot.
	both := []osconfig.File{{Path: "/home/rancher/kept", Content: "first\n"}, more("/home/rancher/kept")}
	for range 2 {
		r.again(t).mustWrite(t, both...)
		check("/home/rancher/kept", "first\nmore\n")
	}
	if text := r.read(t, memoryPath); strings.Contains(text, "/etc/motd") {
		t.Errorf("memory: %s", text)
	}
}

func TestAppendThroughLink(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/etc/real", "first\n")
	if err := os.Symlink("real", r.path("/etc/link")); err != nil {
		t.Fatal(err)
	}
	r.setup().mustWrite(t, osconfig.File{Path: "/etc/link", Content: "more\n", Append: true})
	if got := r.read(t, "/etc/real"); got != "first\nmore\n" {
		t.Errorf("behind the link: %q", got)
	}
}

// TestRootAppendOnMount: a directory of rancher.state.directories outlasts the
// console, too, also by way of a link.
func TestRootAppendOnMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mount")
	}
	r := newRoom(t)
	for _, dir := range []string{"/data", "/etc"} {
		if err := os.MkdirAll(r.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tmpfs", r.path("/data"), "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(r.path("/data"), 0) })
	r.write(t, "/data/linked", "")
	if err := os.Symlink("../data/linked", r.path("/etc/link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/data/log", "/data/new/dir/log", "/etc/link"} {
		for range 2 {
			r.again(t).mustWrite(t, osconfig.File{Path: path, Content: "more\n", Append: true})
		}
		if got := r.read(t, path); got != "more\n" {
			t.Errorf("%s grows with each boot: %q", path, got)
		}
	}
}
