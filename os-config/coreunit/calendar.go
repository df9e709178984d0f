package coreunit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the console may have no files of time zones
)

// Calendar is an OnCalendar= expression, see "Calendar Events" in
// systemd.time(7).
type Calendar struct {
	text     string
	weekdays []bool // from Sunday; nil is every day
	year     field
	month    field
	day      field
	fromEnd  bool // "~": days count from the end of the month
	hour     field
	minute   field
	second   field
	location *time.Location // nil: the machine's
}

// field is what one part of a date or time may be; nil is anything.
type field []span

// span is FROM..TO/STEP; a step of 0 is one value, or each of a range.
type span struct{ from, to, step int }

func (f field) has(v int) bool {
	return f == nil || slices.ContainsFunc(f, func(s span) bool {
		return v >= s.from && v <= s.to && (v-s.from)%max(s.step, 1) == 0
	})
}

// String is the expression as it was written.
func (c Calendar) String() string { return c.text }

// ParseCalendar reads an expression: "daily", "Mon..Fri 03:00",
// "*-*-01 00:00:00 UTC", "*:0/15".
func ParseCalendar(text string) (Calendar, error) {
	c := Calendar{text: text}
	words := strings.Fields(text)
	if len(words) > 0 {
		if full := shorthand(words[0]); full != "" {
			words = append(strings.Fields(full), words[1:]...)
		}
	}
	if len(words) > 1 && !strings.ContainsAny(words[len(words)-1], "*:") {
		last := words[len(words)-1]
		if location, err := zone(last); err == nil {
			c.location, words = location, words[:len(words)-1]
		}
	}
	if len(words) > 0 && !strings.ContainsAny(words[0][:1], "0123456789*") {
		days, err := parseWeekdays(words[0])
		if err != nil {
			return c, fmt.Errorf("%q: %w", text, err)
		}
		c.weekdays, words = days, words[1:]
	}
	date, clock := "*-*-*", "00:00:00"
	switch {
	case len(words) == 2:
		date, clock = words[0], words[1]
	case len(words) == 1 && strings.Contains(words[0], ":"):
		clock = words[0]
	case len(words) == 1:
		date = words[0]
	case len(words) > 2 || c.weekdays == nil:
		return c, fmt.Errorf("%q is no calendar event; write it like daily, Mon..Fri 03:00 or *-*-01 04:30:00", text)
	}
	if err := c.date(date); err != nil {
		return c, fmt.Errorf("%q: %w", text, err)
	}
	if err := c.clock(clock); err != nil {
		return c, fmt.Errorf("%q: %w", text, err)
	}
	return c, nil
}

func shorthand(word string) string {
	switch strings.ToLower(word) {
	case "minutely":
		return "*-*-* *:*:00"
	case "hourly":
		return "*-*-* *:00:00"
	case "daily":
		return "*-*-* 00:00:00"
	case "weekly":
		return "Mon *-*-* 00:00:00"
	case "monthly":
		return "*-*-01 00:00:00"
	case "quarterly":
		return "*-01,04,07,10-01 00:00:00"
	case "semiannually", "semi-annually", "biannually", "bi-annually":
		return "*-01,07-01 00:00:00"
	case "yearly", "annually":
		return "*-01-01 00:00:00"
	}
	return ""
}

func zone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "UTC") {
		return time.UTC, nil
	}
	if strings.EqualFold(name, "local") || name == "" || strings.Trim(name, "0123456789-.,/~") == "" {
		return nil, fmt.Errorf("%q is no time zone", name)
	}
	return time.LoadLocation(name)
}

// parseWeekdays reads "Mon", "Mon,Wed", "Mon..Fri" and the older "Mon-Fri".
func parseWeekdays(text string) ([]bool, error) {
	days := make([]bool, 7)
	for _, part := range strings.Split(strings.TrimSuffix(text, ","), ",") {
		first, last, ranged := strings.Cut(part, "..")
		if !ranged {
			first, last, ranged = strings.Cut(part, "-")
		}
		from, ok := weekday(first)
		to, okTo := from, true
		if ranged {
			to, okTo = weekday(last)
		}
		if !ok || !okTo {
			return nil, fmt.Errorf("%q is no day of the week", part)
		}
		for d := from; ; d = (d + 1) % 7 {
			if days[d] = true; d == to {
				break
			}
		}
	}
	return days, nil
}

func weekday(name string) (int, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(name, d.String()) || strings.EqualFold(name, d.String()[:3]) {
			return int(d), true
		}
	}
	return 0, false
}

func (c *Calendar) date(text string) (err error) {
	if i := strings.IndexByte(text, '~'); i >= 0 {
		c.fromEnd = true
		text = text[:i] + "-" + text[i+1:]
	}
	parts := strings.Split(text, "-")
	if len(parts) == 2 {
		parts = append([]string{"*"}, parts...)
	}
	if len(parts) != 3 {
		return fmt.Errorf("%q is no date; write it like 2030-12-24 or *-*-01", text)
	}
	if c.year, err = parseField(parts[0], 1970, 2199); err == nil {
		c.month, err = parseField(parts[1], 1, 12)
	}
	if err == nil {
		c.day, err = parseField(parts[2], 1, 31)
	}
	if c.fromEnd {
		c.day = towardsEnd(c.day)
	}
	return err
}

// towardsEnd turns steps round: ~7/1 is the seventh last day and those after
// it.
func towardsEnd(f field) field {
	var out field
	for _, s := range f {
		if s.step == 0 || s.to != 31 {
			out = append(out, s)
			continue
		}
		for v := s.from; v >= 1; v -= s.step {
			out = append(out, span{from: v, to: v})
		}
	}
	return out
}

func (c *Calendar) clock(text string) (err error) {
	parts := strings.Split(text, ":")
	if len(parts) == 2 {
		parts = append(parts, "00")
	}
	if len(parts) != 3 {
		return fmt.Errorf("%q is no time; write it like 03:00 or *:0/15", text)
	}
	// Fractions of a second are cut off: nobody waits for them here.
	parts[2], _, _ = strings.Cut(parts[2], ".0")
	if c.hour, err = parseField(parts[0], 0, 23); err == nil {
		c.minute, err = parseField(parts[1], 0, 59)
	}
	if err == nil {
		c.second, err = parseField(parts[2], 0, 59)
	}
	return err
}

// parseField reads "*", "3", "1,15", "1..5", "0/15", "*/2" and mixtures.
func parseField(text string, least, most int) (field, error) {
	if text == "*" {
		return nil, nil
	}
	var out field
	for _, part := range strings.Split(text, ",") {
		values, step, stepped := strings.Cut(part, "/")
		first, last, ranged := strings.Cut(values, "..")
		s := span{from: least, to: most}
		var err1, err2, err3 error
		if first != "*" {
			s.from, err1 = strconv.Atoi(first)
			if !ranged && !stepped {
				s.to = s.from
			}
		}
		if ranged {
			s.to, err2 = strconv.Atoi(last)
		}
		if stepped {
			s.step, err3 = strconv.Atoi(step)
		}
		switch {
		case err1 != nil || err2 != nil || err3 != nil || strings.HasPrefix(part, "+") || stepped && s.step < 1:
			return nil, fmt.Errorf("%q is neither *, a number, a range (1..5) nor steps (0/15)", part)
		case s.from < least || s.to > most || s.from > s.to:
			return nil, fmt.Errorf("%q is not between %d and %d", part, least, most)
		}
		out = append(out, s)
	}
	return out, nil
}
