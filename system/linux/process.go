package linux

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Process is one process, and no other that gets its number later: by number
// alone, a long operation on one that ends meanwhile could reach another one.
type Process struct {
	PID int
	fd  int // pidfd
}

// OpenProcess opens the process that has a number now.
func OpenProcess(pid int) (Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return Process{pid, fd}, nil
}

// Close forgets the process.
func (p Process) Close() { unix.Close(p.fd) }

// check returns an error when the process does not have its number any more.
// What was opened by the number before is the process's otherwise.
func (p Process) check() error {
	if err := unix.PidfdSendSignal(p.fd, 0, nil, 0); err != nil {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	return nil
}

// Mounts lists the mounts of the process, with paths as it sees them.
func (p Process) Mounts() ([]MountInfo, error) {
	t, err := p.OpenMounts()
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Read()
}

// OpenMounts opens the mount table of the process.
func (p Process) OpenMounts() (*MountTable, error) {
	t, err := openMounts(fmt.Sprintf("/proc/%d/mountinfo", p.PID))
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Root looks at the root directory of the process.
func (p Process) Root() (os.FileInfo, error) {
	info, err := os.Stat(fmt.Sprintf("/proc/%d/root", p.PID))
	return info, errors.Join(err, p.check())
}

// InMountNamespace is InMountNamespace for the process.
func (p Process) InMountNamespace(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- p.enterMountNamespace(f)
			return // locked: the thread ends with the goroutine
		}
		// The main thread is what /proc/self shows, and cannot end. While it
		// is held here, the next goroutine gets another one.
		defer runtime.UnlockOSThread()
		done <- p.InMountNamespace(f)
	}()
	return <-done
}

func (p Process) enterMountNamespace(f func() error) error {
	// The kernel refuses a thread that shares its root with others.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("mount namespace of process %d: unshare: %w", p.PID, err)
	}
	if err := unix.Setns(p.fd, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("mount namespace of process %d: setns: %w", p.PID, err)
	}
	return f()
}
