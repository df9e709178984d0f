// Package hooks runs the commands of rancher.network (pre_cmds, post_cmds,
// pre_up, post_up) with the programs of the console's image, of which the
// machine itself has none. It refuses to interpret: an argument vector has no
// shell, and which command runs when is netconf's business.
//
// A command sees the image's tree, read-only, with the machine's /proc, /sys,
// /dev, /run, /tmp, /var, /home and /opt, in the machine's network and process
// namespaces and as its root. What write_files puts elsewhere belongs to the
// console, which may not be there yet. Each command has a mount namespace of
// its own, which ends with it: nothing has to be taken down, and nothing of it
// is seen elsewhere.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// timeout is how long a command may take: the links wait for it.
	timeout = 60 * time.Second
	// outputDelay is how long the output of a command that has ended is
	// waited for; something that it left behind may keep the pipe open.
	outputDelay = time.Second
)

// Options of a Runner.
type Options struct {
	Tree string // of the console's image, absolute
	// Environment returns variables as NAME=VALUE, the proxies' for instance.
	// It is asked for every command; nil is none.
	Environment func() []string
	Timeout     time.Duration // of each command; 0 is 60 s
	Log         *slog.Logger
}

// Runner runs commands. Any number may run at the same time.
type Runner struct{ opts Options }

// New returns a Runner for a tree, which is not touched before Run.
func New(o Options) *Runner {
	if o.Timeout == 0 {
		o.Timeout = timeout
	}
	return &Runner{o}
}

// Run runs an argument vector to its end and logs what it prints, a line
// each. The error says how it ended and what it said last. After the timeout,
// or when ctx ends, it is killed with all that it has started in its session.
func (r *Runner) Run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("empty command")
	}
	program, err := lookPath(r.opts.Tree, args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Timeout, fmt.Errorf("killed after %v", r.opts.Timeout))
	defer cancel()
	out := &output{log: r.opts.Log.With("command", args[0])}
	cmd := exec.CommandContext(ctx, program, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + searchPath, "HOME=/root", "USER=root", "LANG=C.UTF-8"}
	if r.opts.Environment != nil {
		cmd.Env = append(cmd.Env, r.opts.Environment()...)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.opts.Tree, Setsid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = outputDelay

	r.opts.Log.Info("command", "program", args[0]) // the rest may hold a password
	begin := time.Now()
	if err := onThread(func() error {
		if err := enter(r.opts.Tree); err != nil {
			return err
		}
		return cmd.Start()
	}); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	err = cmd.Wait()
	out.close()
	r.opts.Log.Info("command ended", "program", args[0], "status", cmd.ProcessState.String(), "took", time.Since(begin).Round(time.Millisecond))
	switch {
	case ctx.Err() != nil && !cmd.ProcessState.Success():
		return fmt.Errorf("%s: %w", args[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay), err == nil: // it left something behind, which is its right
		return nil
	case out.last != "":
		return fmt.Errorf("%s: %s: %w", args[0], out.last, err)
	}
	return fmt.Errorf("%s: %w", args[0], err)
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds a program in the tree. Only the last part of the path may be
// a link that means something in the tree alone; it is not followed.
func lookPath(tree, name string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			return "", fmt.Errorf("%s: a path has to begin with /", name)
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		info, err := os.Lstat(filepath.Join(tree, dir, name))
		if err == nil && !info.IsDir() && (info.Mode().Type() == os.ModeSymlink || info.Mode()&0o111 != 0) {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("%s: the console's image has no such program", name)
}
