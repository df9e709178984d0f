package recovery

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestScreenFits(t *testing.T) {
	p := Problem{
		Title: "The system could not be started.", Where: "stage 1, in the initrd",
		Err:       errors.New(strings.Repeat("a device was refused; ", 200) + strings.Repeat("x", 500)),
		Do:        []string{"Restart.", strings.Repeat("Look at something. ", 8), "Compare things."},
		Countdown: Countdown, Then: "The machine restarts",
	}
	text := screen(p, true)
	lines := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
	if len(lines) > 24 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if utf8.RuneCountInString(l) > 80 {
			t.Errorf("too wide: %q", l)
		}
	}
	for _, want := range []string{p.Title, p.Where, "a device was refused", "in 120 seconds", "dmesg"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if text := screen(Problem{Title: "x"}, false); !strings.Contains(text, "no shell") {
		t.Error("does not say that there is no shell")
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one two  three fourfivesix", 8)
	if diff := cmp.Diff([]string{"one two", "three", "fourfive", "six"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConsoles(t *testing.T) {
	sys, dev := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(sys, "class/tty/console"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tty1", "ttyS0"} {
		if err := os.WriteFile(filepath.Join(dev, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for active, want := range map[string][]string{"tty0 ttyS0\n": {"tty1", "ttyS0"}, "ttyS0 hvc0": {"ttyS0", "tty1"}, "": {"tty1"}} {
		if err := os.WriteFile(filepath.Join(sys, "class/tty/console/active"), []byte(active), 0o644); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !strings.HasPrefix(want[i], dev) {
				want[i] = filepath.Join(dev, want[i])
			}
		}
		if diff := cmp.Diff(want, Consoles(sys, dev)); diff != "" {
			t.Errorf("%q: %s", active, diff)
		}
	}
}

func TestControlling(t *testing.T) {
	for stat, want := range map[string]uint64{
		"1 (init) S 0 1 1 0 -1 4194560":           unix.Mkdev(0, 0),
		"155 (a (b) c) S 1 155 155 1088 155 4":    unix.Mkdev(4, 64),
		"156 (sh) S 1 156 156 34816 156 4194304 ": unix.Mkdev(136, 0),
		"garbage": 0,
	} {
		if got := controlling(stat); got != want {
			t.Errorf("%q: %#x, want %#x", stat, got, want)
		}
	}
}

func TestTouched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tty")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !touched(file) {
		t.Error("new file not touched")
	}
	untouch(file)
	if touched(file) {
		t.Error("touched after untouch")
	}
}
