package logging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/control/api"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// fakeKmsg is a kernel log as /dev/kmsg has it: one read is one record, and
// every opener reads from the oldest.
type fakeKmsg struct {
	mu      sync.Mutex
	past    []string
	writers []int
}

func (k *fakeKmsg) open() (*os.File, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	k.writers = append(k.writers, fds[1])
	for _, r := range k.past {
		if _, err := unix.Write(fds[1], []byte(r)); err != nil {
			return nil, err
		}
	}
	return os.NewFile(uintptr(fds[0]), "kmsg"), nil
}

// write adds a record; a reader that is gone does not mind.
func (k *fakeKmsg) write(record string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.past = append(k.past, record)
	for _, fd := range k.writers {
		_ = unix.Send(fd, []byte(record), unix.MSG_NOSIGNAL)
	}
}

func testBook(t *testing.T, k *fakeKmsg) (*Book, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := NewBook(Options{System: NewRing(System, 1<<20), UnitDir: dir, Tag: "rosd", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if k != nil {
		b.kernel = k.open
	} else {
		b.kernel = func() (*os.File, error) { return nil, os.ErrNotExist }
	}
	return b, dir
}

// run runs the book until the test ends.
func run(t *testing.T, b *Book) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// follow reads log lines into a channel until the test ends.
func follow(t *testing.T, b *Book, q api.LogQuery) <-chan api.LogLine {
	t.Helper()
	q.Follow = true
	ctx, cancel := context.WithCancel(context.Background())
	lines, done := make(chan api.LogLine, 100), make(chan error, 1)
	go func() {
		done <- b.Logs(ctx, q, func(l api.LogLine) error { lines <- l; return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Logs: %v", err)
		}
	})
	return lines
}

func want(t *testing.T, lines <-chan api.LogLine, unit, text string) api.LogLine {
	t.Helper()
	select {
	case l := <-lines:
		if l.Unit != unit || l.Text != text {
			t.Fatalf("got %q of %q, want %q of %q", l.Text, l.Unit, text, unit)
		}
		return l
	case <-time.After(patience):
		t.Fatalf("no line %q", text)
		return api.LogLine{}
	}
}

// shim opens a unit's log as containerd's shim does.
func shim(t *testing.T, dir, unit string) *os.File {
	t.Helper()
	f, err := os.OpenFile(LogPath(dir, unit), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f *os.File, text string) {
	t.Helper()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// known waits until the book has a log of unit.
func known(t *testing.T, b *Book, unit string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		rings, more := b.units.all()
		if rings[unit] != nil {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("no log of %s", unit)
		}
	}
}

func TestFollowUnit(t *testing.T) {
	b, dir := testBook(t, nil)
	f := shim(t, dir, "udev")
	run(t, b)
	known(t, b, "udev")
	lines := follow(t, b, api.LogQuery{Unit: "udev", Lines: -1})
	before := time.Now()
	write(t, f, "one\ntwo, ")
	l := want(t, lines, "udev", "one")
	if l.Time.Before(before.Add(-time.Second)) || l.Time.After(time.Now()) {
		t.Errorf("stamped %v", l.Time)
	}
	write(t, f, "continued\r\nbad \xff byte\n")
	want(t, lines, "udev", "two, continued")
	want(t, lines, "udev", "bad \uFFFD byte")
}

func TestOldLinesGetTheFilesTime(t *testing.T) {
	b, dir := testBook(t, nil)
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	path := LogPath(dir, "ntp")
	if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	known(t, b, "ntp")
	lines := follow(t, b, api.LogQuery{Unit: "ntp", Lines: -1})
	if l := want(t, lines, "ntp", "old"); !l.Time.Equal(old) {
		t.Errorf("stamped %v, want %v", l.Time, old)
	}
	write(t, shim(t, dir, "ntp"), "new\n")
	if l := want(t, lines, "ntp", "new"); !l.Time.After(old) {
		t.Errorf("stamped %v", l.Time)
	}
}

func TestFileIsBounded(t *testing.T) {
	b, dir := testBook(t, nil)
	b.units.maxFile = 16 * block
	f := shim(t, dir, "docker")
	run(t, b)
	known(t, b, "docker")
	lines := follow(t, b, api.LogQuery{Unit: "docker", Lines: -1})
	filler := strings.Repeat("x", 1000)
	for i := range 500 {
		text := fmt.Sprintf("line %03d %s", i, filler)
		write(t, f, text+"\n")
		want(t, lines, "docker", text) // none is lost, whatever the moment
	}
	var st unix.Stat_t
	if err := unix.Stat(f.Name(), &st); err != nil {
		t.Fatal(err)
	}
	if used := st.Blocks * 512; used > 20*block || st.Size < 500*1000 {
		t.Errorf("%d bytes used of %d", used, st.Size)
	}

	// The next manager finds the rest, from a whole line on.
	next := tailer{path: f.Name(), ring: NewRing("docker", 1<<20), max: maxFile}
	if err := next.update(true); err != nil {
		t.Fatal(err)
	}
	kept, _, _ := next.ring.from(0)
	if len(kept) < 20 || len(kept) > 100 {
		t.Fatalf("%d lines kept", len(kept))
	}
	for i, l := range kept {
		if text := fmt.Sprintf("line %03d %s", 500-len(kept)+i, filler); l.Text != text {
			t.Fatalf("line %d of %d: %.40q", i, len(kept), l.Text)
		}
	}
}

func TestCutOffByOthers(t *testing.T) {
	b, dir := testBook(t, nil)
	f := shim(t, dir, "a")
	run(t, b)
	known(t, b, "a")
	lines := follow(t, b, api.LogQuery{Unit: "a", Lines: -1})
	write(t, f, "before the cut\n")
	want(t, lines, "a", "before the cut")
	if err := os.Truncate(f.Name(), 0); err != nil {
		t.Fatal(err)
	}
	write(t, f, "after\n")
	want(t, lines, "a", "after")
}

func TestLineWithoutEnd(t *testing.T) {
	ring := NewRing("a", 1<<20)
	tl := tailer{ring: ring}
	for range 10 {
		tl.split(make([]byte, maxLine/4), time.Now())
	}
	if lines, _, _ := ring.from(0); len(lines) != 2 || len(tl.partial) >= maxLine {
		t.Errorf("%d lines, %d bytes left", len(lines), len(tl.partial))
	}
}

func TestUnknownUnit(t *testing.T) {
	b, _ := testBook(t, nil)
	err := b.Logs(t.Context(), api.LogQuery{Unit: "nope"}, nil)
	if !errdefs.IsNotFound(err) {
		t.Errorf("error %v", err)
	}
}

func TestKernelLog(t *testing.T) {
	k := &fakeKmsg{past: []string{"6,0,1000000,-;Linux version\n", "30,1,2000000,-;init: hello\n"}}
	b, _ := testBook(t, k)
	lines := follow(t, b, api.LogQuery{Unit: Kernel, Lines: -1})
	l := want(t, lines, Kernel, "Linux version")
	if since := l.Time.Sub(bootTime(time.Now())); since < 500*time.Millisecond || since > 1500*time.Millisecond {
		t.Errorf("%v after the kernel's start", since)
	}
	k.write("12,2,3000000,-;sshd: hello\n")
	k.write("4,3,4000000,-;eth0: link up\n")
	want(t, lines, Kernel, "eth0: link up")
}

func TestSystemLogHasInitsLines(t *testing.T) {
	own := fmt.Sprintf("30,2,2500000,-;rosd[%d]: mine\n", os.Getpid())
	k := &fakeKmsg{past: []string{"6,0,1000000,-;Linux\n", "30,1,2000000,-;init: hello\n", own, "30,2,2600000,-;rosd[1]: an earlier one\n"}}
	b, _ := testBook(t, k)
	lines := follow(t, b, api.LogQuery{Unit: System, Lines: -1})
	run(t, b)
	want(t, lines, System, "init: hello")
	want(t, lines, System, "rosd[1]: an earlier one")
}

func TestAllLogs(t *testing.T) {
	k := &fakeKmsg{past: []string{"6,0,1000000,-;Linux version\n"}}
	b, dir := testBook(t, k)
	f := shim(t, dir, "udev")
	run(t, b)
	known(t, b, "udev")
	lines := follow(t, b, api.LogQuery{Lines: -1})
	want(t, lines, Kernel, "Linux version")
	write(t, f, "first\n")
	want(t, lines, "udev", "first")
	b.system.Add(api.LogLine{Time: time.Now(), Unit: System, Text: "manager started"})
	want(t, lines, System, "manager started")
	write(t, f, "udev runs\n")
	want(t, lines, "udev", "udev runs")
	write(t, shim(t, dir, "late"), "a unit that came later\n")
	want(t, lines, "late", "a unit that came later")

	var got []string
	if err := b.Logs(t.Context(), api.LogQuery{Lines: 3}, func(l api.LogLine) error {
		got = append(got, l.Unit)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{System, "udev", "late"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReaderThatFails(t *testing.T) {
	b, _ := testBook(t, &fakeKmsg{past: []string{"6,0,1,-;a\n"}})
	broken := errors.New("broken pipe")
	err := b.Logs(t.Context(), api.LogQuery{Lines: -1, Follow: true}, func(api.LogLine) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
