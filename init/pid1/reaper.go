package pid1

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reaper is the one place that starts processes and waits for them: the
// orphans of the whole machine and those that were started here.
type Reaper struct {
	mu    sync.Mutex
	exits map[int]chan syscall.WaitStatus // by pid, of processes started here
	none  chan struct{}                   // a token: there were no children left
}

// NewReaper returns a reaper; nothing is reaped before Run.
func NewReaper() *Reaper {
	return &Reaper{exits: map[int]chan syscall.WaitStatus{}, none: make(chan struct{}, 1)}
}

// Start runs a program. Its exit status arrives on the channel, once.
func (r *Reaper) Start(path string, argv []string, attr *syscall.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	// Held until the pid is known here, so that an early death is not lost.
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", path, err)
	}
	exit := make(chan syscall.WaitStatus, 1)
	r.exits[pid] = exit
	return pid, exit, nil
}

// Run reaps until ctx ends.
func (r *Reaper) Run(ctx context.Context) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	defer signal.Stop(children)
	for {
		r.reap()
		select {
		case <-children:
		case <-ctx.Done():
			return
		}
	}
}

// reap takes every zombie that there is: signals coalesce.
func (r *Reaper) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ECHILD
			select {
			case r.none <- struct{}{}:
			default:
			}
			return
		case pid == 0:
			return
		}
		r.mu.Lock()
		if exit, ok := r.exits[pid]; ok {
			exit <- syscall.WaitStatus(status)
			delete(r.exits, pid)
		}
		r.mu.Unlock()
	}
}

// Drain waits until there are no children, or ctx ends.
func (r *Reaper) Drain(ctx context.Context) error {
	select {
	case <-r.none: // an old token
	default:
	}
	r.reap()
	select {
	case <-r.none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
