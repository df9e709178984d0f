package manager

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/settings"
)

// TestRecoverTrialFails: a machine that cannot go back to the configuration
// before a trial says so.
func TestRecoverTrialFails(t *testing.T) {
	root := t.TempDir()
	pending := filepath.Join(root, load.ConfDir, "pending.json")
	if err := os.MkdirAll(pending, 0o755); err != nil { // reading it fails
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	m := &Manager{log: log, notes: map[string][]string{}, settings: settings.New(settings.Options{Root: root, Log: log})}
	m.recoverTrial()
	if got := m.notes["trial"]; len(got) != 1 || !strings.HasPrefix(got[0], "a configuration that nobody confirmed is in use: ") {
		t.Errorf("notes %q", got)
	}
	if err := os.Remove(pending); err != nil {
		t.Fatal(err)
	}
	m.recoverTrial()
	if got := m.notes["trial"]; len(got) != 0 {
		t.Errorf("notes %q", got)
	}
}
