package coreunit

import (
	"testing"
	"time"
)

func TestCalendarNext(t *testing.T) {
	tests := []struct{ event, zone, after, want string }{
		{"minutely", "UTC", "2026-11-21 03:00:00", "2026-11-21 03:01:00"},
		{"hourly", "UTC", "2026-11-21 03:00:01", "2026-11-21 04:00:00"},
		{"daily", "UTC", "2026-12-31 00:00:00", "2027-01-01 00:00:00"},
		{"weekly", "UTC", "2026-11-21 03:00:00", "2026-11-23 00:00:00"},
		{"monthly", "UTC", "2026-11-21 03:00:00", "2026-12-01 00:00:00"},
		{"quarterly", "UTC", "2026-11-21 03:00:00", "2027-01-01 00:00:00"},
		{"semiannually", "UTC", "2026-01-01 00:00:00", "2026-07-01 00:00:00"},
		{"yearly", "UTC", "2026-11-21 03:00:00", "2027-01-01 00:00:00"},
		{"*-*-* 03:00:00", "UTC", "2026-11-21 03:00:00", "2026-11-22 03:00:00"},
		{"03:00", "UTC", "2026-11-21 02:59:59", "2026-11-21 03:00:00"},
		{"*:0/15", "UTC", "2026-11-21 03:16:00", "2026-11-21 03:30:00"},
		{"*:*:*/20", "UTC", "2026-11-21 03:16:21", "2026-11-21 03:16:40"},
		{"Mon..Fri 09:00", "UTC", "2026-11-20 09:00:00", "2026-11-23 09:00:00"}, // a Friday
		{"Mon-Fri 09:00", "UTC", "2026-11-20 09:00:00", "2026-11-23 09:00:00"},
		{"Sat,Sun 10:00", "UTC", "2026-11-21 10:00:00", "2026-11-22 10:00:00"},
		{"Fri..Mon 10:00", "UTC", "2026-11-17 00:00:00", "2026-11-20 10:00:00"},
		{"Tue", "UTC", "2026-11-21 10:00:00", "2026-11-24 00:00:00"},
		{"Fri *-*-13", "UTC", "2026-11-21 00:00:00", "2027-08-13 00:00:00"},
		{"*-02-29", "UTC", "2026-11-21 00:00:00", "2028-02-29 00:00:00"},
		{"*-*-31", "UTC", "2026-11-01 00:00:00", "2026-12-31 00:00:00"},
		{"*-*~01", "UTC", "2027-02-01 00:00:00", "2027-02-28 00:00:00"},
		{"Mon *-05~07/1", "UTC", "2026-11-21 00:00:00", "2027-05-31 00:00:00"},
		{"*-01,07-01", "UTC", "2026-02-01 00:00:00", "2026-07-01 00:00:00"},
		{"12-24 18:00", "UTC", "2026-12-25 00:00:00", "2027-12-24 18:00:00"},
		{"*-*-1..7 04:30", "UTC", "2026-11-07 04:30:00", "2026-12-01 04:30:00"},
		{"2020-01-01", "UTC", "2026-11-07 04:30:00", ""},
		{"*-02-30", "UTC", "2026-11-07 04:30:00", ""},
		{"12:00 Europe/Berlin", "UTC", "2026-07-01 00:00:00", "2026-07-01 10:00:00"},
		{"daily UTC", "Europe/Berlin", "2026-07-01 03:00:00", "2026-07-02 02:00:00"},
		// 2026-03-29: from 02:00 to 03:00 in Berlin; 2026-10-25: from 03:00 back to 02:00.
		{"02:30", "Europe/Berlin", "2026-03-28 12:00:00", "2026-03-29 03:00:00"},
		{"02:30", "Europe/Berlin", "2026-03-29 03:00:00", "2026-03-30 02:30:00"},
		{"03:30", "Europe/Berlin", "2026-03-28 12:00:00", "2026-03-29 03:30:00"}, // not at 03:00
		{"*:30", "Europe/Berlin", "2026-03-29 01:30:00", "2026-03-29 03:30:00"},
		{"daily", "Europe/Berlin", "2026-10-25 00:00:00", "2026-10-26 00:00:00"},
		{"00:00", "America/Sao_Paulo", "2017-10-14 12:00:00", "2017-10-15 01:00:00"}, // no midnight
	}
	for _, tt := range tests {
		local, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseCalendar(tt.event)
		if err != nil {
			t.Error(err)
			continue
		}
		after, err := time.ParseInLocation(time.DateTime, tt.after, local)
		if err != nil {
			t.Fatal(err)
		}
		next, ok := c.Next(after, local)
		got := ""
		if ok {
			got = next.In(local).Format(time.DateTime)
		}
		if got != tt.want {
			t.Errorf("%s after %s in %s: %q, want %q", tt.event, tt.after, tt.zone, got, tt.want)
		}
	}
}

// TestCalendarTwice: in the night in which clocks go back, an hour comes
// twice; an event that names it comes once, an hourly one every hour.
func TestCalendarTwice(t *testing.T) {
	local, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	for event, want := range map[string]int{"02:30": 1, "*:30": 24, "02:00": 1, "03:00": 1} {
		c, err := ParseCalendar(event)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for at, ok := c.Next(begin, local); ok && at.Sub(begin) <= 24*time.Hour; at, ok = c.Next(at, local) {
			n++
		}
		if n != want {
			t.Errorf("%s: %d times in a day, want %d", event, n, want)
		}
	}
}

func TestCalendarErrors(t *testing.T) {
	for _, text := range []string{"", "x", "Foo 03:00", "25:00", "*-*-32", "1:2:3:4", "*-*-* 03:00 Nowhere/City", "1-2-3-4", "5..1:00", "*:0/0",
		"Mon Tue 3:00", "03", "*", "a-b-c", "+1:00"} {
		if _, err := ParseCalendar(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
