package units

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

// buffer is what commands printed.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// world is a Runner with real processes and a directory of its own.
type world struct {
	*Runner
	t      *testing.T
	dir    string
	out    *buffer
	cancel context.CancelFunc
	ctx    context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	reaper, err := keep.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	reaping, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); reaper.Run(reaping) }()
	w := &world{t: t, dir: t.TempDir(), out: &buffer{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.Runner = New(Options{
		Log:      slog.New(slog.NewTextHandler(w.out, nil)),
		Output:   w.out,
		Hostname: "box",
		Start: func(c keep.Command) (Process, error) {
			p, err := reaper.Start(c)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Ready: func(ctx context.Context, known coreunit.Known) error {
			return w.await(ctx, filepath.Join(w.dir, "ready"))
		},
		Booted: time.Now(),
	})
	t.Cleanup(func() {
		w.cancel()
		w.Stop()
		stop()
		<-ended
		if t.Failed() {
			t.Log(w.out.String())
		}
	})
	return w
}

func (w *world) await(ctx context.Context, path string) error {
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if !wait(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// service is a unit that starts at boot; DIR stands for the test's directory.
func (w *world) service(name, text string) osconfig.CoreOSUnit {
	return osconfig.CoreOSUnit{Name: name, Command: "start", Content: strings.ReplaceAll(text, "DIR", w.dir)}
}

func (w *world) apply(units ...osconfig.CoreOSUnit) { w.Apply(w.ctx, units) }

func (w *world) state(name string) State {
	for _, s := range w.Status() {
		if s.Name == name {
			return s.State
		}
	}
	return "none"
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("not within 10 s: %s; %+v", what, w.Status())
		}
	}
}

func (w *world) reaches(name string, want State) {
	w.t.Helper()
	w.until(name+" "+string(want), func() bool { return w.state(name) == want })
}

// log is what commands wrote into the file log.
func (w *world) log() []string {
	text, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

func (w *world) logged(want ...string) {
	w.t.Helper()
	w.until(strings.Join(want, " "), func() bool { return len(w.log()) >= len(want) })
	if diff := cmp.Diff(want, w.log()); diff != "" {
		w.t.Errorf("log -want +got:\n%s", diff)
	}
}

// say is a command that writes a word into the log.
func say(word string) string { return "/bin/sh -c 'echo " + word + " >> DIR/log'" }

func TestPhases(t *testing.T) {
	w := newWorld(t)
	w.apply(w.service("a.service", `[Service]
Environment=WORD=main
ExecStartPre=-/bin/false
ExecStartPre=`+say("pre")+`
ExecStart=/bin/sh -c 'echo $$0 $${WORD} >> DIR/log; echo hello; exec sleep 60' %H
ExecStartPost=/bin/sh -c 'until grep -q main DIR/log; do :; done; echo post >> DIR/log'
ExecStop=`+say("stop")+`
ExecStopPost=`+say("stoppost")+`
`))
	w.reaches("a.service", Active)
	w.until("output", func() bool { return strings.Contains(w.out.String(), "a.service: hello\n") })
	w.Stop()
	w.logged("pre", "box", "main", "post", "stop", "stoppost")
	if p := w.Problems(); len(p) > 0 || w.state("a.service") != Inactive {
		t.Error(p, w.state("a.service"))
	}
}

func TestOrder(t *testing.T) {
	w := newWorld(t)
	oneshot := func(name, head string) osconfig.CoreOSUnit {
		return w.service(name+".service", "[Unit]\n"+head+"\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart="+say(name)+"\nExecStop="+say("-"+name)+"\n")
	}
	w.apply(
		oneshot("c", "After=b.service docker.service\nWants=d.service missing.service"),
		oneshot("b", "Requires=a.service"),
		oneshot("z", "Before=a.service"),
		osconfig.CoreOSUnit{Name: "a.service", Content: oneshot("a", "").Content}, // b asks for it
		osconfig.CoreOSUnit{Name: "d.service", Content: oneshot("d", "After=c.service").Content},
		osconfig.CoreOSUnit{Name: "e.service", Content: oneshot("e", "").Content}, // nobody asks for it
	)
	w.reaches("b.service", Exited)
	if got := w.state("c.service"); got != Waiting {
		t.Errorf("c does not wait for the engine: %s", got)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "ready"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reaches("d.service", Exited)
	w.Stop()
	w.logged("z", "a", "b", "c", "d", "-d", "-c", "-b", "-a", "-z")
	if got := w.state("e.service"); got != Inactive {
		t.Errorf("e: %s", got)
	}
}

func TestRequires(t *testing.T) {
	w := newWorld(t)
	w.apply(
		w.service("bad.service", "[Unit]\nOnFailure=alarm.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 3'\n"),
		w.service("needs.service", "[Unit]\nRequires=bad.service\n[Service]\nExecStart="+say("needs")+"\n"),
		w.service("wants.service", "[Unit]\nWants=bad.service\nAfter=bad.service\n[Service]\nType=oneshot\nExecStart="+say("wants")+"\n"),
		w.service("nothing.service", "[Unit]\nRequires=absent.service\n[Service]\nExecStart="+say("nothing")+"\n"),
		w.service("more.service", "[Unit]\nRequires=nothing.service\n[Service]\nExecStart="+say("more")+"\n"),
		w.service("skipped.service", "[Unit]\nConditionPathExists=DIR/absent\n[Service]\nExecStart="+say("skipped")+"\n"),
		osconfig.CoreOSUnit{Name: "alarm.service", Content: w.service("", "[Service]\nType=oneshot\nExecStart="+say("alarm")+"\n").Content},
		w.service("circle1.service", "[Unit]\nAfter=circle2.service\n[Service]\nType=oneshot\nExecStart=/bin/true\n"),
		w.service("circle2.service", "[Unit]\nAfter=circle1.service\n[Service]\nType=oneshot\nExecStart=/bin/true\n"),
		w.service("broken.service", "[Service]\nExecStart=/bin/true\nColour=red\n"),
		osconfig.CoreOSUnit{Name: "masked.service", Mask: true},
	)
	w.reaches("needs.service", Failed)
	w.until("both", func() bool { return len(w.log()) == 2 })
	got := w.log()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"alarm", "wants"}, got); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"unit broken.service is not run: line 3: Colour= is not supported",
		"unit nothing.service is not run: it requires absent.service, which does not exist",
		"unit more.service is not run: it requires nothing.service, which is not run either",
		"units wait for each other: circle1.service after circle2.service after circle1.service; circle2.service does not wait for circle1.service",
		"unit bad.service failed: ExecStart sh: exit 3",
		"unit needs.service failed: bad.service, which it requires, did not start",
	}
	if diff := cmp.Diff(want, w.Problems()); diff != "" {
		t.Errorf("problems -want +got:\n%s", diff)
	}
}

func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.apply(
		w.service("a.service", "[Service]\nRestart=on-failure\nRestartSec=1ms\nExecStart=/bin/sh -c 'echo a >> DIR/log; test $(wc -l < DIR/log) -ge 4'\n"),
		w.service("limited.service", "[Service]\nRestart=always\nRestartSec=1ms\nStartLimitBurst=3\nStartLimitInterval=60\nExecStart=/bin/true\n"),
	)
	w.reaches("a.service", Inactive)
	w.logged("a", "a", "a", "a") // and no more
	w.reaches("limited.service", Failed)
	if got := w.Problems(); len(got) != 1 || got[0] != "unit limited.service failed: ended; started 3 times in 1m0s" {
		t.Error(got)
	}
}

func TestTimeouts(t *testing.T) {
	w := newWorld(t)
	w.apply(
		w.service("slow.service", "[Service]\nTimeoutStartSec=50ms\nExecStartPre=/bin/sleep 60\nExecStart=/bin/true\nExecStopPost="+say("post")+"\n"),
		w.service("deaf.service", "[Service]\nTimeoutStopSec=100ms\nExecStart=/bin/sh -c 'trap \"\" TERM; sleep 61 & echo up >> DIR/log; while :; do sleep 0.05; done'\n"),
		w.service("missing.service", "[Service]\nExecStart=/no/such/program\n"),
	)
	w.reaches("slow.service", Failed)
	w.until("up", func() bool { return slices.Contains(w.log(), "up") })
	w.Stop()
	if got := w.state("deaf.service"); got != Inactive {
		t.Error(got)
	}
	got := strings.Join(w.Problems(), "\n")
	for _, want := range []string{"slow.service failed: ExecStartPre sleep: not done after 50ms", "missing.service failed: ExecStart: start /no/such/program"} {
		if !strings.Contains(got, want) {
			t.Errorf("problems %q do not say %q", got, want)
		}
	}
}

func TestApplyAgain(t *testing.T) {
	w := newWorld(t)
	unit := func(name, word string) osconfig.CoreOSUnit {
		return w.service(name, "[Service]\nExecStart=/bin/sh -c 'echo "+word+" >> DIR/log; exec sleep 60'\nExecStop="+say("-"+word)+"\n")
	}
	w.apply(unit("a.service", "a"))
	w.logged("a")
	w.apply(unit("a.service", "a"), unit("b.service", "b"))
	w.logged("a", "b")
	follows := w.service("c.service", "[Unit]\nRequires=b.service\n[Service]\nExecStart=/bin/sh -c 'echo c >> DIR/log; exec sleep 60'\nExecStop="+say("-c")+"\n")
	w.apply(unit("a.service", "a"), unit("b.service", "b"), follows)
	w.logged("a", "b", "c")
	w.apply(unit("a.service", "a"), unit("b.service", "B"), follows) // b changed: c goes with it
	w.until("both again", func() bool { return len(w.log()) == 7 })
	again := w.log()
	slices.Sort(again[5:]) // a simple service counts as up before it does anything
	if diff := cmp.Diff([]string{"a", "b", "c", "-c", "-b", "B", "c"}, again); diff != "" {
		t.Error(diff)
	}
	w.apply(unit("a.service", "a"))
	w.until("both stopped", func() bool { return len(w.log()) == 9 })
	if got := fmt.Sprint(w.log()[7:], w.state("a.service"), w.state("b.service")); got != "[-c -B]activenone" {
		t.Error(got)
	}
}

func TestEnvironmentAndInstall(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, "env"), []byte("# mine\nA=\"one two\"\nexport B='$x'\nbad line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	enabled := func(u osconfig.CoreOSUnit, install string) osconfig.CoreOSUnit {
		u.Command, u.Enable = "", true
		u.Content += "[Install]\n" + install + "\n"
		return u
	}
	env := w.service("env.service", `[Service]
Type=oneshot
EnvironmentFile=-/no/such/file
EnvironmentFile=DIR/env
WorkingDirectory=DIR
ExecStart=/bin/sh -c 'for i; do echo "[$$i]"; done; pwd' x ${A} $A ${B} ${NONE}
`)
	w.apply(
		enabled(env, "WantedBy=multi-user.target"),
		enabled(w.service("pulled.service", "[Service]\nType=oneshot\nExecStart="+say("pulled")+"\n"), "WantedBy=env.service"),
		osconfig.CoreOSUnit{Name: "off.service", Content: env.Content + "[Install]\nWantedBy=multi-user.target\n"},
		osconfig.CoreOSUnit{Name: "t@.service", Content: w.service("", "[Service]\nType=oneshot\nExecStart="+say("%i")+"\n").Content},
		osconfig.CoreOSUnit{Name: "t@one.service", Command: "start"},
	)
	w.until("words", func() bool { return len(w.log()) == 2 })
	w.until("output", func() bool { return strings.Contains(w.out.String(), "env.service: "+w.dir) })
	var got []string
	for line := range strings.Lines(w.out.String()) {
		if text, ok := strings.CutPrefix(line, "env.service: ["); ok {
			got = append(got, strings.TrimSuffix(text, "]\n"))
		}
	}
	if diff := cmp.Diff([]string{"one two", "one", "two", "$x", ""}, got); diff != "" {
		t.Error(diff)
	}
	words := w.log()
	slices.Sort(words)
	if fmt.Sprint(words, w.state("off.service")) != "[one pulled]inactive" {
		t.Error(words, w.state("off.service"))
	}
}
