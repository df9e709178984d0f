package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	s := func(ssh, engine int) sample {
		return sample{ssh: time.Duration(ssh) * time.Second, engine: time.Duration(engine) * time.Second, memory: 2e8, processes: 40, disk: 1e8}
	}
	var out strings.Builder
	missed := report(&out, map[string][]sample{
		"pharos": {s(9, 30), s(10, 15), s(50, 14)},
		"peer":   {s(30, 40), s(31, 40), s(32, 40)},
		"lean":   {s(20, 20), s(20, 20)},
	})
	if d := cmp.Diff([]string{"engine ready 0.75 × lean, goal 0.65"}, missed); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"10.0 s", "31.0 s", "0.32", "0.50", "200 MB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestFacts(t *testing.T) {
	stat := " S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 3 0 0\n"
	text := "MemTotal:        2000 kB\nMemFree: 1 kB\nMemAvailable:    1500 kB\n" +
		"1 (init)" + strings.Replace(stat, "S 1", "S 0", 1) + "2 (kthreadd)" + strings.Replace(stat, "S 1", "S 0", 1) +
		"9 (kworker/0:1 x)" + strings.Replace(stat, "S 1", "I 2", 1) + "77 (tmux: server)" + stat + " 123456\n"
	want := factSheet{total: 2000 << 10, available: 1500 << 10, used: 123456, processes: 2}
	if d := cmp.Diff(want, facts(text), cmp.AllowUnexported(factSheet{})); d != "" {
		t.Error(d)
	}
}
