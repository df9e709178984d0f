package ctrd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/unit"
)

// pidfd is a handle of one process, of no other that gets its number later.
// It is how a container's exit is noticed and how it is signalled: both work
// while containerd is away, and neither starts runc.
type pidfd struct{ file *os.File }

func openPidfd(pid int) (pidfd, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return pidfd{}, fmt.Errorf("pidfd of %d: %w", pid, err)
	}
	return pidfd{os.NewFile(uintptr(fd), "pidfd")}, nil
}

func (p pidfd) close() { p.file.Close() }

// wait blocks until the process has ended or ctx has. Each call polls a copy,
// so that several can wait and each for its own time.
func (p pidfd) wait(ctx context.Context) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("pidfd: %w", err)
	}
	dup := -1
	if conn.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }) != nil {
		return fmt.Errorf("pidfd: %w", fs.ErrClosed)
	}
	if err != nil {
		return fmt.Errorf("pidfd: %w", err)
	}
	file := os.NewFile(uintptr(dup), "pidfd")
	defer file.Close()
	stop := context.AfterFunc(ctx, func() { file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	poll, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("pidfd: %w", err)
	}
	err = poll.Read(exited)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("pidfd: %w", err)
	}
	return nil
}

// exited reports whether a pidfd is readable, which is: its process has ended.
func exited(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// signal sends a signal by name; a process that has ended takes it silently.
func (p pidfd) signal(name string) error {
	sig, err := unit.Signal(name)
	if err != nil {
		return err
	}
	conn, err := p.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("pidfd: %w", err)
	}
	if conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }) != nil {
		return fmt.Errorf("pidfd: %w", fs.ErrClosed)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
