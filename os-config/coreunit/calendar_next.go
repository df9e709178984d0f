package coreunit

import "time"

// maxSteps bounds the search for dates that never come.
const maxSteps = 20_000

// Next is the first time after a given one that the expression means; false
// when there is none. Local is the machine's time zone.
//
// Where clocks go forward, what would have come in the hour that is not there
// comes at its end; where they go back, what names its hour comes in the
// first of the two hours only.
func (c Calendar) Next(after time.Time, local *time.Location) (time.Time, bool) {
	if c.location != nil {
		local = c.location
	}
	t := after.In(local).Truncate(time.Second).Add(time.Second)
	for range maxSteps {
		if t.Year() > 2199 {
			return time.Time{}, false
		}
		next := c.nextDate(t)
		if next.Equal(t) {
			if next = c.nextClock(t); next.Equal(t) && !c.again(t) {
				return t, true
			} else if next.Equal(t) {
				next = t.Add(time.Second)
			}
			if gap := c.inGap(t, next); !gap.IsZero() {
				return gap, true
			}
		}
		if !next.After(t) { // a zone without that midnight
			next = t.Add(time.Hour).Truncate(time.Hour)
		}
		t = next.In(local)
	}
	return time.Time{}, false
}

// nextDate is t when its date matches, else the beginning of a later day that
// may.
func (c Calendar) nextDate(t time.Time) time.Time {
	year, month, day := t.Date()
	switch {
	case !c.year.has(year):
		return time.Date(year+1, 1, 1, 0, 0, 0, 0, t.Location())
	case !c.month.has(int(month)):
		return time.Date(year, month+1, 1, 0, 0, 0, 0, t.Location())
	}
	number := day
	if c.fromEnd {
		number = time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day() - day + 1
	}
	if !c.day.has(number) || c.weekdays != nil && !c.weekdays[t.Weekday()] {
		return time.Date(year, month, day+1, 0, 0, 0, 0, t.Location())
	}
	return t
}

// nextClock is t when its time of day matches, else a later moment that may.
func (c Calendar) nextClock(t time.Time) time.Time {
	hour, minute, second := t.Clock()
	switch {
	case !c.hour.has(hour):
		return t.Add(time.Duration(3600-60*minute-second) * time.Second)
	case !c.minute.has(minute):
		return t.Add(time.Duration(60-second) * time.Second)
	case !c.second.has(second):
		return t.Add(time.Second)
	}
	return t
}

// again says whether t is in the second of two hours of the same name, and
// the expression names its hour.
func (c Calendar) again(t time.Time) bool {
	if c.hour == nil {
		return false
	}
	before := t.Add(-time.Hour)
	return before.Hour() == t.Hour() && before.Minute() == t.Minute() && before.Day() == t.Day()
}

// inGap is the moment at which clocks go forward between t and next, when the
// expression names a time that is left out there; zero otherwise.
func (c Calendar) inGap(t, next time.Time) time.Time {
	_, before := t.Zone()
	_, after := next.Zone()
	if after <= before || c.hour == nil {
		return time.Time{}
	}
	// A clock that nobody set forward shows what is left out, in the time
	// after that.
	for m := next; m.Before(next.Add(time.Duration(after-before) * time.Second)); m = m.Add(time.Minute) {
		wall := m.UTC().Add(time.Duration(before) * time.Second)
		if c.hour.has(wall.Hour()) && c.minute.has(wall.Minute()) {
			return next
		}
	}
	return time.Time{}
}
