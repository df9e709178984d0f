package manager

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/state"
)

// TestNoteState: a disk that fills while the machine runs is a reason to be
// degraded, until there is room again.
func TestNoteState(t *testing.T) {
	m := &Manager{log: quiet(), notes: map[string][]string{}}
	full := func() error { return errors.Join(errors.New("full"), errors.New("read-only")) }
	m.noteState(full)
	if len(m.notes) > 0 {
		t.Errorf("before there is any: %v", m.notes)
	}
	m.mounted = state.Mounted{Device: "/dev/vda4"}
	m.noteState(full)
	if diff := cmp.Diff(map[string][]string{"state file system": {"full", "read-only"}}, m.notes); diff != "" {
		t.Error(diff)
	}
	m.noteState(func() error { return nil })
	if len(m.notes) > 0 {
		t.Errorf("after it is over: %v", m.notes)
	}
}
