package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/linux"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
	"github.com/pharos-os/pharos/system/view"
)

// TestInConsole: a path of the console is looked for where the engine has it.
// Directories that are mounted from elsewhere are its own or the manager's, and
// nobody keeps data below /sys.
func TestInConsole(t *testing.T) {
	mounts := inConsole("/").Root.Mounts
	var fromMachine []string
	for _, mount := range engine.Unit(engine.Options{}).Mounts {
		if mount.Source == mount.Target && strings.Count(mount.Target, "/") < 3 && !slices.Contains(mount.Options, "ro") && !strings.HasPrefix(mount.Target, "/sys/") {
			fromMachine = append(fromMachine, mount.Target)
			if mounts[mount.Target] != mount.Source {
				t.Errorf("%s is the machine's in the engine", mount.Target)
			}
		}
	}
	if len(fromMachine) != len(mounts) {
		t.Errorf("the engine has %q of the machine, the manager expects %v", fromMachine, mounts)
	}
}

// TestRootSwarmOnTree: a data root on the tree of console and engine, by a
// mount there or by rancher.state.directories, is not the machine's path.
func TestRootSwarmOnTree(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	for _, dir := range []string{"/run", "/srv"} {
		if err := linux.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	joined(t, filepath.Join(view.Root, "data/docker"))
	joined(t, "/srv/docker")
	if err := os.Symlink("/srv", filepath.Join(view.Root, "linked")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"/data/docker": true, "/srv/docker": true, "/linked/docker": true, "/docker": false, "/srv/data": false} {
		if new(Manager).hasSwarm(inSwarm(dir, false)) != want {
			t.Errorf("%s: a swarm is found: %v", dir, !want)
		}
	}
	// Who takes the key away is asked, and the engine goes on as a swarm needs it.
	on, off := inSwarm("/data/docker", true), inSwarm("/data/docker", false)
	m := &Manager{}
	if costs := m.costs(t.Context(), on, off); len(costs) != 1 {
		t.Errorf("costs %q", costs)
	}
	if err := m.leaveSwarm(t.Context(), on, off, true); err == nil {
		t.Error("left without an engine")
	}
}

// TestRootConfigFile: the file of rancher.docker.config_file may move the data
// root, and the swarm's state with it.
func TestRootConfigFile(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	for _, dir := range []string{"/run", "/srv"} {
		if err := linux.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	joined(t, "/srv/docker")
	joined(t, "/srv/flag")
	etc := filepath.Join(view.Root, "etc")
	err := errors.Join(os.MkdirAll(etc, 0o755), os.Symlink("/srv/daemon.json", filepath.Join(etc, "daemon.json")),
		os.WriteFile("/srv/daemon.json", []byte(`{"data-root":"/srv/docker"}`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file, root, flag string
		want             bool
	}{
		"the file":           {"/srv/daemon.json", "", "", true},
		"a link to it":       {"/etc/daemon.json", "/srv/data", "", true},
		"a flag wins":        {"/etc/daemon.json", "", "--data-root=/srv/data", false},
		"no file":            {"/etc/none.json", "/srv/flag", "", true},
		"without it":         {"", "/srv/data", "", false},
		"what it moves from": {"/etc/daemon.json", "/srv/flag", "--data-root=/srv/data", false},
	} {
		c := inSwarm(tc.root, false)
		c.Rancher.Docker.ConfigFile = tc.file
		if tc.flag != "" {
			c.Rancher.Docker.ExtraArgs = []string{tc.flag}
		}
		if new(Manager).hasSwarm(c) != tc.want {
			t.Errorf("%s: a swarm is found: %v", name, !tc.want)
		}
	}
}

// TestRootSilentDataRoot: a file system that does not answer holds nobody up for
// longer than the deadline.
func TestRootSilentDataRoot(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs /dev/fuse: %v", err)
	}
	defer unix.Close(dev) // which ends the file system
	if err := linux.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := linux.Mount("silent", "/srv", "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev)); err != nil {
		t.Fatal(err)
	}
	m := &Manager{}
	c := inSwarm("/srv/docker", false)
	elsewhere := inSwarm("/data/docker", false)
	elsewhere.Rancher.Docker.ConfigFile = "/srv/daemon.json"
	answers := make(chan bool, 3)
	for _, has := range []func() bool{
		func() bool { return m.hasSwarm(c) }, func() bool { return m.hasSwarm(c) },
		func() bool { return m.engineRoot(elsewhere.Rancher.Docker) == "/data/docker" },
	} {
		go func() { answers <- has() }()
	}
	for range 3 {
		select {
		case ok := <-answers:
			if !ok {
				t.Error("what is not known counts as no swarm, or the file as one with a data root")
			}
		case <-time.After(2 * lookDeadline):
			t.Fatal("the file system is waited for")
		}
	}
}

// A look that does not end is not begun again.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g looks
		begun, end := 0, make(chan bool)
		for range 3 {
			if !look(&g, "x", true, func() bool { begun++; return <-end }) {
				t.Error("an answer from nowhere")
			}
		}
		go func() { end <- false }()
		if look(&g, "x", true, func() bool { begun++; return true }) || begun != 1 {
			t.Errorf("%d looks", begun)
		}
	})
}

// What is late is as it was last seen, by this rosd or the one before it: the
// running engine is defined as it was.
func TestLateLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := looks{file: filepath.Join(t.TempDir(), "looks.json")}
		look(&g, "swarm", true, func() bool { return false })
		look(&g, "root", "", func() string { return "/data" })
		end := make(chan struct{})
		defer func() { close(end); synctest.Wait() }() // the last answers are written
		hang := func() bool { <-end; return true }
		next := looks{file: g.file}
		for name, g := range map[string]*looks{"in memory": &g, "of the rosd before": &next} {
			if look(g, "swarm", true, hang) {
				t.Errorf("%s: a swarm", name)
			}
			if root := look(g, "root", "", func() string { <-end; return "" }); root != "/data" {
				t.Errorf("%s: data root %q", name, root)
			}
			if !look(g, "other", true, hang) {
				t.Errorf("%s: nothing is known of it", name)
			}
		}
		// An answer that nobody waits for any more counts later.
		slow := make(chan struct{})
		look(&g, "late", true, func() bool { <-slow; return false })
		close(slow)
		synctest.Wait()
		if look(&g, "late", true, hang) {
			t.Error("the late answer is lost")
		}
	})
}

// A data root that answers between two looks changes no unit.
func TestCompareLooksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Manager{}
		before := inSwarm("/data/docker", false)
		after := before
		after.Rancher.Docker.Debug = true
		end := make(chan struct{})
		m.looks.flights.DoChan("swarm in /data/docker", func() (any, error) { <-end; return false, nil })
		time.AfterFunc(lookDeadline+time.Second, func() { close(end) })
		for _, c := range m.compare(before, before) {
			t.Errorf("nothing has changed, and the service %s %s", c.unit.Name, c.how)
		}
		synctest.Wait()
		time.Sleep(lookDeadline)
		if got := m.compare(before, after); len(got) != 1 || got[0].how != unitRenews {
			t.Errorf("debug: %+v", got)
		}
	})
}

// TestRefitEngine: the data root may be mounted only after the units were
// defined. The engine, which waits meanwhile, then starts as a swarm needs it.
func TestRefitEngine(t *testing.T) {
	dir := t.TempDir()
	r := &unitRunner{}
	var answers atomic.Bool
	m := &Manager{log: quiet(), units: map[string]*supervise.Gate{}, launched: supervise.NewGate("the first units"),
		config: load.Result{Config: inSwarm(dir, false)}, notes: map[string][]string{},
		modules: func() (*modules.Loader, error) { return nil, os.ErrNotExist }}
	there := supervise.NewGate("what the engine requires")
	there.Open()
	m.sup = supervise.New(supervise.Options{Runner: r, Log: quiet(), Condition: func(string) supervise.Condition { return there },
		OnEvent: func(string, supervise.Event) {}, Check: func(context.Context, unit.Probe) error {
			if !answers.Load() {
				return errors.New("the engine waits")
			}
			return nil
		}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	done := make(chan error)
	go func() { done <- m.sup.Run(ctx) }()
	defer func() { cancel(); <-done }()

	fixed := func() bool {
		i, err := m.sup.Get(engine.Name)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(i.Unit.Args, "--fixed=live-restore")
	}
	if err := m.refitEngine(ctx); err != nil {
		t.Errorf("without an engine: %v", err)
	}
	m.lookAtDataRoot(m.cfg())
	units := m.definitions(m.cfg())
	if err := m.sup.Add(units[slices.IndexFunc(units, func(u unit.Unit) bool { return u.Name == engine.Name })]); err != nil {
		t.Fatal(err)
	}
	awaitPID := func() {
		for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
			if i, err := m.sup.Get(engine.Name); err != nil || i.PID != 0 || ctx.Err() != nil {
				return
			}
		}
	}
	awaitPID()
	if err := m.refitEngine(ctx); err != nil || fixed() {
		t.Errorf("nothing has changed: %v", err)
	}
	// One that somebody stops, before or after, stays stopped.
	joined(t, dir)
	if err := m.sup.Stop(ctx, engine.Name); err != nil {
		t.Fatal(err)
	}
	err := m.refitEngine(ctx)
	if i, _ := m.sup.Get(engine.Name); err != nil || !fixed() || i.State != supervise.Stopped {
		t.Errorf("a swarm has come, and the engine was stopped: %v, %s", err, i.State)
	}
	go m.sup.Start(ctx, engine.Name)
	awaitPID()
	m.needs = needs{}
	if err := errors.Join(m.refitEngine(ctx), m.sup.Stop(ctx, engine.Name)); err != nil {
		t.Errorf("refitted, then stopped: %v", err)
	}
	before := r.count()
	// Otherwise the next one starts.
	go m.sup.Start(ctx, engine.Name)
	awaitPID()
	m.needs = needs{}
	err = m.refitEngine(ctx)
	answers.Store(true)
	if err := errors.Join(err, m.sup.Start(ctx, engine.Name)); err != nil {
		t.Error(err)
	}
	if i, _ := m.sup.Get(engine.Name); i.State != supervise.Running || r.count() != before+2 {
		t.Errorf("%s after %d starts, %d before", i.State, r.count(), before)
	}
	// One that runs is left alone.
	m.needs = needs{}
	if err := m.refitEngine(ctx); err != nil || r.count() != before+2 {
		t.Errorf("a running engine: %v, %d starts", err, r.count())
	}
}
