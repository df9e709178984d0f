package vmtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// MaxMachines is how many machines run at once, in all processes together.
const MaxMachines = 2

// Slots takes n of the places for machines, whose lock files are in dir, and
// waits until they are free. A test that measures time takes all of them. The
// returned function gives them back.
func Slots(ctx context.Context, dir string, n int) (release func(), err error) {
	if n < 1 || n > MaxMachines {
		return nil, fmt.Errorf("%d places for machines: there are %d", n, MaxMachines)
	}
	var held []*os.File
	release = func() {
		for _, f := range held {
			f.Close() // drops the lock
		}
		held = nil
	}
	// A file lock has no way to wait for either of two files, and taking
	// them one after the other could leave two waiters with one each.
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		for i := 0; i < MaxMachines && len(held) < n; i++ {
			f, err := tryLock(filepath.Join(dir, fmt.Sprintf("slot-%d.lock", i)))
			if err != nil {
				release()
				return nil, fmt.Errorf("place for a machine: %w", err)
			}
			if f != nil {
				held = append(held, f)
			}
		}
		if len(held) == n {
			return release, nil
		}
		release()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("place for a machine: %w", context.Cause(ctx))
		}
	}
}

// tryLock returns the locked file, or nil when somebody else holds it.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, f.Close()
	default:
		return nil, errors.Join(err, f.Close())
	}
}
