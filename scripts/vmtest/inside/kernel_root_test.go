package inside

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRootKernel makes what containers make with capabilities, in namespaces of
// its own.
func TestRootKernel(t *testing.T) {
	done := make(chan []error)
	go func() {
		// The thread is in other namespaces afterwards: it ends with its goroutine.
		runtime.LockOSThread()
		done <- kernelChecks(t.Context(), t.TempDir())
	}()
	for _, err := range <-done {
		t.Error(err)
	}
}

// kernelChecks makes checks in new namespaces of the calling thread.
func kernelChecks(ctx context.Context, dir string) []error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return []error{fmt.Errorf("unshare: %w", err)}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return []error{fmt.Errorf("private mounts: %w", err)}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		return []error{fmt.Errorf("tmpfs: %w", err)}
	}
	ro := filepath.Join(dir, "ro")
	if err := os.Mkdir(ro, 0o755); err != nil {
		return []error{err}
	}
	if err := unix.Mount("tmpfs", ro, "tmpfs", unix.MS_RDONLY, ""); err != nil {
		return []error{fmt.Errorf("read-only tmpfs: %w", err)}
	}
	var errs []error
	for _, c := range []Check{
		{"newlink", "", "bridge"},
		{"newlink", "", "vxlan"},
		{"links", "", "lo"},
		{"mounts", dir, ""},
		{"shares", filepath.Join(dir, "shared"), "x"},
		{"sees", filepath.Join(dir, "shared", "file"), "x"},
		{"tmpfs", dir, "2097152"},
		{"readonly", ro, ""},
		{"capability", "SYS_ADMIN", "21"},
	} {
		if err := c.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c, err))
		}
	}
	return errs
}
