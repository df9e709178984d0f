package manager

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/unit"
)

// A change of dockerd's options alone does not end containers.
func TestMarkRenewal(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after engine.Options
		want          string
	}{
		"debug":        {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true}}, unitRenews},
		"a registry":   {engine.Options{}, engine.Options{Engine: osconfig.Engine{InsecureRegistry: []string{"10.0.0.1:5000"}}}, unitRenews},
		"a bridge":     {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true, Bridge: "br0"}}, unitRestarts},
		"a data root":  {engine.Options{}, engine.Options{Engine: osconfig.Engine{DataRoot: "/mnt/docker"}}, unitRestarts},
		"live restore": {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true, LiveRestore: new(false)}}, unitRestarts},
		"a proxy, too": {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true}, Network: osconfig.Network{HTTPProxy: "http://p"}}, unitRestarts},
		"in a swarm":   {engine.Options{InSwarm: true}, engine.Options{InSwarm: true, Engine: osconfig.Engine{Debug: true}}, unitRestarts},
	} {
		before := []unit.Unit{{Name: "syslog"}, engine.Unit(tc.before)}
		changes := unitChanges(before, []unit.Unit{{Name: "syslog"}, engine.Unit(tc.after)})
		markRenewal(changes, before, tc.before.Engine, tc.after.Engine)
		if len(changes) != 1 || changes[0].how != tc.want {
			t.Errorf("%s: %+v, want %s", name, changes, tc.want)
		}
	}
}

// The manager waits for another dockerd, and for its answer.
func TestRenewal(t *testing.T) {
	dir := t.TempDir()
	pid := filepath.Join(dir, "docker.pid")
	if err := os.WriteFile(pid, []byte("7"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := engine.Unit(engine.Options{})
	u.Ready.Timeout = 5 * time.Second
	asked := 0
	r := renewal{file: filepath.Join(dir, "renewal.json"), run: dir, check: func(context.Context, unit.Probe) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}}
	var redefined []string
	r.redefine = func(_ context.Context, u unit.Unit) error {
		if _, err := os.Stat(r.file); err == nil && len(redefined) == 0 {
			t.Error("dockerd was told first")
		}
		redefined = u.Args
		return nil
	}
	next := make(chan error, 1)
	go func() { // the engine
		for {
			if _, err := os.Stat(r.file); err == nil {
				next <- os.WriteFile(pid, []byte("9"), 0o600)
				return
			}
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	if err := errors.Join(r.carryOut(t.Context(), u), <-next); err != nil || asked != 3 {
		t.Errorf("%v after %d questions", err, asked)
	}
	text, err := os.ReadFile(r.file)
	var args []string
	if err == nil {
		err = json.Unmarshal(text, &args)
	}
	if diff := cmp.Diff(u.Args[1:], args); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff(u.Args, redefined); diff != "" {
		t.Error(diff)
	}
	// Without the record in containerd nobody is told.
	refused := r
	refused.file = filepath.Join(dir, "refused.json")
	refused.redefine = func(context.Context, unit.Unit) error { return os.ErrPermission }
	if err := refused.carryOut(t.Context(), u); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(refused.file); err == nil {
		t.Error("dockerd is told without the record in containerd")
	}
	// Nobody takes the file.
	u.Ready.Timeout = 10 * time.Millisecond
	if err := r.carryOut(t.Context(), u); err == nil || !strings.Contains(err.Error(), "has not ended") {
		t.Errorf("error is %v", err)
	}
}
