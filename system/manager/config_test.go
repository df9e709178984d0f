package manager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

func TestUnitChanges(t *testing.T) {
	u := func(name, image, probe string) unit.Unit {
		return unit.Unit{Name: name, Image: image, Ready: unit.Probe{TCP: probe}}
	}
	before := []unit.Unit{u("docker", "a", ""), u("console", "a", ":22"), u("syslog", "a", ""), u("udev", "a", "")}
	after := []unit.Unit{u("docker", "b", ""), u("console", "a", ":2222"), u("ntp", "a", ""), u("udev", "a", "")}
	got := map[string]string{}
	for _, c := range unitChanges(before, after) {
		got[c.unit.Name] = c.how
		if c.how == unitKept && c.unit.Ready.TCP != ":2222" {
			t.Errorf("%+v is the old one", c.unit)
		}
	}
	want := map[string]string{"docker": unitRestarts, "console": unitKept, "syslog": unitStops, "ntp": unitStarts}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// unitRunner is a runner of containers that do nothing until they are killed.
type unitRunner struct {
	mu      sync.Mutex
	started []string // image of each start, in order
}

type unitProcess struct{ end chan struct{} }

func (r *unitRunner) Start(_ context.Context, u unit.Unit) (supervise.Process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, u.Name+" "+u.Image)
	if u.Image == "broken" {
		return nil, errors.New("no such image")
	}
	return &unitProcess{end: make(chan struct{})}, nil
}

func (r *unitRunner) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.started)
}

func (r *unitRunner) Adopt(context.Context, unit.Unit) (supervise.Process, bool, error) {
	return nil, false, nil
}

func (p *unitProcess) PID() int                     { return 7 }
func (p *unitProcess) Delete(context.Context) error { return nil }
func (p *unitProcess) Kill(context.Context, string) error {
	close(p.end)
	return nil
}

func (p *unitProcess) Wait(ctx context.Context) (uint32, error) {
	select {
	case <-p.end:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Units start, stop and restart as a configuration changes, and one that was
// turned off can be turned on again.
func TestCarryOut(t *testing.T) {
	r := &unitRunner{}
	m := &Manager{log: quiet(), units: map[string]*supervise.Gate{}}
	m.sup = supervise.New(supervise.Options{Runner: r, Log: quiet(), Condition: func(string) supervise.Condition { return nil },
		OnEvent: func(string, supervise.Event) {}, Check: func(context.Context, unit.Probe) error { return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.sup.Run(ctx) }()
	defer func() { cancel(); <-done }()

	u := func(name, image string) unit.Unit {
		return unit.Unit{Name: name, Image: image, Restart: unit.RestartAlways, StopTimeout: time.Second}
	}
	for _, step := range []struct {
		before, after []unit.Unit
		started       []string
		err           string
	}{
		{nil, []unit.Unit{u("a", "1"), u("b", "1")}, []string{"a 1", "b 1"}, ""},
		{[]unit.Unit{u("a", "1"), u("b", "1")}, []unit.Unit{u("a", "1"), u("b", "2")}, []string{"b 2"}, ""},
		{[]unit.Unit{u("a", "1"), u("b", "2")}, []unit.Unit{u("b", "2")}, nil, ""},
		{[]unit.Unit{u("b", "2")}, []unit.Unit{u("a", "3"), u("b", "2")}, []string{"a 3"}, ""},
		// What fails is said, and the rest goes on.
		{[]unit.Unit{u("a", "3"), u("b", "2")}, []unit.Unit{u("a", "broken"), u("b", "4")}, []string{"a broken", "b 4"}, "service a restarts: "},
	} {
		r.mu.Lock()
		r.started = nil
		r.mu.Unlock()
		err := m.carryOut(ctx, unitChanges(step.before, step.after))
		if (err != nil) != (step.err != "") || err != nil && !strings.HasPrefix(err.Error(), step.err) {
			t.Errorf("%v: %v", step.after, err)
		}
		r.mu.Lock()
		if diff := cmp.Diff(step.started, slices.Compact(r.started)); diff != "" {
			t.Errorf("%v: started %s", step.after, diff)
		}
		r.mu.Unlock()
		for _, name := range []string{"a", "b"} {
			want := slices.ContainsFunc(step.after, func(u unit.Unit) bool { return u.Name == name })
			if _, known := m.units[name]; known != want {
				t.Errorf("%v: %s has a gate: %v", step.after, name, known)
			}
		}
	}
}
