package setup

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/console/units"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/keep"
)

// Options is where things are; Main has the console's, tests their own.
type Options struct {
	Root   string   // prefix of every path that is read or written
	Sshd   []string // command
	Agetty string   // path
	Chown  func(path string, uid, gid int) error
	// Tool runs a program of the image; nil really does.
	Tool func(ctx context.Context, stdin string, args ...string) (string, error)
}

// setup is one console. Only the goroutine of run uses it, but for status.
type setup struct {
	Options
	log     *slog.Logger
	reaper  *keep.Reaper
	changed []string         // generated files that were written since last asked
	plan    Plan             // carried out
	gettys  map[string]getty // by terminal
	memory  memory
	kept    string              // the memory as it was last written
	settled bool                // passwords of the plan are in /etc/shadow
	joined  map[membership]bool // what the plan added to groups
	locale  string
	later   *lateRun // nil: none yet
	current Plan     // that of the round
	came    chan *attempt
	units   *units.Runner
	running sync.WaitGroup
	hangup  <-chan os.Signal // there is another plan; nil: nobody says so
	begun   *Plan            // another plan, of which only the way in is carried out; nil: none
	people  []osconfig.User  // of the plan whose accounts were made last

	stopSSH context.CancelFunc // nil: not running
	mu      sync.Mutex         // of what follows, but for reads by the goroutine of run
	sshd    *keep.Process
	status  Status
	// attempts are the mounts from servers that have not come, by key of their
	// row, and again is closed when one has come. waiting are the files that
	// are written then.
	attempts map[string]*attempt
	again    chan struct{}
	waiting  []osconfig.File
}

// Main carries out the plan, keeps sshd and the gettys running and carries
// out the differences at each SIGHUP, until ctx ends (SIGTERM).
func Main(ctx context.Context, log *slog.Logger) error {
	return run(ctx, Options{
		Root:   "/",
		Sshd:   []string{"/usr/sbin/sshd", "-D"},
		Agetty: "/sbin/agetty",
		Chown:  os.Lchown,
	}, log)
}

func run(ctx context.Context, o Options, log *slog.Logger) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	down := make(chan os.Signal, 1)
	signal.Notify(down, syscall.SIGUSR1)
	defer signal.Stop(down)

	reaper, err := keep.NewReaper()
	if err != nil {
		return err
	}
	reaping, stopReaping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReaping()
	go reaper.Run(reaping)

	s := &setup{Options: o, log: log, reaper: reaper, hangup: hangup, came: make(chan *attempt)}
	s.status.Problems, s.status.Notes = []string{}, []string{}
	// What a console before has mounted stays mounted.
	if before, err := ReadStatus(s.path(StatusPath)); err == nil {
		s.status.Arrived = before.Arrived
	}
	s.units = s.newUnits()
	go s.unitsDown(ctx, down)
	for ctx.Err() == nil {
		if s.round(ctx) {
			s.rest(ctx)
		}
	}
	s.units.Stop()
	s.running.Wait()
	return s.learnPasswords()
}

// rest waits for the next plan. Once a minute it looks whether somebody
// changed a password: the console may end without a word.
func (s *setup) rest(ctx context.Context) {
	if s.begun != nil {
		return
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hangup:
			s.log.Info("plan read again")
			return
		case a := <-s.came:
			s.arrived(a)
		case <-tick.C:
			if err := s.learnPasswords(); err != nil {
				s.log.Warn("cannot look for changed passwords", "error", err)
			}
		}
	}
}

func (s *setup) path(p string) string { return filepath.Join(s.Root, p) }

func (s *setup) chown(path string, uid, gid int) error { return s.Chown(path, uid, gid) }

// round carries out the plan, or what is new in it. The order is that of
// need: the way in first, then what the rest may stand on. It returns false
// when there is another plan already.
func (s *setup) round(ctx context.Context) bool {
	s.begin()
	there := s.plan
	if s.begun != nil {
		there, s.begun = *s.begun, nil
	}
	p, err := readPlan(s.path(PlanPath))
	read := err == nil
	switch {
	case err == nil:
	case s.status.Done || there.SSH.Port > 0: // what was there stays
		s.problem(err)
		p = there
	default: // sshd all the same: the user's own keys may be there
		s.problem(err)
		p = Plan{SSH: SSH{Enabled: true, Port: 22}}
	}
	s.current = p
	s.wayIn(ctx, p)

	s.bootCommands(ctx, p)
	s.problem(s.caCerts(p.CACerts))
	s.problem(s.localMounts(ctx, p))
	if len(p.Mounts) > 0 { // /home may be another one
		s.problem(s.homes(p))
	}
	s.problem(s.swap(ctx, p.Swap))
	s.problem(s.registries(p.Registries))
	s.problem(s.cover(ctx, p))
	// Credentials for servers may be among these.
	s.files(p, func(f osconfig.File) bool { return !f.Defer && !onServer(p, f.Path) })
	s.startAttempts(ctx, p)
	s.files(p, func(f osconfig.File) bool { return !f.Defer && onServer(p, f.Path) })
	s.waitingFiles()
	s.report(func(st *Status) { st.Files, st.Arrived = true, s.arrivals(p) }) // containers may start
	if !s.awaitMounts(ctx) {
		s.plan = carriedOut(p, s.plan)
		return false
	}
	s.report(func(*Status) {}) // problems are said before commands, which may take for ever
	s.reloadSSH()
	if read { // a plan that is lost is no reason to stop what runs
		s.applyUnits(ctx, p)
	}
	s.commands(ctx, p)
	s.reloadSSH() // a deferred file may be sshd's
	first, before := !s.status.Done, s.plan
	s.report(func(st *Status) { st.Done = true })
	s.plan = p
	s.startLate(ctx, p, before, first)
	return true
}

// carriedOut is what has been done of a plan while its mounts are waited for:
// all but its units, its commands and what comes after those.
func carriedOut(p, before Plan) Plan {
	deferred := func(f osconfig.File) bool { return f.Defer }
	now := func(f osconfig.File) bool { return !f.Defer }
	p.Files = append(slices.DeleteFunc(slices.Clone(p.Files), deferred), slices.DeleteFunc(slices.Clone(before.Files), now)...)
	p.Commands, p.Scripts = before.Commands, before.Scripts
	p.InstanceID, p.FinalMessage, p.PowerState, p.PhoneHome = before.InstanceID, before.FinalMessage, before.PowerState, before.PhoneHome
	return p
}

// wayIn carries out who gets in, and how.
func (s *setup) wayIn(ctx context.Context, p Plan) {
	s.problem(s.everybody(ctx, p))
	s.problem(s.sshFiles(p))
	s.daemon(ctx, p)
	s.problem(s.settings(p))
	s.ttys(ctx, p)
	s.report(func(st *Status) {})
}

// meanwhile is for a plan that comes while a command runs, which may be for
// ever. Who gets in does not wait for it: a key that was taken away must not
// work any longer. The rest is done when the command has ended.
func (s *setup) meanwhile(ctx context.Context) {
	p, err := readPlan(s.path(PlanPath))
	if err != nil {
		s.problem(err)
		return
	}
	s.log.Info("plan read while a command runs")
	s.begun = &p
	s.wayIn(ctx, p)
	s.reloadSSH()
}
