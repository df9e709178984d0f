package services

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// UdevSettled holds when udevd has handled every event that the kernel sent
// before Wait was called. Empty fields are /sys and /run/udev.
type UdevSettled struct {
	Sysfs, Run string
}

// String says what is waited for.
func (c UdevSettled) String() string { return "udev to settle" }

// Wait blocks until the condition holds or ctx ends.
func (c UdevSettled) Wait(ctx context.Context) error {
	sysfs, run := c.Sysfs, c.Run
	if sysfs == "" {
		sysfs = "/sys"
	}
	if run == "" {
		run = "/run/udev"
	}
	// The kernel's queue is read in order: once udevd has answered this event
	// it has read all before it, and what it has not finished is in its queue.
	if err := answered(ctx, sysfs); err != nil {
		return fmt.Errorf("udev settled: %w", err)
	}
	if err := absent(ctx, filepath.Join(run, "queue")); err != nil {
		return fmt.Errorf("udev settled: %w", err)
	}
	return nil
}

// resend is the time after which an unanswered event is sent again: udevd may
// have begun to listen after it.
const resend = 200 * time.Millisecond

// answered waits until udevd has handled a synthetic event of /dev/null that
// was sent by this call. Format of the request: the kernel's
// Documentation/ABI/testing/sysfs-uevent.
func answered(ctx context.Context, sysfs string) error {
	id, err := uuid()
	if err != nil {
		return err
	}
	monitor, err := listenUdev()
	if err != nil {
		return err
	}
	defer monitor.Close()
	null := filepath.Join(sysfs, "devices/virtual/mem/null")
	want := []byte("SYNTH_UUID=" + id + "\x00")
	buf := make([]byte, 64<<10)
	for {
		if err := trigger(null, "change "+id); err != nil {
			return err
		}
		again := time.Now().Add(resend)
		monitor.SetReadDeadline(again)
		for {
			n, err := monitor.Read(buf)
			switch {
			case ctx.Err() != nil:
				return fmt.Errorf("no answer of udevd: %w", context.Cause(ctx))
			case err == nil:
				if bytes.Contains(buf[:n], want) {
					return nil
				}
				continue
			case errors.Is(err, unix.ENOBUFS): // ours may be among the lost ones
			case !errors.Is(err, os.ErrDeadlineExceeded):
				return fmt.Errorf("udev's messages: %w", err)
			}
			break
		}
	}
}

// listenUdev subscribes to the events that udevd has handled: multicast group
// 2 of the uevent protocol (UDEV_MONITOR_UDEV of libudev).
func listenUdev() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("udev's messages: %w", err)
	}
	const handled = 2
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: handled}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("udev's messages: %w", err)
	}
	return os.NewFile(uintptr(fd), "udev"), nil
}

func uuid() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("identifier: %w", err)
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

// absent waits until there is no file at path, by inotify on its directory.
func absent(ctx context.Context, path string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	watch := os.NewFile(uintptr(fd), "inotify")
	defer watch.Close()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("inotify %s: %w", filepath.Dir(path), err)
	}
	stop := context.AfterFunc(ctx, func() { watch.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 4096)
	for {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if _, err := watch.Read(buf); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("%s still there: %w", path, context.Cause(ctx))
			}
			return fmt.Errorf("inotify: %w", err)
		}
	}
}
