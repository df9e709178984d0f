package setup

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/keep"
	"github.com/pharos-os/pharos/system/linux"
)

const nasCover = "mount -t tmpfs -o ro,nosuid,nodev,noexec,size=4k,mode=0555 pharos-waits "

// mountAll does what a round does about mounts and files.
func (s *setup) mountAll(ctx context.Context, p Plan) bool {
	s.begin()
	s.current = p
	s.problem(s.localMounts(ctx, p))
	s.problem(s.cover(ctx, p))
	s.files(p, func(f osconfig.File) bool { return !f.Defer && !onServer(p, f.Path) })
	s.startAttempts(ctx, p)
	s.files(p, func(f osconfig.File) bool { return !f.Defer && onServer(p, f.Path) })
	s.waitingFiles()
	s.report(func(st *Status) { st.Files, st.Arrived = true, s.arrivals(p) })
	if !s.awaitMounts(ctx) {
		s.plan = carriedOut(p, s.plan)
		return false
	}
	s.files(p, func(f osconfig.File) bool { return f.Defer })
	s.report(func(st *Status) { st.Done = true })
	s.plan = p
	return true
}

func (r *room) status(t *testing.T) Status {
	t.Helper()
	st, err := ReadStatus(r.path(StatusPath))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// lateConsole is a console in virtual time that only mounts and writes files.
type lateConsole struct {
	*setup
	room   *room
	hangup chan os.Signal
	stop   func()
}

// console carries a plan out, and waits until it rests.
func (r *room) console(t *testing.T, p Plan) lateConsole {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := lateConsole{setup: r.setup(), room: r, hangup: make(chan os.Signal, 1)}
	c.setup.hangup = c.hangup
	c.stop = func() { cancel(); c.running.Wait() }
	c.write(t, p)
	c.running.Go(func() {
		for ctx.Err() == nil {
			p, err := readPlan(r.path(PlanPath))
			if err != nil {
				t.Error(err)
				return
			}
			if c.mountAll(ctx, p) {
				c.rest(ctx)
			}
		}
	})
	time.Sleep(remoteWait)
	synctest.Wait()
	return c
}

func (c lateConsole) write(t *testing.T, p Plan) {
	t.Helper()
	if err := p.Write(c.room.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
}

// change gives the console another plan.
func (c lateConsole) change(t *testing.T, p Plan) {
	t.Helper()
	c.write(t, p)
	c.hangup <- syscall.SIGHUP
	synctest.Wait()
}

// onTable are the sources of the mounts at a point, the topmost last.
func (r *room) onTable(t *testing.T, point string) string {
	t.Helper()
	list, err := linux.MountsIn(r.path("/proc/self/mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, m := range list {
		if m.Target == point {
			sources = append(sources, m.Source)
		}
	}
	return strings.Join(sources, " ")
}

func nas(more ...osconfig.Mount) Plan {
	return Plan{Mounts: append([]osconfig.Mount{{Device: "10.0.0.1:/export", Point: "/mnt/nas", FSType: "nfs4"}}, more...)}
}

// TestLateMount: a server comes long after everything else is done. Until then
// its place is covered, and what the configuration writes there waits.
func TestLateMount(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.1": true}
	p := nas()
	p.Files = []osconfig.File{{Path: "/mnt/nas/now", Content: "1"}, {Path: "/mnt/nas/deferred", Content: "2", Defer: true}, {Path: "/etc/other", Content: "3"}}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		defer r.console(t, p).stop()
		if took := time.Since(begun); took != remoteWait {
			t.Errorf("waited for %v, want %v", took, remoteWait)
		}
		if d := cmp.Diff([]string{nasCover + "/mnt/nas"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		st := r.status(t)
		want := []string{"mounts: /mnt/nas: mount: Connection refused by 10.0.0.1; the console retries until it works and then writes 2 of write_files"}
		if d := cmp.Diff(want, st.Problems); d != "" || len(st.Arrived) > 0 || !st.Done {
			t.Errorf("%+v: %s", st, d)
		}
		if exists(r.path("/mnt/nas/now")) || exists(r.path("/mnt/nas/deferred")) || !exists(r.path("/etc/other")) {
			t.Error("files are written too early, or not at all")
		}
		time.Sleep(10 * time.Minute)
		r.tools.set(func() { r.tools.away = nil })
		time.Sleep(longestPause)
		synctest.Wait()
		if d := cmp.Diff([]string{"mount -t nfs4 -o retry=0 10.0.0.1:/export /mnt/nas"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		st = r.status(t)
		if d := cmp.Diff([]Arrival{{Point: "/mnt/nas", Device: "0:3"}}, st.Arrived); d != "" || len(st.Problems) > 0 {
			t.Errorf("%+v: %s", st, d)
		}
		if r.read(t, "/mnt/nas/now") != "1" || r.read(t, "/mnt/nas/deferred") != "2" {
			t.Error("the files that waited are not there")
		}
		if got := r.onTable(t, "/mnt/nas"); got != "pharos-waits 10.0.0.1:/export" {
			t.Errorf("mounted: %s", got)
		}
	})
}

// TestLateMountsSideBySide: a server that does not answer at all holds up
// neither another one nor what comes after the mounts.
func TestLateMountsSideBySide(t *testing.T) {
	r := newRoom(t)
	r.tools.silent = "retry=0 10.0.0.1:"
	r.tools.away = map[string]bool{"10.0.0.2": true}
	p := nas(
		osconfig.Mount{Device: "10.0.0.2:/a", Point: "/mnt/a", FSType: "nfs"},
		osconfig.Mount{Device: "//10.0.0.3/b", Point: "/mnt/b", FSType: "cifs"},
		osconfig.Mount{Device: "-o:/c", Point: "/mnt/c", FSType: "nfs"},
		osconfig.Mount{Device: "10.0.0.4:/d", Point: "/mnt/d", FSType: "nfs", Options: "noauto"},
	)
	p.Files = []osconfig.File{{Path: "/mnt/b/file"}}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := r.console(t, p)
		defer c.stop()
		if took := time.Since(begun); took != remoteWait {
			t.Errorf("waited for %v, want %v", took, remoteWait)
		}
		want := []string{nasCover + "/mnt/nas", nasCover + "/mnt/a", nasCover + "/mnt/b", "mount -t cifs //10.0.0.3/b /mnt/b"}
		if d := cmp.Diff(want, r.tools.called()); d != "" {
			t.Error(d)
		}
		st := r.status(t)
		problems := []string{
			`mounts: /mnt/c: "-o:/c" is no device`,
			"mounts: /mnt/a: mount: Connection refused by 10.0.0.2; the console retries until it works",
			"mounts: /mnt/nas: 10.0.0.1:/export does not answer within 1m0s; the console retries until it works",
		}
		if d := cmp.Diff(problems, st.Problems); d != "" {
			t.Error(d)
		}
		if len(st.Arrived) != 1 || st.Arrived[0].Point != "/mnt/b" || !exists(r.path("/mnt/b/file")) {
			t.Errorf("arrived: %+v", st.Arrived)
		}
		r.tools.set(func() { r.tools.silent = "" })
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		st = r.status(t)
		if len(st.Arrived) != 2 || st.Arrived[1].Point != "/mnt/nas" || len(st.Problems) != 2 {
			t.Errorf("%+v", st)
		}
		r.tools.set(func() { r.tools.away = nil })
		time.Sleep(longestPause)
		synctest.Wait()
		if st = r.status(t); len(st.Arrived) != 3 || st.Arrived[2].Point != "/mnt/a" || len(c.attempts) > 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestLateMountDropped: a plan without the row takes away what is mounted, the
// cover, and the attempts.
func TestLateMountDropped(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.2": true}
	p := nas(osconfig.Mount{Device: "10.0.0.2:/a", Point: "/mnt/a", FSType: "nfs"})
	p.Files = []osconfig.File{{Path: "/mnt/a/file"}}
	synctest.Test(t, func(t *testing.T) {
		c := r.console(t, p)
		defer c.stop()
		r.tools.called()
		if len(c.attempts) != 1 || exists(r.path("/mnt/a/file")) {
			t.Fatalf("attempts %v", c.attempts)
		}
		c.change(t, Plan{Files: p.Files})
		if d := cmp.Diff([]string{"umount -l /mnt/a", "umount /mnt/nas", "umount -l /mnt/nas"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		if st := r.status(t); len(c.attempts) > 0 || len(st.Arrived) > 0 || len(st.Problems) > 0 {
			t.Errorf("attempts %v, %+v", c.attempts, st)
		}
		if !exists(r.path("/mnt/a/file")) { // an ordinary one now
			t.Error("the file still waits")
		}
		r.tools.set(func() { r.tools.away = nil })
		time.Sleep(time.Hour)
		if calls := r.tools.called(); len(calls) > 0 {
			t.Errorf("called %q", calls)
		}
	})
}

// TestLateMountChanged: a row with other options is another one. Its place is
// never open.
func TestLateMountChanged(t *testing.T) {
	r := newRoom(t)
	synctest.Test(t, func(t *testing.T) {
		c := r.console(t, nas())
		defer c.stop()
		r.tools.called()
		before := r.status(t).Arrived
		p := nas()
		p.Mounts[0].Options = "ro"
		c.change(t, p)
		if d := cmp.Diff([]string{"umount /mnt/nas", "mount -t nfs4 -o ro,retry=0 10.0.0.1:/export /mnt/nas"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		if after := r.status(t).Arrived; len(after) != 1 || cmp.Equal(before, after) {
			t.Errorf("arrived before %+v, now %+v", before, after)
		}
	})
}

// TestLateMountNextConsole: a console that starts again finds covers and mounts
// in its tree.
func TestLateMountNextConsole(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.": true}
	p := nas(osconfig.Mount{Device: "10.0.0.2:/a", Point: "/mnt/a", FSType: "nfs"})
	synctest.Test(t, func(t *testing.T) {
		r.console(t, p).stop()
		if d := cmp.Diff([]string{nasCover + "/mnt/nas", nasCover + "/mnt/a"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		// /mnt/a comes first. By hand: mount(8) had the console's own words for it.
		r.tools.set(func() { r.tools.away = map[string]bool{"10.0.0.1": true} })
		if _, err := r.tools.run(t.Context(), "", "mount", "10.0.0.2:/a", "/mnt/a"); err != nil {
			t.Fatal(err)
		}
		r.tools.called()
		r.console(t, p).stop()
		if calls := r.tools.called(); len(calls) > 0 {
			t.Errorf("called %q", calls)
		}
		r.tools.set(func() { r.tools.away = nil })
		r.console(t, p).stop()
		if d := cmp.Diff([]string{"mount -t nfs4 -o retry=0 10.0.0.1:/export /mnt/nas"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		r.console(t, p).stop()
		if calls := r.tools.called(); len(calls) > 0 {
			t.Errorf("called %q", calls)
		}
		if st := r.status(t); len(st.Arrived) != 2 || st.Arrived[0].Point != "/mnt/a" || st.Arrived[1].Point != "/mnt/nas" {
			t.Errorf("%+v", st.Arrived)
		}
	})
}

// TestLateMountNested: rows that lie on a server's mount wait for it, and are
// mounted as soon as it is there.
func TestLateMountNested(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.1": true}
	r.write(t, "/mnt/nas/media/film", "")
	p := nas(
		osconfig.Mount{Device: "10.0.0.2:/in", Point: "/mnt/nas/in", FSType: "nfs"},
		osconfig.Mount{Device: "/mnt/nas/media", Point: "/srv/media", FSType: "none", Options: "bind"},
	)
	synctest.Test(t, func(t *testing.T) {
		c := r.console(t, p)
		defer c.stop()
		if d := cmp.Diff([]string{nasCover + "/mnt/nas", nasCover + "/srv/media"}, r.tools.called()); d != "" {
			t.Error(d)
		}
		if st := r.status(t); !slices.Contains(st.Problems, "mounts: /srv/media: /mnt/nas is not there; the console retries until it works") {
			t.Errorf("problems %q", st.Problems)
		}
		r.tools.set(func() { r.tools.away = nil })
		time.Sleep(longestPause)
		synctest.Wait()
		calls := r.tools.called()
		if len(calls) == 0 || calls[0] != "mount -t nfs4 -o retry=0 10.0.0.1:/export /mnt/nas" {
			t.Errorf("called %q", calls)
		}
		slices.Sort(calls)
		want := []string{
			"mount -o bind /mnt/nas/media /srv/media", "mount -t nfs -o retry=0 10.0.0.2:/in /mnt/nas/in",
			"mount -t nfs4 -o retry=0 10.0.0.1:/export /mnt/nas", nasCover + "/mnt/nas/in",
		}
		slices.Sort(want)
		if d := cmp.Diff(want, calls); d != "" {
			t.Error(d)
		}
		if st := r.status(t); len(st.Arrived) != 3 || st.Arrived[0].Point != "/mnt/nas" || len(st.Problems) > 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestLateMountNothingMounted: a mount(8) that only says that it works.
func TestLateMountNothingMounted(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	run := s.Tool
	s.Tool = func(ctx context.Context, stdin string, args ...string) (string, error) {
		if slices.Contains(args, "nfs4") {
			return "", nil
		}
		return run(ctx, stdin, args...)
	}
	p := nas()
	if err := s.cover(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.tryRow(t.Context(), rows(p.Mounts, nil)[0]); err == nil || err.Error() != "mount succeeds and mounts nothing" {
		t.Error(err)
	}
}

// TestHomeOnCover: homes on a server are made there, when it comes.
func TestHomeOnCover(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.1": true}
	p := Plan{Mounts: []osconfig.Mount{{Device: "10.0.0.1:/home", Point: "/home", FSType: "nfs4"}}}
	synctest.Test(t, func(t *testing.T) {
		c := r.console(t, p)
		defer c.stop()
		if err := c.homes(p); err != nil || exists(r.path("/home/rancher")) {
			t.Errorf("a home on the cover, %v", err)
		}
		r.tools.set(func() { r.tools.away = nil })
		time.Sleep(longestPause)
		synctest.Wait()
		if !exists(r.path("/home/rancher/.profile")) {
			t.Error("no home on the server")
		}
	})
}

// TestPlanWhileMountsAreAwaited: what another plan has to say does not wait for
// a server of the one before, and no command runs twice.
func TestPlanWhileMountsAreAwaited(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.1": true}
	p := nas()
	p.SSH = SSH{Enabled: true, Port: 22}
	p.BootCommands = []osconfig.Command{{Shell: "echo boot >> " + r.path("/ran")}}
	p.Commands = []osconfig.Command{{Shell: "echo first >> " + r.path("/ran")}}
	p.Files = []osconfig.File{{Path: "/etc/one", Content: "1"}, {Path: "/mnt/nas/file", Content: "1"}, {Path: "/etc/deferred", Content: "1", Defer: true}}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	defer r.start(t)()
	r.await(t, func(st Status) bool { return st.Files })
	if st := r.status(t); st.Done || len(st.Problems) > 0 {
		t.Errorf("%+v", st)
	}
	p.Commands = append(p.Commands, osconfig.Command{Shell: "echo second >> " + r.path("/ran")})
	p.Files = append(p.Files, osconfig.File{Path: "/etc/two", Content: "2"})
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.hangUp(t)
	r.awaitText(t, "/etc/two", "2")
	r.awaitText(t, "/ran", "boot\n")
	r.tools.set(func() { r.tools.away = nil })
	st := r.await(t, func(st Status) bool { return st.Done })
	if len(st.Problems) > 0 || len(st.Arrived) != 1 {
		t.Errorf("%+v", st)
	}
	r.awaitText(t, "/ran", "boot\nfirst\nsecond\n")
	if r.read(t, "/etc/deferred")+r.read(t, "/mnt/nas/file") != "11" {
		t.Error("a file is lost")
	}
}

// TestMountWhileACommandRuns: a command that does not end does not keep a mount
// from being noticed.
func TestMountWhileACommandRuns(t *testing.T) {
	r := newRoom(t)
	r.tools.away = map[string]bool{"10.0.0.1": true}
	p := nas()
	p.Files = []osconfig.File{{Path: "/mnt/nas/file", Content: "1"}}
	s := r.setup()
	reaper, err := keep.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reaping := make(chan struct{})
	go func() { defer close(reaping); reaper.Run(ctx) }()
	defer func() { cancel(); s.running.Wait(); <-reaping }()
	s.current = p
	if err := s.cover(ctx, p); err != nil {
		t.Fatal(err)
	}
	s.startAttempts(ctx, p)
	s.files(p, func(osconfig.File) bool { return true })
	child, err := reaper.Start(keep.Command{Args: []string{"/bin/sh", "-c", "while [ ! -e " + r.path("/mnt/nas/file") + " ]; do sleep 0.02; done"}})
	if err != nil {
		t.Fatal(err)
	}
	r.tools.set(func() { r.tools.away = nil })
	s.ended(ctx, child, "runcmd[0]")
	if !child.Status().OK() || len(r.status(t).Arrived) != 1 {
		t.Errorf("%v, %+v", child.Status(), r.status(t))
	}
}
