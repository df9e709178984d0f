package logging

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/control/api"
)

const (
	logSuffix = ".log"
	oldSuffix = ".1"
	// maxFile is when a unit's file is rotated; there is one old file.
	maxFile = 1 << 20
	// unitRing is how much of a unit's log can be read back.
	unitRing = 512 << 10
	// maxLine is when a line without an end is taken for one.
	maxLine = 16 << 10
)

// LogPath is the file that unit's output goes to. Its writer (containerd's
// shim) opens it with O_APPEND, so that it can be cut off below the writer.
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
	u.scan(tails)
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
			u.scan(tails)
			continue
		}
		for name := range changed {
			u.update(tails, name)
		}
	}
}

// scan updates every file that is there.
func (u *units) scan(tails map[string]*tailer) {
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		u.log.Warn("unit logs not listed", "error", err)
		return
	}
	for _, e := range entries {
		u.update(tails, e.Name())
	}
}

// update reads what is new in one file of the directory.
func (u *units) update(tails map[string]*tailer, file string) {
	unit, ok := strings.CutSuffix(file, logSuffix)
	if !ok || unit == "" {
		return
	}
	t := tails[unit]
	if t == nil {
		t = &tailer{path: filepath.Join(u.dir, file), ring: u.obtain(unit), max: u.maxFile}
		tails[unit] = t
		t.readOld()
	}
	if err := t.update(); err != nil {
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

// tailer reads one growing file into a ring.
type tailer struct {
	path    string
	ring    *Ring
	max     int64
	offset  int64
	partial []byte // a line whose end has not come yet
	begun   bool
}

// readOld takes up the rotated file of an earlier manager.
func (t *tailer) readOld() {
	f, err := os.Open(t.path + oldSuffix)
	if err != nil {
		return // there is none
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = t.take(f, info.ModTime()) // what is readable of it is better than nothing
	}
}

// update reads what was appended since, and rotates the file when it is big.
func (t *tailer) update() error {
	f, err := os.OpenFile(t.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.offset = 0
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if info.Size() < t.offset { // somebody else cut it off
		t.offset, t.partial = 0, nil
	}
	at := time.Now()
	if !t.begun { // written before this process looked
		at, t.begun = info.ModTime(), true
	}
	if err := t.readOn(f, at); err != nil {
		return err
	}
	if t.offset < t.max {
		return nil
	}
	return t.rotate(f)
}

// readOn reads from the offset to the end of the file.
func (t *tailer) readOn(f *os.File, at time.Time) error {
	n, err := t.take(io.NewSectionReader(f, t.offset, 1<<62), at)
	t.offset += n
	return err
}

func (t *tailer) take(r io.Reader, at time.Time) (int64, error) {
	var total int64
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		total += int64(n)
		t.split(buf[:n], at)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// split adds the lines that end in b to the ring.
func (t *tailer) split(b []byte, at time.Time) {
	for {
		line, rest, found := bytes.Cut(b, []byte("\n"))
		if !found {
			break
		}
		t.add(append(t.partial, line...), at)
		t.partial, b = t.partial[:0], rest
	}
	t.partial = append(t.partial, b...)
	if len(t.partial) >= maxLine {
		t.add(t.partial, at)
		t.partial = t.partial[:0]
	}
}

func (t *tailer) add(line []byte, at time.Time) {
	text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r"), "\uFFFD")
	t.ring.Add(api.LogLine{Time: at, Unit: t.ring.unit, Text: text})
}

// rotate copies the file to the old one and cuts it off. What is written in
// between is read first; between the last read and the cut, a few
// microseconds, a line can be lost, as with any rotation by copy.
func (t *tailer) rotate(f *os.File) error {
	old, err := os.OpenFile(t.path+oldSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("rotation: %w", err)
	}
	_, err = io.Copy(old, io.NewSectionReader(f, 0, t.offset))
	if err = errors.Join(err, old.Close()); err != nil {
		// Memory is short, it seems: the log is still cut off.
		err = fmt.Errorf("rotation: %w", errors.Join(err, os.Remove(t.path+oldSuffix)))
	}
	err = errors.Join(err, t.readOn(f, time.Now()), f.Truncate(0))
	t.offset = 0
	return err
}
