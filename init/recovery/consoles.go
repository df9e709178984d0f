package recovery

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Consoles lists the terminals that a person may sit at: the kernel's consoles,
// where tty0 (whichever is shown) stands for tty1, and tty1.
func Consoles(sys, dev string) []string {
	data, _ := os.ReadFile(filepath.Join(sys, "class/tty/console/active")) // without it, tty1
	var found []string
	for _, name := range append(strings.Fields(string(data)), "tty1") {
		if name == "tty0" {
			name = "tty1"
		}
		path := filepath.Join(dev, name)
		if _, err := os.Stat(path); err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
}

// untouch sets the terminal's access time to zero, so that any input changes
// it: the kernel keeps it to eight seconds.
func untouch(tty string) {
	os.Chtimes(tty, time.Unix(0, 0), time.Time{}) // else the countdown cannot be stopped
}

// touched reports whether anything was read from the terminal since untouch.
func touched(tty string) bool {
	var s unix.Stat_t
	return unix.Stat(tty, &s) == nil && s.Atim.Sec != 0
}

// inUse reports whether the terminal controls some process's session.
func inUse(tty string) bool {
	var s unix.Stat_t
	if unix.Stat(tty, &s) != nil {
		return false
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err == nil && controlling(string(data)) == s.Rdev {
			return true
		}
	}
	return false
}

// controlling returns tty_nr of a line of /proc/PID/stat, see
// proc_pid_stat(5). The command's name may hold blanks and parentheses.
func controlling(stat string) uint64 {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 5 {
		return 0
	}
	n, _ := strconv.ParseUint(fields[4], 10, 32) // 0 is no terminal
	return unix.Mkdev(uint32(n>>8&0xfff), uint32(n&0xff|n>>12&0xfff00))
}
