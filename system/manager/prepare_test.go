package manager

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// TestBaseSysctl: at least what containers need, nothing about overcommitment,
// and what the configuration says comes after it.
func TestBaseSysctl(t *testing.T) {
	values := baseSysctl(2 << 30)
	for key, least := range map[string]int{
		"fs.inotify.max_user_watches": 524288, "fs.inotify.max_user_instances": 8192, "vm.max_map_count": 262144,
		"net.core.rmem_max": 7500000, "net.core.wmem_max": 7500000,
	} {
		if n, err := strconv.Atoi(values[key]); err != nil || n < least {
			t.Errorf("%s is %q, want at least %d", key, values[key], least)
		}
	}
	for key := range values {
		if strings.HasPrefix(key, "vm.overcommit") {
			t.Errorf("%s is set", key)
		}
	}
	proc := t.TempDir()
	file := filepath.Join(proc, "vm/max_map_count")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("65530\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"vm.max_map_count", "vm/max_map_count"} {
		base := map[string]string{"vm.max_map_count": values["vm.max_map_count"]}
		if err := setSysctl(proc, base, map[string]string{key: "300000"}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(got), "300000") {
			t.Errorf("%s of the configuration: %q, %v", key, got, err)
		}
	}
	if err := setSysctl(proc, nil, map[string]string{"vm.none": "1"}); err == nil || !strings.Contains(err.Error(), "vm.none") {
		t.Errorf("a parameter that the kernel does not have: %v", err)
	}
}
