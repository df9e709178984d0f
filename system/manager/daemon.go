package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/supervise"
)

// daemon keeps one process of the machine itself running: the system
// containerd. Its containers live in shims and outlast it; so does it outlast
// the manager, which finds it again by asking who listens on the socket.
type daemon struct {
	path    string
	args    []string
	socket  string
	cgroup  string // below /sys/fs/cgroup
	oom     int
	logFile string
	up      *supervise.Gate
	log     *slog.Logger
}

// run starts or adopts the daemon and restarts it with back-off until ctx
// ends. It leaves it running then: stop ends it.
func (d *daemon) run(ctx context.Context) {
	backoff := supervise.DefaultBackoff()
	for ctx.Err() == nil {
		began := time.Now()
		err := d.once(ctx)
		d.up.Close()
		if ctx.Err() != nil {
			return
		}
		wait := backoff.Next(time.Since(began))
		d.log.Warn("daemon ended", "path", d.path, "error", err, "restart_in", wait)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

func (d *daemon) once(ctx context.Context) error {
	if pid, err := listener(d.socket); err == nil {
		d.log.Info("daemon adopted", "path", d.path, "pid", pid)
		d.up.Open()
		return awaitExit(ctx, pid)
	}
	cmd, err := d.start()
	if err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond) // a socket that accepts has no event
	defer tick.Stop()
	for !d.up.IsOpen() {
		select {
		case err := <-exited:
			return fmt.Errorf("before it listened on %s: %w", d.socket, err)
		case <-tick.C:
			if _, err := listener(d.socket); err == nil {
				d.up.Open()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case err := <-exited:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *daemon) start() (*exec.Cmd, error) {
	if err := os.MkdirAll(filepath.Dir(d.socket), 0o711); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(d.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(d.path, d.args...)
	cmd.Stdout, cmd.Stderr = log, log
	// GOGC is for the shims and runc, which inherit it: a runc that ends after
	// a moment should collect no garbage. containerd sets its own.
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin", "HOME=/run", "GOGC=200", "SSL_CERT_FILE=" + engine.CertFile}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if g, err := os.Open(filepath.Join(cgroupRoot, d.cgroup)); err == nil {
		defer g.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(g.Fd())
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", d.path, err)
	}
	if err := setOOMScore(cmd.Process.Pid, d.oom); err != nil {
		d.log.Warn("cannot set the OOM score", "path", d.path, "error", err)
	}
	return cmd, nil
}

// stop asks the daemon to end and waits until ctx does.
func (d *daemon) stop(ctx context.Context) error {
	pid, err := listener(d.socket)
	if err != nil {
		return nil // it does not run
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("SIGTERM to %s: %w", d.path, err)
	}
	return awaitExit(ctx, pid)
}

// listener connects to a unix socket and returns the process that listens.
func listener(socket string) (int, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, fmt.Errorf("peer of %s: %w", socket, credErr)
	}
	return int(cred.Pid), nil
}

// awaitExit blocks until a process that need not be our child has ended.
func awaitExit(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil // it has ended since somebody saw it
	}
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 500) // ms; only so that ctx is looked at
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("watch process %d: %w", pid, err)
		}
		if n > 0 {
			return nil
		}
	}
	return ctx.Err()
}
