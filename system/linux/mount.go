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
	"slices"
	"strconv"
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

// Remote reports whether the file system is a server's or a program's. Whoever
// opens its files may wait for an answer without end.
func (m MountInfo) Remote() bool {
	return strings.HasPrefix(m.Type, "nfs") || strings.HasPrefix(m.Type, "fuse.") || m.Type == "fuse" ||
		slices.Contains([]string{"cifs", "smb3", "ceph", "9p", "afs"}, m.Type)
}

// Mounts lists the caller's mounts, oldest first.
func Mounts() ([]MountInfo, error) { return MountsIn("/proc/self/mountinfo") }

// MountsOf lists the mounts of a process, with paths as it sees them.
func MountsOf(pid int) ([]MountInfo, error) { return MountsIn(fmt.Sprintf("/proc/%d/mountinfo", pid)) }

// MountsIn lists the mounts of a table, a file in the form of
// /proc/self/mountinfo.
func MountsIn(path string) ([]MountInfo, error) {
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

// MountsInside lists the mounts of a process that has the given PID in the PID
// namespace of the process init. Both are found in the /proc of init's root.
// Only a proc file system is read there: whoever may mount in that namespace
// cannot make the caller wait for a pipe.
func MountsInside(init, pid int) ([]MountInfo, error) {
	dir, err := processInside(init, pid)
	if err != nil {
		return nil, fmt.Errorf("mount table: %w", err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, "mountinfo", inProc(unix.O_RDONLY))
	if err != nil {
		return nil, fmt.Errorf("mount table: open mountinfo of process %d: %w", pid, err)
	}
	table := os.NewFile(uintptr(fd), "mountinfo")
	defer table.Close()
	data, err := io.ReadAll(table)
	if err != nil {
		return nil, fmt.Errorf("mount table: process %d: %w", pid, err)
	}
	return parseMountInfo(string(data)), nil
}

// RootInside opens, with O_PATH, the root directory of a process that
// MountsInside finds.
func RootInside(init, pid int) (int, error) {
	dir, err := processInside(init, pid)
	if err != nil {
		return -1, fmt.Errorf("root directory: %w", err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("root directory: open root of process %d: %w", pid, err)
	}
	return fd, nil
}

// processInside opens the directory of a process in the /proc of init's root.
func processInside(init, pid int) (int, error) {
	path := fmt.Sprintf("/proc/%d/root/proc", init)
	proc, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(proc)
	var st unix.Statfs_t
	if err := unix.Fstatfs(proc, &st); err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	if st.Type != unix.PROC_SUPER_MAGIC {
		return -1, fmt.Errorf("%s is not a proc file system", path)
	}
	dir, err := unix.Openat2(proc, strconv.Itoa(pid), inProc(unix.O_PATH|unix.O_DIRECTORY))
	if err != nil {
		return -1, fmt.Errorf("open %s/%d: %w", path, pid, err)
	}
	return dir, nil
}

// inProc opens what is part of a proc file system itself.
func inProc(flags uint64) *unix.OpenHow {
	return &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS}
}

// MountAt returns the mount that an absolute path without links leads to: the
// one that has the path, on top of all others.
func MountAt(mounts []MountInfo, path string) (MountInfo, bool) {
	listed := map[int]bool{}
	for _, m := range mounts {
		listed[m.ID] = true
	}
	var at MountInfo
	for found := false; ; found = true {
		// Of what is mounted on the mount reached so far, the path meets the
		// one with the shortest target first. What is mounted further down
		// beside it is hidden by it.
		next := -1
		for i, m := range mounts {
			on := m.Parent == at.ID && m.ID != at.ID
			if !found {
				on = !listed[m.Parent]
			}
			if on && contains(m.Target, path) && (next < 0 || len(m.Target) < len(mounts[next].Target)) {
				next = i
			}
		}
		if next < 0 {
			return at, found
		}
		at = mounts[next]
	}
}

// contains reports whether a path is dir or below it.
func contains(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

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
// newline, backslash and, in sources, "#".
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(s)
}

// retry calls f until it fails with something other than EINTR.
func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
