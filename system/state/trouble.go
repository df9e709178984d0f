package state

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// fullBelow is the free share of the state file system, of its blocks or of
// its files, below which the machine calls itself degraded.
const fullBelow = 0.02

// Trouble is what is wrong with the mounted state as it is now: it is full, or
// the kernel has made it read-only after an error. It may pass.
func (m Mounted) Trouble() error {
	var st unix.Statfs_t
	if err := unix.Statfs(Root, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", Root, err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	return errors.Join(m.full(st), m.readOnly(string(mounts)))
}

// makeRoom is what fills it most of the time.
const makeRoom = "images and containers that nobody needs go with docker system prune"

func (m Mounted) name() string {
	if m.Device == RAM {
		return "the RAM in place of a state file system"
	}
	return "state file system " + m.Device
}

func (m Mounted) full(st unix.Statfs_t) error {
	if st.Blocks > 0 && float64(st.Bavail)/float64(st.Blocks) < fullBelow {
		return fmt.Errorf("%s is full: %d MiB are free; %s", m.name(), st.Bavail*uint64(st.Bsize)>>20, makeRoom)
	}
	if st.Files > 0 && float64(st.Ffree)/float64(st.Files) < fullBelow {
		return fmt.Errorf("%s is full: it has room for %d more files; %s", m.name(), st.Ffree, makeRoom)
	}
	return nil
}

// readOnly looks at the text of /proc/mounts. ext4 shows emergency_ro when it
// does not write any more.
func (m Mounted) readOnly(mounts string) error {
	ro := false
	for line := range strings.Lines(mounts) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == Root {
			options := strings.Split(f[3], ",")
			ro = slices.Contains(options, "ro") || slices.Contains(options, "emergency_ro")
		}
	}
	if ro {
		return fmt.Errorf("%s is read-only, as after an error of the disk; see ros logs kernel", m.name())
	}
	return nil
}
