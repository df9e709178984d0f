package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts, loop devices, uevents")
	}
}

func TestRootMount(t *testing.T) {
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "with blank")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV, "size=1m"); err != nil {
		t.Fatal(err)
	}
	mounted := func() bool {
		mounts, err := Mounts()
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(mounts, func(m MountInfo) bool { return m.Target == dir && m.Type == "tmpfs" })
	}
	if !mounted() {
		t.Error("mount not in the table")
	}
	for range 2 { // the second time it is not mounted
		if err := Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}
	if mounted() {
		t.Error("still in the table")
	}
	err := Mount("/dev/none", dir, "nonesuch", 0, "a=b")
	if !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "a=b") {
		t.Errorf("error of a bad mount: %v", err)
	}
}

// TestRootMountsEscape: the mount table has every source and target as it was given.
func TestRootMountsEscape(t *testing.T) {
	needRoot(t)
	const odd = "a b\tc\nd\\e#f\\043"
	dir := filepath.Join(t.TempDir(), odd)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	source := "//nas/" + odd
	if err := Mount(source, dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	mounts, err := Mounts()
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := MountAt(mounts, dir); m.Target != dir || m.Source != source {
		t.Errorf("%q on %q, want %q on %q", m.Source, m.Target, source, dir)
	}
}

// TestRootMountsInside asks for the mounts and the root of a process by its PID in a
// namespace of its own, and is not led astray by who may mount there.
func TestRootMountsInside(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	inside := func(script string) (pid int) {
		t.Helper()
		cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script+"; exec sleep 1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait() // killed
		})
		children := fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid)
		deadline := time.Now().Add(10 * time.Second)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			text, err := os.ReadFile(children)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%s/comm", strings.TrimSpace(string(text))))
			if string(name) == "sleep\n" {
				fmt.Sscan(string(text), &pid)
				return pid
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has no process that sleeps", children)
			}
		}
		return 0
	}
	mounts, err := MountsInside(inside("mount -t tmpfs its-own "+dir), 1)
	if m, ok := MountAt(mounts, dir); err != nil || !ok || m.Source != "its-own" {
		t.Errorf("mount at %s: %+v, %v", dir, m, err)
	}
	plain := inside("true")
	_, errMounts := MountsInside(plain, 4000000)
	_, errRoot := RootInside(plain, 4000000)
	if !errors.Is(errMounts, unix.ENOENT) || !errors.Is(errRoot, unix.ENOENT) {
		t.Errorf("a process that is not there: %v, %v", errMounts, errRoot)
	}
	root, err := RootInside(inside("mount -t tmpfs its-own "+dir+" && touch "+dir+"/here"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	if err := unix.Faccessat(root, dir[1:]+"/here", unix.F_OK, 0); err != nil {
		t.Errorf("in the root directory of a process: %v", err)
	}
	trap := "mount -t tmpfs trap /proc && mkdir /proc/1 && mkfifo /proc/1/mountinfo"
	if _, err := MountsInside(inside(trap), 1); err == nil || !strings.Contains(err.Error(), "not a proc file system") {
		t.Errorf("a /proc of another kind: %v", err)
	}
	trap = "mkfifo " + dir + "/pipe && mount --bind " + dir + "/pipe /proc/1/mountinfo"
	if _, err := MountsInside(inside(trap), 1); !errors.Is(err, unix.EXDEV) {
		t.Errorf("a file that something is mounted on: %v", err)
	}
}

func TestRootLoop(t *testing.T) {
	needRoot(t)
	image := filepath.Join(t.TempDir(), "image")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	if err := os.WriteFile(image, content, 0o644); err != nil {
		t.Fatal(err)
	}
	dev, err := AttachLoop(Loop{Backing: image, Offset: 4096 + 512, Size: 8192, ReadOnly: true, AutoClear: true})
	if err != nil {
		t.Fatal(err)
	}
	size, err := BlockSize(dev)
	if err != nil || size != 8192 {
		t.Errorf("size %d, err %v", size, err)
	}
	got, err := io.ReadAll(dev)
	if err != nil || !bytes.Equal(got, content[4608:4608+8192]) {
		t.Errorf("%d bytes read, err %v", len(got), err)
	}
	dev.Close()
	if err := DetachLoop(dev.Name()); err != nil { // gone already: autoclear
		t.Error(err)
	}
	if _, err := AttachLoop(Loop{Backing: image + "x", ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no backing file: %v", err)
	}
}

func TestRootUevents(t *testing.T) {
	needRoot(t)
	u, err := ListenUevents()
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Uevent, 64)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	timeout := time.After(5 * time.Second)
	go func() { done <- u.Run(ctx, events) }()
	// The kernel repeats what is written here as a message.
	if err := os.WriteFile("/sys/class/mem/null/uevent", []byte("change"), 0o644); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case e := <-events:
			if e["DEVNAME"] != "null" {
				continue
			}
			if e["ACTION"] != "change" || e["SUBSYSTEM"] != "mem" {
				t.Errorf("event %v", e)
			}
		case <-timeout:
			t.Error("no event within 5 s")
		}
		break
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("Run returned without the context's error")
	}
}
