package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/keep"
)

// bootCommands runs what of bootcmd this console has not run yet, after the
// scripts that are boot hooks.
func (s *setup) bootCommands(ctx context.Context, p Plan) {
	s.scripts(ctx, p, p.BootHooks, s.plan.BootHooks)
	s.runAll(ctx, p, "bootcmd", p.BootCommands, s.plan.BootCommands)
}

// commands runs what of runcmd has not been run by this console, then writes
// the deferred files, and then runs the scripts of user-data and RancherOS's
// two start scripts (once).
func (s *setup) commands(ctx context.Context, p Plan) {
	s.runAll(ctx, p, "runcmd", p.Commands, s.plan.Commands)
	s.files(p, func(f osconfig.File) bool { return f.Defer })
	s.scripts(ctx, p, p.Scripts, s.plan.Scripts)
	if s.status.Done {
		return
	}
	for _, script := range []string{"/opt/rancher/bin/start.sh", "/etc/rc.local"} {
		if info, err := os.Stat(s.path(script)); err == nil && info.Mode()&0o111 != 0 && ctx.Err() == nil {
			s.problem(s.command(ctx, p, "start script", osconfig.Command{Args: []string{s.path(script)}}))
		}
	}
}

func (s *setup) runAll(ctx context.Context, p Plan, key string, list, before []osconfig.Command) {
	for i, c := range list {
		if ctx.Err() != nil {
			return
		}
		ran := func(o osconfig.Command) bool { return reflect.DeepEqual(o, c) }
		if !slices.ContainsFunc(before, ran) {
			s.problem(s.command(ctx, p, fmt.Sprintf("%s[%d]", key, i), c))
		}
	}
}

// scripts writes and runs those that are not among the ones before.
func (s *setup) scripts(ctx context.Context, p Plan, list, before []osconfig.File) {
	for _, f := range list {
		if ctx.Err() != nil {
			return
		}
		if slices.Contains(before, f) {
			continue
		}
		if f.Permissions == "" {
			f.Permissions = "0700"
		}
		if err := s.place(f); err != nil {
			s.problem(fmt.Errorf("script %s: %w", f.Path, err))
			continue
		}
		s.problem(s.command(ctx, p, "script", osconfig.Command{Args: []string{s.path(f.Path)}}))
	}
}

// files writes those of write_files that are wanted and new.
func (s *setup) files(p Plan, wanted func(osconfig.File) bool) {
	for _, f := range p.Files {
		if wanted(f) && !slices.Contains(s.plan.Files, f) {
			s.file(f)
		}
	}
}

// file writes one of write_files, or lets it wait for the mount that it is to
// lie on.
func (s *setup) file(f osconfig.File) {
	if s.waits(f) {
		s.setWaiting(append(slices.Clip(s.waiting), f))
		return
	}
	s.problem(s.writeFile(f))
	s.changed = append(s.changed, f.Path)
}

// command runs one command to its end; what it prints is in the console's
// log. key is where the configuration has it. Of the command itself only the
// program is named: the rest may hold a password, and everybody may read the
// status.
func (s *setup) command(ctx context.Context, p Plan, key string, c osconfig.Command) error {
	args := c.Args
	if c.Shell != "" {
		args = []string{"/bin/sh", "-c", c.Shell}
	}
	if len(args) == 0 {
		return nil
	}
	begin, shown := time.Now(), programOf(c)
	program, err := lookPath(args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	env := []string{"PATH=" + searchPath, "HOME=/root", "USER=root", "LANG=" + s.locale, "INSTANCE_ID=" + p.InstanceID}
	for _, name := range names(p.Environment) {
		env = append(env, name+"="+p.Environment[name])
	}
	s.log.Info(key, "program", shown)
	child, err := s.reaper.Start(keep.Command{Args: append([]string{program}, args[1:]...), Env: env, Dir: "/"})
	if err != nil {
		return fmt.Errorf("%s (%s): %w", key, shown, err)
	}
	s.ended(ctx, child, fmt.Sprintf("%s (%s)", key, shown))
	s.log.Info(key+" ended", "program", shown, "status", child.Status().String(), "took", time.Since(begin).Round(time.Millisecond))
	if !child.Status().OK() {
		return fmt.Errorf("%s (%s): %v", key, shown, child.Status())
	}
	return nil
}

// longCommand is when people should know that a command has not ended.
const longCommand = 5 * time.Minute

// ended waits for a command. A plan that comes meanwhile is begun.
func (s *setup) ended(ctx context.Context, child *keep.Process, what string) {
	long := time.NewTimer(longCommand)
	defer long.Stop()
	for {
		select {
		case <-child.Done():
			return
		case <-ctx.Done():
			child.Stop(time.Second)
			return
		case <-long.C:
			s.note(what + " has not ended for " + longCommand.String() + ": what comes after it waits")
			s.report(func(*Status) {})
		case <-s.hangup:
			s.meanwhile(ctx)
		case a := <-s.came:
			s.arrived(a)
		}
	}
}

// programOf is the first word of a command, unless a shell might take it as
// something else than a program.
func programOf(c osconfig.Command) string {
	if c.Shell == "" && len(c.Args) > 0 {
		return c.Args[0]
	}
	if words := strings.Fields(c.Shell); len(words) > 0 && !strings.ContainsAny(words[0], "='\"`$(){}<>|&;") {
		return words[0]
	}
	return "a command"
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

var errNotFound = errors.New("not found")

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
	return "", fmt.Errorf("%s: %w", name, errNotFound)
}
