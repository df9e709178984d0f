package manager

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/console/setup"
	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestWriteBundle(t *testing.T) {
	dir := t.TempDir()
	defaults, target := filepath.Join(dir, "image.crt"), filepath.Join(dir, "bundle.crt")
	if err := os.WriteFile(defaults, []byte("# of the image\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := writeBundle(osconfig.CACerts{}, defaults, target); err != nil {
			t.Fatal(err)
		}
		if link, err := os.Readlink(target); err != nil || link != imageBundle {
			t.Errorf("link to %q, %v", link, err)
		}
		for certs, want := range map[bool]string{false: "# of the image\n", true: ""} {
			err := writeBundle(osconfig.CACerts{RemoveDefaults: certs, Trusted: []string{"no certificate"}}, defaults, target)
			if text, readErr := os.ReadFile(target); err != nil || readErr != nil || string(text) != want {
				t.Errorf("bundle %q, %v, %v", text, err, readErr)
			}
		}
	}
	if err := writeBundle(osconfig.CACerts{RemoveDefaults: true}, defaults+".gone", target); err == nil || !strings.HasPrefix(err.Error(), "ca_certs: ") {
		t.Errorf("error %v", err)
	}
}

// TestWaitFiles: what the console says about an older plan does not count.
func TestWaitFiles(t *testing.T) {
	dir := t.TempDir()
	plan, status := filepath.Join(dir, "setup.json"), filepath.Join(dir, "status.json")
	if err := (setup.Plan{}).Write(plan); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(plan)
	if err != nil {
		t.Fatal(err)
	}
	say := func(files bool, about time.Time) {
		t.Helper()
		text, err := json.Marshal(setup.Status{Files: files, Plan: about})
		if err == nil {
			err = os.WriteFile(status, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		files bool
		about time.Time
		ok    bool
	}{{true, info.ModTime().Add(-time.Second), false}, {false, info.ModTime(), false}, {true, info.ModTime(), true}} {
		say(c.files, c.about)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := waitFiles(ctx, plan, status); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		cancel()
	}
}

// TestHasPlan: only what the console says about the plan as it stands counts.
func TestHasPlan(t *testing.T) {
	dir := t.TempDir()
	plan, status := filepath.Join(dir, "setup.json"), filepath.Join(dir, "status.json")
	if hasPlan(plan, status) {
		t.Error("there is no plan")
	}
	if err := (setup.Plan{}).Write(plan); err != nil {
		t.Fatal(err)
	}
	if hasPlan(plan, status) {
		t.Error("the console has not said a word")
	}
	info, err := os.Stat(plan)
	if err != nil {
		t.Fatal(err)
	}
	for about, want := range map[time.Time]bool{info.ModTime(): true, info.ModTime().Add(time.Hour): false, info.ModTime().Add(-1): false} {
		text, err := json.Marshal(setup.Status{Plan: about})
		if err == nil {
			err = os.WriteFile(status, text, 0o644)
		}
		if got := hasPlan(plan, status); err != nil || got != want {
			t.Errorf("about a plan of %v: %v, %v", about, got, err)
		}
	}
	// The same plan once more is the same one, another is not.
	if err := (setup.Plan{}).Write(plan); err != nil {
		t.Fatal(err)
	}
	again, err := os.Stat(plan)
	if err != nil || !again.ModTime().Equal(info.ModTime()) {
		t.Errorf("written again: %v, %v", again.ModTime(), err)
	}
}
