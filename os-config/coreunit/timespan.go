package coreunit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseSpan reads a time span as systemd.time(7) has it: "5" (seconds),
// "1min 30s", "1.5h", "infinity".
func ParseSpan(text string) (time.Duration, error) {
	rest := strings.TrimSpace(text)
	if rest == "infinity" {
		return Infinity, nil
	}
	if rest == "" {
		return 0, fmt.Errorf("no time span; write it like 30s or 1min 30s")
	}
	total := 0.0
	for rest != "" {
		end := 0
		for end < len(rest) && (rest[end] >= '0' && rest[end] <= '9' || rest[end] == '.') {
			end++
		}
		number, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no time span; write it like 30s or 1min 30s", text)
		}
		rest = strings.TrimLeft(rest[end:], " \t")
		end = 0
		for end < len(rest) && rest[end] != ' ' && rest[end] != '\t' && (rest[end] < '0' || rest[end] > '9') {
			end++
		}
		size, ok := spanUnit(rest[:end])
		if !ok {
			return 0, fmt.Errorf("%q is no unit of time; there are us, ms, s, min, h, d, w, month, y", rest[:end])
		}
		total += number * float64(size)
		rest = strings.TrimLeft(rest[end:], " \t")
	}
	if total >= math.MaxInt64 {
		return Infinity, nil
	}
	return time.Duration(math.Round(total)), nil
}

func spanUnit(name string) (time.Duration, bool) {
	const day = 24 * time.Hour
	switch name {
	case "us", "usec", "µs", "μs":
		return time.Microsecond, true
	case "ms", "msec":
		return time.Millisecond, true
	case "", "s", "sec", "second", "seconds":
		return time.Second, true
	case "m", "min", "minute", "minutes":
		return time.Minute, true
	case "h", "hr", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return day, true
	case "w", "week", "weeks":
		return 7 * day, true
	case "M", "month", "months":
		return 2629800 * time.Second, true // 30.44 days
	case "y", "year", "years":
		return 31557600 * time.Second, true // 365.25 days
	}
	return 0, false
}
