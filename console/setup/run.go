package setup

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/keep"
)

// Options is where things are; Main has the console's, tests their own.
type Options struct {
	Root   string   // prefix of every path that is read or written
	Sshd   []string // command
	Agetty string   // path
	Chown  func(path string, uid, gid int) error
}

// setup is one console. Only the goroutine of run uses it, but for status.
type setup struct {
	Options
	log     *slog.Logger
	reaper  *keep.Reaper
	changed []string // generated files that were written since last asked
	plan    Plan     // carried out
	gettys  []string // terminals that have one
	running sync.WaitGroup

	stopSSH context.CancelFunc // nil: not running
	mu      sync.Mutex
	sshd    *keep.Process
	status  Status
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

	reaper, err := keep.NewReaper()
	if err != nil {
		return err
	}
	reaping, stopReaping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReaping()
	go reaper.Run(reaping)

	s := &setup{Options: o, log: log, reaper: reaper}
	s.status.Problems = []string{}
	for ctx.Err() == nil {
		s.round(ctx)
		select {
		case <-ctx.Done():
		case <-hangup:
			log.Info("plan read again")
		}
	}
	s.running.Wait()
	return nil
}

func (s *setup) path(p string) string { return filepath.Join(s.Root, p) }

func (s *setup) chown(path string, uid, gid int) error { return s.Chown(path, uid, gid) }

// round carries out the plan, or what is new in it. The order is that of
// need: the way in first.
func (s *setup) round(ctx context.Context) {
	s.begin()
	p, err := readPlan(s.path(PlanPath))
	if err != nil { // sshd all the same: the user's own keys may be there
		s.problem(err)
		p = Plan{SSH: SSH{Enabled: true, Port: 22}}
	}
	s.problem(s.accounts())
	s.problem(s.sshFiles(p))
	s.daemon(ctx, p)
	s.problem(s.settings(p))
	s.ttys(ctx, p)
	s.report(func(st *Status) {})

	for _, f := range p.Files {
		if !slices.Contains(s.plan.Files, f) {
			s.problem(s.writeFile(f))
			s.changed = append(s.changed, f.Path)
		}
	}
	s.report(func(st *Status) { st.Files = true })
	s.reloadSSH()
	s.commands(ctx, p)
	s.report(func(st *Status) { st.Commands, st.Done = true, true })
	s.plan = p
}

// commands runs what of runcmd has not been run by this console, then
// RancherOS's two start scripts (once).
func (s *setup) commands(ctx context.Context, p Plan) {
	for _, c := range p.Commands {
		if ctx.Err() != nil {
			return
		}
		ran := func(o osconfig.Command) bool { return reflect.DeepEqual(o, c) }
		if !slices.ContainsFunc(s.plan.Commands, ran) {
			s.problem(s.command(ctx, p, c))
		}
	}
	if s.status.Done {
		return
	}
	for _, script := range []string{"/opt/rancher/bin/start.sh", "/etc/rc.local"} {
		if info, err := os.Stat(s.path(script)); err == nil && info.Mode()&0o111 != 0 && ctx.Err() == nil {
			s.problem(s.command(ctx, p, osconfig.Command{Args: []string{s.path(script)}}))
		}
	}
}

// command runs one entry of runcmd to its end; what it prints is in the
// console's log.
func (s *setup) command(ctx context.Context, p Plan, c osconfig.Command) error {
	args := c.Args
	if c.Shell != "" {
		args = []string{"/bin/sh", "-c", c.Shell}
	}
	if len(args) == 0 {
		return nil
	}
	begin := time.Now()
	program, err := lookPath(args[0])
	if err != nil {
		return fmt.Errorf("runcmd %q: %w", args, err)
	}
	env := []string{"PATH=" + searchPath, "HOME=/root", "USER=root", "LANG=C.UTF-8"}
	for _, name := range names(p.Environment) {
		env = append(env, name+"="+p.Environment[name])
	}
	s.log.Info("runcmd", "command", args)
	child, err := s.reaper.Start(keep.Command{Args: append([]string{program}, args[1:]...), Env: env, Dir: "/"})
	if err != nil {
		return fmt.Errorf("runcmd %q: %w", args, err)
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Stop(time.Second)
	}
	s.log.Info("runcmd ended", "command", args, "status", child.Status().String(), "took", time.Since(begin).Round(time.Millisecond))
	if !child.Status().OK() {
		return fmt.Errorf("runcmd %q: %v", args, child.Status())
	}
	return nil
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath is exec.LookPath with a search path of our own.
func lookPath(name string) (string, error) {
	if filepath.Base(name) != name {
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("%s: not found", name)
}
