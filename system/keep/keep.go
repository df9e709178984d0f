// Package keep owns the children of a supervisor inside a container: it
// starts, reaps, restarts with back-off and stops them. It is used where one
// process is the parent of everything (process 1 of a PID namespace, or a
// child subreaper), and imports the standard library and x/sys only. It
// refuses dependencies between children and conditions: those are
// system/supervise's.
package keep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reaper waits for every child of the process, also those that it inherited.
// Nobody else in the process may wait for one: os/exec must not be used
// beside it.
type Reaper struct {
	mu       sync.Mutex
	children map[int]*Process
}

// NewReaper is a Reaper whose Run has not begun. It makes the process a
// subreaper, so that orphans come to it even when it is not process 1.
func NewReaper() (*Reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("child subreaper: %w", err)
	}
	return &Reaper{children: make(map[int]*Process)}, nil
}

// Run reaps until ctx ends.
func (r *Reaper) Run(ctx context.Context) {
	child := make(chan os.Signal, 1)
	signal.Notify(child, unix.SIGCHLD)
	defer signal.Stop(child)
	for {
		r.reap()
		select {
		case <-ctx.Done():
			return
		case <-child:
		}
	}
}

// reap holds the lock while it waits, so that a PID is never signalled after
// it became somebody else's.
func (r *Reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := r.children[pid]; p != nil {
			delete(r.children, pid)
			p.status = Status(status)
			close(p.done)
		}
	}
}

// Command is what to start.
type Command struct {
	Args []string // Args[0] is the path of the program
	Env  []string // KEY=VALUE; nil is the supervisor's own
	Dir  string
	// Stdin, Stdout, Stderr: nil is /dev/null for the first, the
	// supervisor's own for the others.
	Stdin, Stdout, Stderr *os.File
	// Files are passed on as well, from descriptor 3 on.
	Files []*os.File
	// Attr is passed on; nil gives the child a session of its own, so that a
	// signal to its group never reaches the supervisor.
	Attr *syscall.SysProcAttr
}

// Process is one child.
type Process struct {
	PID    int
	reaper *Reaper
	done   chan struct{}
	status Status
}

// Start starts a child.
func (r *Reaper) Start(c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("start: no command")
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	defer null.Close()
	pick := func(f, standard *os.File) *os.File {
		if f != nil {
			return f
		}
		return standard
	}
	attr := c.Attr
	if attr == nil {
		attr = &syscall.SysProcAttr{Setsid: true}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	child, err := os.StartProcess(c.Args[0], c.Args, &os.ProcAttr{
		Dir:   c.Dir,
		Env:   c.Env,
		Files: append([]*os.File{pick(c.Stdin, null), pick(c.Stdout, os.Stdout), pick(c.Stderr, os.Stderr)}, c.Files...),
		Sys:   attr,
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	p := &Process{PID: child.Pid, reaper: r, done: make(chan struct{})}
	r.children[p.PID] = p
	child.Release() // its end is the reaper's to see
	return p, nil
}

// Done is closed when the process has ended and been reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Status says how the process ended; it is meaningful after Done.
func (p *Process) Status() Status { return p.status }

// Signal sends sig to the process; one that has ended is no error.
func (p *Process) Signal(sig syscall.Signal) error { return p.signal(p.PID, sig) }

// SignalGroup sends sig to the process and to those that it has started and
// that are still in its group. It must have been started with a session of its
// own. A process that has ended is no error; its group is not reached any more.
func (p *Process) SignalGroup(sig syscall.Signal) error { return p.signal(-p.PID, sig) }

func (p *Process) signal(to int, sig syscall.Signal) error {
	p.reaper.mu.Lock()
	defer p.reaper.mu.Unlock()
	if p.reaper.children[p.PID] != p {
		return nil
	}
	if err := unix.Kill(to, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal %v to %d: %w", sig, to, err)
	}
	return nil
}

// Status is how a process ended.
type Status unix.WaitStatus

// OK reports whether the process ended by itself with code 0.
func (s Status) OK() bool { return unix.WaitStatus(s).Exited() && unix.WaitStatus(s).ExitStatus() == 0 }

// String is "exit 0" or "killed by SIGKILL".
func (s Status) String() string {
	w := unix.WaitStatus(s)
	if w.Signaled() {
		return "killed by " + unix.SignalName(w.Signal())
	}
	return fmt.Sprintf("exit %d", w.ExitStatus())
}
