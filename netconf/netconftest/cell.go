package netconftest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Cell is a root directory in which a program of Debian's can run.
type Cell struct {
	Dir  string // has the same name inside; short, for sockets
	root string
}

// NewCell makes a cell of the toolbox if that has the program, else of the
// machine's own. The mounts are of the namespace that the test is in (see
// InNamespace). Where neither has the program the test is skipped.
func NewCell(t *testing.T, program string) Cell {
	t.Helper()
	from := toolbox(t)
	if _, err := os.Stat(filepath.Join(from, program)); err != nil {
		from = "/"
	}
	if _, err := os.Stat(filepath.Join(from, program)); err != nil {
		t.Skipf("neither the toolbox nor this machine has %s", program)
	}
	dir, err := os.MkdirTemp("/tmp", "dir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	root, err := os.MkdirTemp("/tmp", "cell")
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
	for _, dir := range []string{"/dev", dir} {
		bind(dir, filepath.Join(root, dir))
	}
	for _, dir := range []string{"lib", "lib64", "bin", "sbin"} {
		if err := os.Symlink("usr/"+dir, filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	return Cell{dir, root}
}

// Command prepares a command that will run in the cell, and end with the test.
func (c Cell) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Output is what a command has said so far, while it goes on.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Start runs a command in the cell until the test's end. What it says comes
// back, and is shown if the test has failed.
func (c Cell) Start(t *testing.T, args ...string) *Output {
	t.Helper()
	said := &Output{}
	cmd := c.Command(args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return said
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
