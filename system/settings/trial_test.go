package settings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

// pendingThere reports whether a reboot would go back.
func (m *machine) pendingThere() bool {
	_, err := os.Stat(filepath.Join(m.root, pendingFile))
	return err == nil
}

func TestApply(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
	m.set("hostname", "sea")
	m.set("rancher.state.dev", "LABEL=X")
	want := api.ConfigDiff{Problems: []string{}, Changes: []api.ConfigChange{
		{Key: "hostname", How: "live", Text: `hostname is "sea" instead of "lake": the machine takes the name at once`},
		{Key: "rancher.state", How: "reboot", Text: "rancher.state is set (dev): the state partition is looked for at boot; directories begin to last then, or when the console starts again"},
	}}
	got, err := m.Diff()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	m.fails = errors.Join(errors.New("sysctl a: no such file"), errors.New("module b: unknown"))
	want.Problems = []string{"sysctl a: no such file", "module b: unknown"}
	got, err = m.Apply(t.Context(), 0, false, "ann")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if m.running.Config.Hostname != "sea" || m.pendingThere() {
		t.Errorf("%+v", m.running.Config)
	}
	// What needs a reboot goes on needing it.
	got, err = m.Diff()
	if err != nil || len(got.Changes) != 1 || got.Changes[0].How != "reboot" {
		t.Errorf("%+v, %v", got, err)
	}
	m.boot()
	if got, err = m.Diff(); err != nil || len(got.Changes) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	// A file with an error is not applied.
	m.put("cloud-config.yml", "hostname: hill\nrancher: {ssh: {port: many}}\n")
	if got, err = m.Diff(); err != nil || len(got.Problems) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := m.Apply(t.Context(), 0, false, "ann"); !errdefs.IsInvalidArgument(err) || m.running.Config.Hostname != "sea" {
		t.Errorf("%v, %+v", err, m.running.Config.Hostname)
	}
	for _, d := range []time.Duration{-1, time.Second, 25 * time.Hour} {
		if _, err := m.Apply(t.Context(), d, false, "ann"); !errdefs.IsInvalidArgument(err) {
			t.Errorf("trial of %s: %v", d, err)
		}
	}
}

// What cannot be undone is done with yes alone, and never on trial.
func TestCosts(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.yml": "rancher: {docker: {swarm: {init: true}}}\n"})
	m.set("rancher.docker.swarm.init", "false")
	for _, tc := range []struct {
		try  time.Duration
		yes  bool
		want string
	}{
		{0, false, "the swarm ends; nothing was applied; to apply it, run ros config apply --yes"},
		{time.Minute, false, "the swarm ends; a trial cannot take that back; apply it without --try, with --yes"},
		{time.Minute, true, "the swarm ends; a trial cannot take that back; apply it without --try, with --yes"},
	} {
		if _, err := m.Apply(t.Context(), tc.try, tc.yes, "ann"); !errdefs.IsFailedPrecondition(err) || !strings.HasPrefix(err.Error(), tc.want+": ") {
			t.Errorf("trial of %s, yes %v: %v", tc.try, tc.yes, err)
		}
	}
	if len(m.applied) > 0 || m.pendingThere() {
		t.Errorf("applied %q", m.applied)
	}
	d, err := m.Apply(t.Context(), 0, true, "ann")
	if err != nil || len(d.Changes) != 1 || d.Changes[0].Unit != "docker" || len(m.applied) != 1 || !m.yes[0] {
		t.Errorf("%+v, %v, yes %v", d, err, m.yes)
	}
}

// A machine that joins a swarm stays in it: a trial cannot take that back, so
// it is refused although it costs nothing.
func TestSwarmIsNotTried(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
	m.set("rancher.docker.swarm.init", "true")
	for _, yes := range []bool{false, true} {
		_, err := m.Apply(t.Context(), time.Minute, yes, "ann")
		if !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "rancher.docker.swarm") || !strings.Contains(err.Error(), "apply it without --try: ") {
			t.Errorf("yes %v: %v", yes, err)
		}
	}
	if len(m.applied) > 0 || m.pendingThere() {
		t.Errorf("applied %q", m.applied)
	}
	if _, err := m.Apply(t.Context(), 0, false, "ann"); err != nil || len(m.applied) != 1 || m.yes[0] {
		t.Errorf("%v, yes %v", err, m.yes)
	}
}

// The end of a trial never does what cannot be undone, whatever ended it and
// whatever it was begun with.
func TestTrialEndsWithoutYes(t *testing.T) {
	for name, end := range map[string]func(m *machine) error{
		"time":     func(*machine) error { time.Sleep(2 * time.Minute); return nil },
		"rollback": func(m *machine) error { return second(m.Rollback(0, "ann")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
				m.set("hostname", "sea")
				if _, err := m.Apply(t.Context(), time.Minute, true, "ann"); err != nil {
					t.Fatal(err)
				}
				if err := end(m); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if diff := cmp.Diff([]string{"sea", "lake"}, m.applied); diff != "" || m.yes[1] {
					t.Errorf("%s, yes %v", diff, m.yes)
				}
			})
		})
	}
}

// Units that restart are named, once.
func TestUnitsInDiff(t *testing.T) {
	m := newMachine(t, nil)
	m.set("timezone", "Europe/Berlin")
	m.set("rancher.docker.debug", "true")
	m.set("rancher.debug", "true")
	d, err := m.Diff()
	for _, c := range d.Changes { // the units know it
		if c.Key == "rancher.docker" && !strings.Contains(c.Text, "containers stop") {
			t.Errorf("the unit restarts: %s", c.Text)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range d.Changes {
		got = append(got, c.How+" "+c.Unit+" "+c.Key)
	}
	if diff := cmp.Diff([]string{"live  timezone", "restart docker rancher.docker", "restart syslog ", "reboot  rancher.debug"}, got); diff != "" {
		t.Error(diff)
	}
}

// Whoever asked may go away: it is carried out all the same.
func TestApplyWithoutClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
		m.set("hostname", "sea")
		m.hold = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- second(m.Apply(ctx, 0, false, "ann")) }()
		synctest.Wait()
		if _, err := m.Apply(t.Context(), 0, false, "bob"); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("two at once: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(m.hold)
		synctest.Wait()
		if m.running.Config.Hostname != "sea" || len(m.work) > 0 {
			t.Errorf("%+v, at work: %d", m.running.Config.Hostname, len(m.work))
		}
	})
}

func TestTrialExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "# mine\nhostname: lake\n"
		m := newMachine(t, map[string]string{"cloud-config.yml": text, "cloud-config.d/a.yml": "locale: C\n"})
		m.set("hostname", "sea")
		m.put("cloud-config.d/a.yml", "locale: C\ntimezone: UTC\n")
		m.put("cloud-config.d/b.yml", "timezone: UTC\n")
		d, err := m.Apply(t.Context(), time.Minute, false, "ann")
		if err != nil || d.Try == nil || d.Try.Seconds != 60 || m.running.Config.Hostname != "sea" || !m.pendingThere() {
			t.Fatalf("%+v, %v, %+v", d, err, m.running.Config.Hostname)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if d, err = m.Diff(); err != nil || d.Try == nil || d.Try.Seconds != 1 || m.running.Config.Hostname != "sea" {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, err := range []error{
			second(m.edit(api.ConfigEdit{Verb: "set", Key: "hostname", Value: "hill"})),
			second(m.Rollback(1, "ann")), second(m.Apply(t.Context(), 0, false, "ann")),
		} {
			if !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "on trial for 1s more") {
				t.Errorf("during a trial: %v", err)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"sea", "lake"}, m.applied); diff != "" {
			t.Error(diff)
		}
		if m.running.Config.Hostname != "lake" || m.user() != text || m.pendingThere() {
			t.Errorf("not as before: %+v, %q", m.running.Config.Hostname, m.user())
		}
		if _, err := os.Stat(filepath.Join(m.root, load.DropInDir, "b.yml")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("b.yml: %v", err)
		}
		for name, want := range map[string]string{"a.yml": "locale: C\n", "a.yml.tried": "locale: C\ntimezone: UTC\n", "b.yml.tried": "timezone: UTC\n"} {
			if text, err := os.ReadFile(filepath.Join(m.root, load.DropInDir, name)); err != nil || string(text) != want {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		if d, err := m.Diff(); err != nil || len(d.Changes) > 0 || d.Try != nil {
			t.Errorf("%+v, %v", d, err)
		}
		if err := m.Confirm("ann"); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("confirmed too late: %v", err)
		}
		all, err := m.History()
		if err != nil || all[0].Verb != "back: nobody confirmed it" || !all[0].Current {
			t.Errorf("%+v, %v", all, err)
		}
		// What was tried can be had again.
		if _, err := m.Rollback(all[1].Number, "ann"); err != nil || !strings.Contains(m.user(), "sea") {
			t.Errorf("%v, %q", err, m.user())
		}
	})
}

func TestTrialConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, nil)
		m.set("hostname", "sea")
		if _, err := m.Apply(t.Context(), time.Minute, false, "ann"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if err := m.Confirm("ann"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if m.running.Config.Hostname != "sea" || m.pendingThere() || !strings.Contains(m.user(), "sea") {
			t.Errorf("%+v, %q", m.running.Config.Hostname, m.user())
		}
		// The next trial goes back to what was confirmed.
		m.set("hostname", "hill")
		if _, err := m.Apply(t.Context(), 10*time.Second, false, "ann"); err != nil {
			t.Fatal(err)
		}
		if out, err := m.Rollback(0, "ann"); err != nil || !out.Changed {
			t.Errorf("%+v, %v", out, err)
		}
		if m.running.Config.Hostname != "sea" || !strings.Contains(m.user(), "sea") {
			t.Errorf("%+v, %q", m.running.Config.Hostname, m.user())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(m.applied, []string{"sea", "hill", "sea"}) {
			t.Errorf("%q", m.applied)
		}
	})
}

// Carrying out hangs, as after a network that was cut: the trial ends all the
// same, at its time.
func TestTrialOfSomethingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
		m.set("hostname", "sea")
		m.hold = make(chan struct{})
		type answer struct {
			d   api.ConfigDiff
			err error
		}
		done := make(chan answer)
		start := time.Now()
		go func() {
			d, err := m.Apply(t.Context(), 20*time.Second, false, "ann")
			done <- answer{d, err}
		}()
		time.Sleep(19 * time.Second)
		synctest.Wait()
		m.mu.Lock()
		m.hold = nil // for the way back
		m.mu.Unlock()
		a := <-done
		synctest.Wait()
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("took %s", took)
		}
		if a.err != nil || a.d.Try != nil || len(a.d.Problems) != 1 || m.running.Config.Hostname != "lake" {
			t.Errorf("%+v, %v, %q", a.d, a.err, m.running.Config.Hostname)
		}
	})
}

// A reboot, or a manager that starts anew, ends a trial.
func TestTrialAndReboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
		m.set("hostname", "sea")
		if _, err := m.Apply(t.Context(), 10*time.Second, false, "ann"); err != nil {
			t.Fatal(err)
		}
		m.trial.timer.Stop() // it dies with its process
		if said := m.boot(); !strings.Contains(said, "on trial is not used") {
			t.Errorf("said %q", said)
		}
		if m.running.Config.Hostname != "lake" || m.pendingThere() {
			t.Errorf("%+v", m.running.Config.Hostname)
		}
		if said := m.boot(); said != "" {
			t.Errorf("a second time: %q", said)
		}
		// Nonsense in the file does not stop the boot for ever.
		m.put("pending.json", "{")
		if _, err := m.Recover(); err == nil || m.pendingThere() {
			t.Errorf("%v", err)
		}
		m.put("pending.json", `{"files": {"../../../../etc/passwd": "x", "cloud-config.yml": "hostname: lake\n"}}`)
		if _, err := m.Recover(); err == nil {
			t.Error("a file outside conf was written")
		}
		if _, err := os.Stat(filepath.Join(m.root, "etc")); err == nil {
			t.Error("a file outside conf was written")
		}
	})
}

func TestTrialOfNothing(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
	d, err := m.Apply(t.Context(), time.Minute, false, "ann")
	if err != nil || d.Try != nil || len(d.Changes) > 0 || m.pendingThere() {
		t.Errorf("%+v, %v", d, err)
	}
}

// What the manager does by itself waits for the end of a trial, and a load
// meanwhile does not change what the trial goes back to.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
		m.set("hostname", "sea")
		if _, err := m.Apply(t.Context(), time.Minute, false, "ann"); err != nil {
			t.Fatal(err)
		}
		m.Remember()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Alone(short, func() error { return errors.New("ran") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("during a trial: %v", err)
		}
		begin, host := time.Now(), ""
		if err := m.Alone(t.Context(), func() error { host = m.running.Config.Hostname; return nil }); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begin); host != "lake" || waited != 59*time.Second {
			t.Errorf("after %s: %s", waited, host)
		}
		if len(m.work) > 0 {
			t.Error("nobody else can change the machine")
		}
	})
}
