package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/control/api"
)

// record is one entry of the kernel's log, as /dev/kmsg gives it
// (Documentation/ABI/testing/dev-kmsg).
type record struct {
	Facility int // 0 is the kernel itself; user space cannot write that
	Since    time.Duration
	Text     string
}

// parseRecord reads "6,339,5140900,-;text\n KEY=value\n".
func parseRecord(b []byte) (record, error) {
	head, text, ok := bytes.Cut(b, []byte(";"))
	fields := strings.Split(string(head), ",")
	if !ok || len(fields) < 3 {
		return record{}, fmt.Errorf("kernel record %.40q: no prefix", b)
	}
	priority, err := strconv.Atoi(fields[0])
	if err != nil {
		return record{}, fmt.Errorf("kernel record's priority: %w", err)
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return record{}, fmt.Errorf("kernel record's time: %w", err)
	}
	text, _, _ = bytes.Cut(text, []byte("\n"))
	return record{Facility: priority >> 3, Since: time.Duration(micros) * time.Microsecond, Text: unescape(string(text))}, nil
}

// unescape undoes the kernel's \xHH for what is not printable ASCII.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return clean(strings.ToValidUTF8(out.String(), "\uFFFD"))
}

// openKernel opens the kernel's log for reading, from its oldest record.
func openKernel(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// kernelCursor reads the records that want likes, as lines of unit.
type kernelCursor struct {
	f    *os.File
	unit string
	boot time.Time // when the kernel's clock was 0
	want func(record) bool
	buf  [8192]byte // the kernel answers EINVAL if a record does not fit (CONSOLE_EXT_LOG_MAX)
}

// bootTime is when the kernel's clock was 0, by the wall clock of now.
func bootTime(now time.Time) time.Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return time.Time{}
	}
	return now.Add(-time.Duration(ts.Nano())).Round(0)
}

func (c *kernelCursor) next(ctx context.Context, wait bool) ([]api.LogLine, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var lines []api.LogLine
	for {
		n, err := c.read(wait && len(lines) == 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return lines, nil
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR): // overwritten before it was read: the next one is there
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return lines, ctx.Err()
		case err != nil:
			return lines, fmt.Errorf("kernel log: %w", err)
		case n == 0:
			return lines, errEnd
		}
		r, err := parseRecord(c.buf[:n])
		if err == nil && c.want(r) {
			lines = append(lines, api.LogLine{Time: c.boot.Add(r.Since), Unit: c.unit, Text: r.Text})
		}
	}
}

// errEnd says that a cursor never has more lines.
var errEnd = errors.New("end of log")

// read reads one record; without wait, EAGAIN says that there is none yet.
func (c *kernelCursor) read(wait bool) (int, error) {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, failed = syscall.Read(int(fd), c.buf[:])
		return !wait || !errors.Is(failed, unix.EAGAIN)
	})
	return n, errors.Join(err, failed)
}

func (c *kernelCursor) close() error { return c.f.Close() }
