package logging

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	logSuffix = ".log"
	// maxFile is how much of a unit's log may be in its file.
	maxFile = 1 << 20
	// block is what file systems free memory in.
	block = 4096
	// unitRing is how much of a unit's log can be read back.
	unitRing = 512 << 10
	// maxLine is when a line without an end is taken for one.
	maxLine = 16 << 10
)

// LogPath is the file that unit's output goes to. Its writer keeps it open, so
// it is never renamed or cut off, which would lose what is written meanwhile;
// its old part is made a hole instead. Its size grows, what it takes does not.
func LogPath(dir, unit string) string { return filepath.Join(dir, unit+logSuffix) }

// units follows the log files of a directory. The files hold raw output;
// when a line came is what the follower saw.
type units struct {
	dir     string
	maxFile int64
	log     *slog.Logger

	mu    sync.Mutex
	rings map[string]*Ring
	added chan struct{} // closed and replaced when rings grows
}

func newUnits(dir string, log *slog.Logger) *units {
	return &units{dir: dir, maxFile: maxFile, log: log, rings: map[string]*Ring{}, added: make(chan struct{})}
}

// ring is unit's ring, nil if there is no log of it.
func (u *units) ring(unit string) *Ring {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rings[unit]
}

// all is every unit's ring, and what is closed when there is another.
func (u *units) all() (map[string]*Ring, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	rings := make(map[string]*Ring, len(u.rings))
	for name, r := range u.rings {
		rings[name] = r
	}
	return rings, u.added
}

func (u *units) obtain(unit string) *Ring {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.rings[unit]
	if !ok {
		r = NewRing(unit, unitRing)
		u.rings[unit] = r
		close(u.added)
		u.added = make(chan struct{})
	}
	return r
}

// run follows the files until ctx ends.
func (u *units) run(ctx context.Context) error {
	if err := os.MkdirAll(u.dir, 0o755); err != nil {
		return fmt.Errorf("unit logs: %w", err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, u.dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_MODIFY|unix.IN_DELETE|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("inotify %s: %w", u.dir, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	tails := map[string]*tailer{}
	u.scan(tails, true)
	buf := make([]byte, 16<<10)
	for {
		n, err := events.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
		changed, overflow := fileNames(buf[:n])
		if overflow {
			u.scan(tails, false)
			continue
		}
		for name := range changed {
			u.update(tails, name, false)
		}
	}
}

// scan updates every file that is there; at the first, what is in the files
// was written before this process looked.
func (u *units) scan(tails map[string]*tailer, first bool) {
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		u.log.Warn("unit logs not listed", "error", err)
		return
	}
	for _, e := range entries {
		u.update(tails, e.Name(), first)
	}
}

// update reads what is new in one file of the directory.
func (u *units) update(tails map[string]*tailer, file string, old bool) {
	unit, ok := strings.CutSuffix(file, logSuffix)
	if !ok || unit == "" {
		return
	}
	t := tails[unit]
	if t == nil {
		t = &tailer{path: filepath.Join(u.dir, file), ring: u.obtain(unit), max: u.maxFile}
		tails[unit] = t
	}
	if err := t.update(old); err != nil {
		u.log.Warn("unit log not read", "unit", unit, "error", err)
	}
}

// fileNames are the names in inotify's events, each once.
func fileNames(b []byte) (names map[string]bool, overflow bool) {
	names = map[string]bool{}
	for len(b) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(b[4:])
		size := int(binary.NativeEndian.Uint32(b[12:]))
		end := min(unix.SizeofInotifyEvent+size, len(b))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
		if len(name) > 0 {
			names[string(name)] = true
		}
		overflow = overflow || mask&unix.IN_Q_OVERFLOW != 0
		b = b[end:]
	}
	return names, overflow
}
