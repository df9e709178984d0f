package manager

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock turns times into seconds since kernel start (CLOCK_BOOTTIME).
type clock struct{ start time.Time }

func newClock() clock {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return clock{start: time.Now()}
	}
	return clock{start: time.Now().Add(-time.Duration(ts.Nano()))}
}

// at is t in seconds since kernel start; the zero time is 0.
func (c clock) at(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return t.Sub(c.start).Seconds()
}

func (c clock) now() float64 { return c.at(time.Now()) }
