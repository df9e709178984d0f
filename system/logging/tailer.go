package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/control/api"
)

// tailer reads one growing file into a ring.
type tailer struct {
	path    string
	ring    *Ring
	max     int64
	begun   bool
	start   int64  // what is before is a hole
	offset  int64  // what is before has been read
	partial []byte // a line whose end has not come yet
}

// update reads what was appended since, and frees the file's old part when
// it is big. The lines get the time of now, or if they are old the file's.
func (t *tailer) update(old bool) error {
	f, err := os.OpenFile(t.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.start, t.offset, t.partial = 0, 0, nil
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
	if info.Size() < t.offset { // somebody cut it off
		t.start, t.offset, t.partial = 0, 0, nil
	}
	if !t.begun {
		t.begun = true
		t.skipHole(f)
	}
	at := time.Now()
	if old {
		at = info.ModTime()
	}
	if err := t.readOn(f, info.Size(), at); err != nil {
		return err
	}
	return t.trim(f)
}

// skipHole goes to the first whole line after the hole that an earlier
// manager made.
func (t *tailer) skipHole(f *os.File) {
	start, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if err != nil || start == 0 {
		return // no data, or no hole
	}
	t.start, t.offset = start, start
	buf := make([]byte, block)
	n, _ := f.ReadAt(buf, start) // what is short of a block is enough
	if end := bytes.IndexByte(buf[:n], '\n'); end >= 0 {
		t.offset += int64(end) + 1
	}
}

// readOn reads from the offset to size; what came later has an event of its
// own, and a time.
func (t *tailer) readOn(f *os.File, size int64, at time.Time) error {
	buf := make([]byte, 32<<10)
	for t.offset < size {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-t.offset)], t.offset)
		t.offset += int64(n)
		t.split(buf[:n], at)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// trim frees the older half of a file that takes too much.
func (t *tailer) trim(f *os.File) error {
	if t.offset-t.start < t.max {
		return nil
	}
	end := (t.offset - t.max/2) &^ (block - 1)
	if end <= t.start {
		return nil
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, end); err != nil {
		return fmt.Errorf("hole in %s: %w", t.path, err)
	}
	t.start = end
	return nil
}
