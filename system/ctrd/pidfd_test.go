package ctrd

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper is a process that ends only when it is told to.
func sleeper(t *testing.T) (*exec.Cmd, pidfd) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	fd, err := openPidfd(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fd.close)
	return cmd, fd
}

func TestPidfdWait(t *testing.T) {
	cmd, fd := sleeper(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := fd.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a process that runs: %v", err)
	}
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- fd.wait(t.Context()) }()
	}
	if err := fd.signal("SIGTERM"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	cmd.Wait()
	if err := fd.wait(t.Context()); err != nil {
		t.Errorf("a process that was reaped: %v", err)
	}
	if err := fd.signal("SIGTERM"); err != nil {
		t.Errorf("a signal to a process that was reaped: %v", err)
	}
	if _, err := openPidfd(cmd.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a handle of a process that was reaped: %v", err)
	}
}

func TestPidfdClosed(t *testing.T) {
	_, fd := sleeper(t)
	fd.close()
	if err := fd.signal("SIGTERM"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("signal: %v", err)
	}
	if err := fd.wait(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("wait: %v", err)
	}
	if err := fd.signal("SIGNONE"); err == nil || errors.Is(err, fs.ErrClosed) {
		t.Errorf("unknown signal: %v", err)
	}
}

func TestWaitReadyEndsWithContext(t *testing.T) {
	c, err := New(Options{Address: t.TempDir() + "/none.sock"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
