package netconftest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Cell makes a root directory in which a program of Debian's can run, as a
// command's SysProcAttr.Chroot: the toolbox's if that has it, else the
// machine's own. Directories that are shared have the same name inside. The
// mounts are of the namespace that the test is in (see InNamespace). Where
// neither has the program the test is skipped.
func Cell(t *testing.T, program string, shared ...string) string {
	t.Helper()
	from := toolbox(t)
	if _, err := os.Stat(filepath.Join(from, program)); err != nil {
		from = "/"
	}
	if _, err := os.Stat(filepath.Join(from, program)); err != nil {
		t.Skipf("neither the toolbox nor this machine has %s", program)
	}
	root, err := os.MkdirTemp("/tmp", "cell") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	bind := func(from, to string) {
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			t.Fatalf("mount %s: %v", to, err)
		}
	}
	// All in one mount: it goes with one call, and nothing below it is removed.
	bind(root, root)
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", root, err)
			return
		}
		os.RemoveAll(root)
	})
	for _, dir := range []string{"usr", "etc"} {
		bind(filepath.Join(from, dir), filepath.Join(root, dir))
	}
	for _, dir := range append([]string{"/dev"}, shared...) {
		bind(dir, filepath.Join(root, dir))
	}
	for _, dir := range []string{"lib", "lib64", "bin", "sbin"} {
		if err := os.Symlink("usr/"+dir, filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// toolbox is the build's, found from the directory that tests run in.
func toolbox(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	return filepath.Join(dir, "build/toolbox")
}
