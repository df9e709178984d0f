package manager

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// A change of dockerd's options alone does not end containers.
func TestMarkRenewal(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after engine.Options
		want          string
	}{
		"debug":                   {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true}}, unitRenews},
		"a registry":              {engine.Options{}, engine.Options{Engine: osconfig.Engine{InsecureRegistry: []string{"10.0.0.1:5000"}}}, unitRenews},
		"a bridge":                {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true, Bridge: "br0"}}, unitRestarts},
		"a data root":             {engine.Options{}, engine.Options{Engine: osconfig.Engine{DataRoot: "/mnt/docker"}}, unitRestarts},
		"live restore":            {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true, LiveRestore: new(false)}}, unitRestarts},
		"a proxy, too":            {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true}, Network: osconfig.Network{HTTPProxy: "http://p"}}, unitRestarts},
		"time to stop":            {engine.Options{StopTimeout: time.Minute}, engine.Options{StopTimeout: time.Hour}, unitRetimed},
		"time to stop in a swarm": {engine.Options{InSwarm: true}, engine.Options{InSwarm: true, StopTimeout: time.Hour}, unitRetimed},
		"debug, and time to stop": {engine.Options{}, engine.Options{Engine: osconfig.Engine{Debug: true}, StopTimeout: time.Hour}, unitRenews},
		"left a swarm":            {engine.Options{InSwarm: true}, engine.Options{}, unitRestarts},
		"live restore by TLS's flags": {engine.Options{Engine: osconfig.Engine{TLSArgs: []string{"--live-restore=false"}}},
			engine.Options{Engine: osconfig.Engine{Debug: true, TLSArgs: []string{"--live-restore=false"}}}, unitRestarts},
		"in a swarm": {engine.Options{InSwarm: true}, engine.Options{InSwarm: true, Engine: osconfig.Engine{Debug: true}}, unitRestarts},
	} {
		before := []unit.Unit{{Name: "syslog"}, engine.Unit(tc.before)}
		changes := unitChanges(before, []unit.Unit{{Name: "syslog"}, engine.Unit(tc.after)})
		markRenewal(changes, before, tc.before.Engine, tc.after.Engine)
		if len(changes) != 1 || changes[0].how != tc.want {
			t.Errorf("%s: %+v, want %s", name, changes, tc.want)
		}
	}
}

// `ros config diff` says of the units what applying does.
func TestUnitTexts(t *testing.T) {
	for name, tc := range map[string]struct {
		swarm bool // its state is on disk, without the key
		edit  func(*osconfig.Rancher)
		want  map[string]string
		end   bool
	}{
		"shutdown_timeout": {false, func(r *osconfig.Rancher) { r.ShutdownTimeout = 90 }, map[string]string{}, false},
		"debug":            {false, func(r *osconfig.Rancher) { r.Docker.Debug = true }, map[string]string{"docker": unitRenews}, false},
		"bridge":           {false, func(r *osconfig.Rancher) { r.Docker.Bridge = "br0" }, map[string]string{"docker": unitRestarts}, true},
		"off":              {false, func(r *osconfig.Rancher) { r.Docker.Enabled = new(false) }, map[string]string{"docker": unitStops}, true},
		"debug, and a proxy": {false, func(r *osconfig.Rancher) {
			r.Docker.Debug, r.Environment = true, map[string]string{"http_proxy": "http://p"}
		}, map[string]string{"docker": unitRestarts}, true},
		"debug in a swarm": {true, func(r *osconfig.Rancher) { r.Docker.Debug = true }, map[string]string{"docker": unitRestarts}, true},
	} {
		dir := t.TempDir()
		if tc.swarm {
			joined(t, dir)
		}
		before := inSwarm(dir, false)
		after := before
		tc.edit(&after.Rancher)
		got, end := new(Manager).unitTexts(before, after)
		if diff := cmp.Diff(tc.want, got); diff != "" || end != tc.end {
			t.Errorf("%s: containers end: %t, want %t; %s", name, end, tc.end, diff)
		}
	}
}

// A running process 1 is told how long containers have to stop, and nobody
// waits for another dockerd.
func TestRetime(t *testing.T) {
	dir := t.TempDir()
	told := 0
	r := renewal{file: filepath.Join(dir, "renewal.json"), redefine: func(context.Context, unit.Unit) error { told++; return nil }}
	m := &Manager{}
	m.sup = supervise.New(supervise.Options{Runner: &unitRunner{}, Log: quiet(), Condition: func(string) supervise.Condition { return nil },
		OnEvent: func(string, supervise.Event) {}, Check: func(context.Context, unit.Probe) error { return nil }})
	u := engine.Unit(engine.Options{})
	u.Requires = nil
	if err := m.sup.Add(u); err != nil {
		t.Fatal(err)
	}
	u.Args = append(slices.Clone(u.Args), "--x")
	if err := m.retimeEngine(t.Context(), u, r); err != nil || told != 0 {
		t.Errorf("before the start: %v, told %d times", err, told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.sup.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := errors.Join(m.sup.Start(ctx, u.Name), m.retimeEngine(ctx, u, r)); err != nil || told != 1 {
		t.Errorf("%v, told %d times", err, told)
	}
	if text, err := os.ReadFile(r.file); err != nil || !strings.Contains(string(text), "--x") {
		t.Errorf("arguments %s, %v", text, err)
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
