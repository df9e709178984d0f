package vmtest

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccidents(t *testing.T) {
	tests := []struct {
		line string
		want string // the accident's name; "" for none
	}{
		{"[    3.1] Kernel panic - not syncing: Attempted to kill init!", "kernel panic"},
		{"[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000010", "kernel oops"},
		{"[    3.1] Oops: 0002 [#1] PREEMPT SMP", "kernel oops"},
		{"panic: runtime error: index out of range [3] with length 2", "Go panic"},
		{"rosd: panic: x", "Go panic"},
		{"fatal error: concurrent map writes", "Go panic"},
		{"goroutine 1 [running]:", "Go panic"},
		{"[   33.0] Out of memory: Killed process 312 (dockerd)", "OOM kill"},
		{"[   33.0] dockerd invoked oom-killer: gfp_mask=0x0", "OOM kill"},
		{"pharos: unit syslog failed: exit status 1", "failed unit"},
		{"device-mapper: verity: 254:0: data block 3 is corrupted", "file system error"},
		{"Command line: panic=10 quiet", ""},
		{"pharos: reached ready at 14.02s", ""},
		{"[    0.1] DEBUG: nothing", ""},
	}
	for _, tt := range tests {
		got := Accidents(tt.line + "\n")
		switch {
		case tt.want == "" && got != nil:
			t.Errorf("%q is taken for %q", tt.line, got)
		case tt.want != "" && (len(got) != 1 || got[0] != tt.want+": "+tt.line):
			t.Errorf("%q: got %q, want %q", tt.line, got, tt.want)
		}
		if got := Accidents(tt.line+"\n", regexp.MustCompile(`.`)); got != nil {
			t.Errorf("%q was asked for and is reported: %q", tt.line, got)
		}
	}
}

func TestMilestones(t *testing.T) {
	log := "x\n[ 2.1] pharos: reached manager at 2.10s\npharos: reached ssh at 7.5s\npharos: reached engine at 14.00s\n"
	want := []Milestone{{"manager", 2.10}, {"engine", 14.00}}
	if d := cmp.Diff(want, Milestones(log)); d != "" {
		t.Error(d)
	}
}
