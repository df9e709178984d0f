// Package linux owns the thin, EINTR-safe wrappers of the system calls that
// several packages need: mounts, loop devices, device-mapper, kernel modules,
// uevents, clocks and reboot(2). It refuses policy: it neither decides what is
// mounted or loaded nor logs; every error names what it was done to.
package linux

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is mount(2). Data is the file system's own options, comma-separated.
func Mount(source, target, fstype string, flags uintptr, data string) error {
	err := retry(func() error { return unix.Mount(source, target, fstype, flags, data) })
	if err != nil {
		return fmt.Errorf("mount %s %s on %s (flags %#x, data %q): %w", fstype, source, target, flags, data, err)
	}
	return nil
}

// Unmount is umount2(2). A target that is not mounted is no error.
func Unmount(target string, flags int) error {
	err := retry(func() error { return unix.Unmount(target, flags|unix.UMOUNT_NOFOLLOW) })
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s (flags %#x): %w", target, flags, err)
	}
	return nil
}

// MountInfo is one line of /proc/self/mountinfo, see proc_pid_mountinfo(5).
type MountInfo struct {
	ID, Parent int
	Device     string // MAJOR:MINOR
	Root       string // path inside the file system
	Target     string
	Type       string
	Source     string
}

// Mounts lists the caller's mounts, oldest first.
func Mounts() ([]MountInfo, error) { return mounts("/proc/self/mountinfo") }

// MountsOf lists the mounts of a process, with paths as it sees them.
func MountsOf(pid int) ([]MountInfo, error) { return mounts(fmt.Sprintf("/proc/%d/mountinfo", pid)) }

func mounts(path string) ([]MountInfo, error) {
	t, err := openMounts(path)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Read()
}

// MountTable is the open mount table of a process. It can be read again and
// again, also where another /proc is mounted.
type MountTable struct{ file *os.File }

// OpenMounts opens the table of a process.
func OpenMounts(pid int) (*MountTable, error) {
	return openMounts(fmt.Sprintf("/proc/%d/mountinfo", pid))
}

func openMounts(path string) (*MountTable, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("mount table: %w", err)
	}
	return &MountTable{f}, nil
}

// Read lists the mounts as they are now, with paths as the process sees them.
func (t *MountTable) Read() ([]MountInfo, error) {
	_, err := t.file.Seek(0, io.SeekStart)
	var data []byte
	if err == nil {
		data, err = io.ReadAll(t.file)
	}
	if err != nil {
		return nil, fmt.Errorf("mount table: %w", err)
	}
	return parseMountInfo(string(data)), nil
}

// Close closes the table.
func (t *MountTable) Close() error { return t.file.Close() }

func parseMountInfo(text string) []MountInfo {
	var mounts []MountInfo
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(line, " - ")
		if !ok {
			continue
		}
		h, t := strings.Fields(head), strings.Fields(tail)
		if len(h) < 6 || len(t) < 2 {
			continue
		}
		m := MountInfo{Device: h[2], Root: unescape(h[3]), Target: unescape(h[4]), Type: t[0], Source: unescape(t[1])}
		fmt.Sscan(h[0], &m.ID)
		fmt.Sscan(h[1], &m.Parent)
		mounts = append(mounts, m)
	}
	return mounts
}

// unescape resolves the octal escapes that the kernel writes for space, tab,
// newline and backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// retry calls f until it fails with something other than EINTR.
func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
