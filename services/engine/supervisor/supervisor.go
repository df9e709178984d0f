// Package supervisor is what runs inside the user engine's container, as
// process 1 of its PID namespace: it starts the engine's containerd and
// dockerd, restarts either with back-off, reaps, and at the end stops the
// user's containers in order. It imports the standard library, x/sys and
// system/keep only: it must stay small and must not be able to fail. It
// refuses to know the machine's configuration: that comes ready-made as
// dockerd's own.
//
// The kernel does not let anything inside the namespace kill process 1, so
// "kill -9 -1" in a privileged container takes containers and daemons, and
// the daemons come back.
package supervisor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/system/keep"
)

// StopSignal asks for the ordered stop: SIGRTMIN+3 (as glibc counts), the
// same that asks systemd to end a container. Not SIGTERM: a "kill -TERM -1"
// in a privileged container reaches process 1, because it has a handler.
const StopSignal = syscall.Signal(37)

// Options is what Run needs. Main fills it from the command line.
type Options struct {
	Config      map[string]any // dockerd's configuration file
	UserConfig  string         // path of a file whose keys are laid over Config
	Fixed       []string       // keys that UserConfig cannot change, besides those that it never can
	ExtraArgs   []string       // dockerd's arguments besides
	StopTimeout time.Duration  // how long user containers have to stop; 0 is 60 s
	Go          string         // a file: containers may start when it is there; empty is at once
	Renewal     string         // a file of arguments to start dockerd anew with, when it changes; empty is never

	// The rest is fixed in the unit and replaced by tests.
	Containerd, Dockerd []string // command and first arguments
	Run                 string   // /run
	Groups              string   // /etc/group
	Cgroup              string   // /sys/fs/cgroup
	ProcSys             string   // /proc/sys
	Mounts              bool     // make every mount shared
	// Backoff is the daemons' restart policy.
	Backoff keep.Backoff
}

// The longest times of the stop besides StopTimeout.
const (
	reloadTimeout     = 10 * time.Second // dockerd runs runc twice to reload
	containerdTimeout = 5 * time.Second
	// leaveTimeout is for a dockerd that does not answer: it has nothing to
	// stop, only to go.
	leaveTimeout = 3 * time.Second
	// longestStop is longer than any StopTimeout.
	longestStop = 2 * time.Hour
)

// Main parses the arguments (without the program's name) and runs until
// StopSignal. The end of ctx is not waited for, because programs commonly tie
// it to SIGTERM; see StopSignal.
func Main(ctx context.Context, args []string, log *slog.Logger) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, cancel := untilStopSignal(ctx)
	defer cancel()
	return Run(ctx, o, log)
}

// untilStopSignal ends with StopSignal and with no other.
func untilStopSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, StopSignal)
	go func() { <-stop; cancel() }()
	// Caught and dropped: Go's default ends the process. Not ignored: that
	// would be inherited by every container.
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2)
	return ctx, cancel
}

func parse(args []string) (Options, error) {
	o := Options{
		Containerd: []string{Programs + "/containerd"},
		Dockerd:    []string{Programs + "/dockerd"},
		Run:        "/run",
		Groups:     "/etc/group",
		Cgroup:     "/sys/fs/cgroup",
		ProcSys:    "/proc/sys",
		Mounts:     true,
	}
	flags := flag.NewFlagSet("ros-engine", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says what was wrong
	config := flags.String("config", "{}", "dockerd's configuration, JSON")
	flags.StringVar(&o.UserConfig, "config-file", "", "a configuration file of the user's, laid over it")
	flags.StringVar(&o.Go, "go", "", "a file without which no container may start")
	flags.StringVar(&o.Renewal, "renewal", "", "a file of other arguments for dockerd, when it changes")
	flags.Func("fixed", "a key that the user's file cannot change; may be repeated", func(key string) error {
		o.Fixed = append(o.Fixed, key)
		return nil
	})
	flags.DurationVar(&o.StopTimeout, "stop-timeout", 60*time.Second, "how long containers have to stop")
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("arguments: %w", err)
	}
	o.ExtraArgs = flags.Args()
	var err error
	if o.Config, err = decode([]byte(*config)); err != nil {
		return o, fmt.Errorf("argument --config: %w", err)
	}
	return o, nil
}

// Run starts the engine and blocks until ctx has ended and everything has
// stopped. Nothing that goes wrong while it runs ends it.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	if o.StopTimeout == 0 {
		o.StopTimeout = 60 * time.Second
	}
	// Before the wait: a renewal that comes meanwhile counts.
	renewal, _ := os.Stat(o.Renewal)
	reaper, err := keep.NewReaper()
	if err != nil {
		return err
	}
	reaping, stopReaping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReaping()
	go reaper.Run(reaping)

	for _, problem := range prepare(o) {
		log.Error("set-up incomplete", "error", problem)
	}
	if o.Go != "" {
		log.Info("waits until containers may start", "file", o.Go)
	}
	if err := awaitFile(ctx, o.Go); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		log.Error("containers start, although files may not be in place", "error", err)
	}
	// The user's file may be one of those.
	config, err := merge(o.Config, o.UserConfig, o.Fixed)
	if err != nil {
		log.Error("configuration file of the user's not used", "file", o.UserConfig, "error", err)
	}
	group, _ := config["group"].(string)
	e := &engine{Options: o, config: config, group: group, renewal: renewal, log: log, reaper: reaper, late: make(chan struct{}, 1)}
	if err := e.writeConfig(); err != nil {
		return err
	}
	e.run(ctx)
	return nil
}

type engine struct {
	Options
	config map[string]any
	group  string // owns the API socket: a name or a number; empty is root's
	// renewal is the file Renewal as it was last read, nil without one.
	renewal os.FileInfo
	log     *slog.Logger
	reaper  *keep.Reaper

	listening socket        // touched only before dockerd's starts, one at a time
	late      chan struct{} // buffered 1: the socket lacks its group

	mu      sync.Mutex // of what follows, and of config and ExtraArgs while dockerd may be renewed
	dockerd *keep.Process
	killed  bool // dockerd has had its time
	// generation counts renewals; starting is the one whose arguments the
	// dockerd has that starts, or started last.
	generation, starting int
}

// run keeps both daemons until ctx ends, then stops in order: containers,
// dockerd, containerd.
func (e *engine) run(ctx context.Context) {
	base := context.WithoutCancel(ctx)
	containerd, stopContainerd := context.WithCancel(base)
	dockerd, stopDockerd := context.WithCancel(base)
	defer stopContainerd()
	defer stopDockerd()
	go e.giveLate(containerd)

	var containerdDone, dockerdDone = make(chan struct{}), make(chan struct{})
	daemon := e.containerd()
	go func() {
		defer close(containerdDone)
		e.reaper.Keep(containerd, daemon, e.log)
	}()
	// At once: dockerd's client waits for a socket that is not there yet, and
	// has a second of its own work to do before it needs one.
	go func() {
		defer close(dockerdDone)
		e.reaper.Keep(dockerd, e.dockerDaemon(), e.log)
	}()
	e.follow(ctx)

	begin := time.Now()
	deadline, cancel := context.WithTimeout(base, e.StopTimeout)
	defer cancel()
	// What a hung dockerd leaves needs some of the time as well.
	hung, cancelHung := context.WithTimeout(base, e.StopTimeout-min(5*time.Second, e.StopTimeout/4))
	defer cancelHung()
	e.log.Info("stopping", "timeout", e.StopTimeout)
	if err := e.endLiveRestore(hung); err != nil {
		e.log.Warn("dockerd does not stop the containers", "error", err)
		hung, cancelHung = context.WithTimeout(base, leaveTimeout)
		defer cancelHung()
	}
	stopDockerd()
	select {
	case <-dockerdDone:
	case <-hung.Done():
		e.kill()
		<-dockerdDone
	}
	if err := e.endContainers(deadline); err != nil {
		e.log.Warn("containers killed", "error", err)
	}
	stopContainerd()
	<-containerdDone
	e.log.Info("stopped", "took", time.Since(begin).Round(time.Millisecond))
}

// started takes the new dockerd. One that starts after kill is killed, too, and
// one that has the arguments before a renewal ends.
func (e *engine) started(p *keep.Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dockerd = p
	switch {
	case e.killed:
		p.Signal(syscall.SIGKILL)
	case e.starting != e.generation:
		go p.Stop(renewTimeout)
	}
}

func (e *engine) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.killed = true
	if e.dockerd != nil {
		e.dockerd.Signal(syscall.SIGKILL)
	}
}

func (e *engine) containerdSocket() string { return filepath.Join(e.Run, "containerd/containerd.sock") }
func (e *engine) dockerSocket() string     { return filepath.Join(e.Run, socketName) }

func (e *engine) containerd() keep.Daemon {
	root, _ := e.config["data-root"].(string)
	if root == "" {
		root = "/var/lib/docker"
	}
	args := append(append([]string{}, e.Containerd...),
		"--address", e.containerdSocket(),
		"--root", filepath.Join(root, "containerd"),
		"--state", filepath.Join(e.Run, "containerd/daemon"))
	return keep.Daemon{
		Name:        "containerd",
		Command:     keep.Command{Args: args},
		Before:      func(*keep.Command) error { return removeAll(e.containerdSocket(), e.containerdSocket()+".ttrpc") },
		StopTimeout: containerdTimeout,
		Backoff:     e.Backoff,
	}
}

func (e *engine) dockerDaemon() keep.Daemon {
	return keep.Daemon{
		Name:    "dockerd",
		Before:  e.beforeDockerd,
		Started: e.started,
		// run kills it when the containers' time is over, which a renewal changes.
		StopTimeout: longestStop,
		Backoff:     e.Backoff,
	}
}

// beforeDockerd removes what a killed predecessor left. Process numbers are
// small in a PID namespace: the one in an old pid file is soon somebody
// else's, and dockerd would refuse to start. A containerd socket that nobody
// listens on is worse than none: dockerd waits for the second only.
func (e *engine) beforeDockerd(c *keep.Command) error {
	if err := removeAll(filepath.Join(e.Run, "docker.pid")); err != nil {
		return err
	}
	if err := e.openSocket(); err != nil {
		return err
	}
	// systemd's way to hand a socket down, sd_listen_fds(3). LISTEN_PID is set
	// by our dockerd itself (scripts/dockerd-mod).
	c.Files = []*os.File{e.listening.file}
	c.Args = e.daemonArgs()
	c.Env = append(os.Environ(), "LISTEN_FDS=1")
	if refuses(e.containerdSocket()) {
		return removeAll(e.containerdSocket())
	}
	return nil
}

// daemonArgs is the command of the dockerd that starts next.
func (e *engine) daemonArgs() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.starting = e.generation
	return slices.Concat(e.Dockerd, []string{"--config-file", e.configPath()}, e.ExtraArgs)
}

func removeAll(paths ...string) error {
	var all []error
	for _, p := range paths {
		all = append(all, os.RemoveAll(p))
	}
	return errors.Join(all...)
}
