package buildcache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestMark(t *testing.T) {
	dir := t.TempDir()
	opened := func(boot string) bool {
		t.Helper()
		emptied := false
		if err := open(dir, boot, func() error { emptied = true; return nil }); err != nil {
			t.Fatal(err)
		}
		return emptied
	}
	closed := func() {
		t.Helper()
		if err := Close(dir); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		what, boot string
		ordered    bool // the dockerd before this one has closed the cache
		want       bool
	}{
		{"the first start", "1", false, false},
		{"after a kill", "1", false, false},
		{"after an ordered restart", "1", true, false},
		{"after a reboot", "2", true, false},
		{"after a power cut", "3", false, true},
		{"after a kill in the boot after the power cut", "3", false, false},
		{"after a second power cut", "4", false, true},
	}
	for _, s := range steps {
		if s.ordered {
			closed()
		}
		if got := opened(s.boot); got != s.want {
			t.Errorf("%s: emptied %t, want %t", s.what, got, s.want)
		}
	}
}

// TestEmptyFails: a cache that could not be emptied is still one to be emptied.
func TestEmptyFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, mark), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for range 2 {
		if err := open(dir, "2", func() error { return broken }); !errors.Is(err, broken) {
			t.Errorf("error is %v", err)
		}
	}
}

// TestOpen takes the boot's ID from the kernel.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	fail := func() error { t.Error("the cache of this boot was emptied"); return nil }
	for range 2 {
		if err := Open(dir, fail); err != nil {
			t.Fatal(err)
		}
	}
	if err := Close(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close of a folder that is not there: %v", err)
	}
}
