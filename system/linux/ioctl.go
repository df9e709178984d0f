package linux

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func ioctlPtr[T any](f *os.File, request uintptr, arg *T) error {
	return retry(func() error {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(arg)))
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// BlockSize returns the size of an open block device in bytes.
func BlockSize(f *os.File) (int64, error) {
	var size int64
	if err := ioctlPtr(f, unix.BLKGETSIZE64, &size); err != nil {
		return 0, fmt.Errorf("size of %s: %w", f.Name(), err)
	}
	return size, nil
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// KeepDirectory makes a directory immutable, see ioctl_iflags(2): nothing in it
// is made or removed, and it is not removed itself, also not by root, until
// somebody takes the flag away. Something can be mounted on it. A mount point
// needs that where others see the file system below: the kernel unmounts what
// is on a directory that is removed in another mount namespace. A file system
// that has no such flag is no error.
func KeepDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var flags uint32
	err = ioctlPtr(f, unix.FS_IOC_GETFLAGS, &flags)
	if err == nil && flags&immutable == 0 {
		flags |= immutable
		err = ioctlPtr(f, unix.FS_IOC_SETFLAGS, &flags)
	}
	if err == nil || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return fmt.Errorf("keep directory %s from being removed: %w", path, err)
}

// SetWatchdogTimeout asks an open watchdog device to reset the machine after
// so long without a write; it returns what the device really does.
func SetWatchdogTimeout(f *os.File, timeout time.Duration) (time.Duration, error) {
	seconds := int32(timeout / time.Second)
	if err := ioctlPtr(f, unix.WDIOC_SETTIMEOUT, &seconds); err != nil {
		return 0, fmt.Errorf("watchdog timeout of %s: %w", f.Name(), err)
	}
	return time.Duration(seconds) * time.Second, nil
}

// FinitModule loads a kernel module from its file, also a compressed one where
// the kernel can decompress. It returns the bare errno wrapped: EEXIST means
// that the module is there already.
func FinitModule(path, params string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("kernel module: %w", err)
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	if err := retry(func() error { return unix.FinitModule(int(f.Fd()), params, flags) }); err != nil {
		return fmt.Errorf("kernel module %s: %w", path, err)
	}
	return nil
}

// SinceBoot is the time since the kernel started, suspension included.
func SinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Action is a way to end the machine.
type Action string

// The actions, as they are spelled in the protocol with the manager.
const (
	Poweroff Action = "poweroff"
	Reboot   Action = "reboot"
	Halt     Action = "halt"
)

// ParseAction accepts the three actions and nothing else.
func ParseAction(s string) (Action, error) {
	switch a := Action(s); a {
	case Poweroff, Reboot, Halt:
		return a, nil
	}
	return "", fmt.Errorf("action %q: want poweroff, reboot or halt", s)
}

// RebootNow is reboot(2): nothing is synced or stopped. It returns only when
// it fails.
func RebootNow(a Action) error {
	cmd := unix.LINUX_REBOOT_CMD_RESTART
	switch a {
	case Poweroff:
		cmd = unix.LINUX_REBOOT_CMD_POWER_OFF
	case Halt:
		cmd = unix.LINUX_REBOOT_CMD_HALT
	}
	if err := unix.Reboot(cmd); err != nil {
		return fmt.Errorf("reboot(%s): %w", a, err)
	}
	return nil
}

// CatchCtrlAltDel makes the key combination a SIGINT to PID 1 in place of an
// immediate reset.
func CatchCtrlAltDel() error {
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		return fmt.Errorf("ctrl-alt-del: %w", err)
	}
	return nil
}
