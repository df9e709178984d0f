package units

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

// run is one run of a service.
type run struct {
	r        *Runner
	u        *unit
	spec     *coreunit.Service
	env      []string
	identity identity
	dir      string
	main     Process // of Type=simple, once it is started
	mainFD   int     // pidfd of it, -1 is none; see group
	began    bool    // ExecStart was reached and went well
}

// start goes through ExecStartPre, ExecStart and ExecStartPost.
func (n *run) start(ctx context.Context) outcome {
	for _, c := range n.spec.StartPre {
		if end := n.control(ctx, "ExecStartPre", c, n.spec.StartTimeout); end.err != nil {
			return end
		}
	}
	if n.spec.Type == "oneshot" {
		for _, c := range n.spec.Start {
			if end := n.control(ctx, "ExecStart", c, n.spec.StartTimeout); end.err != nil {
				return end
			}
		}
	} else {
		p, err := n.spawn(n.spec.Start[0], true)
		if err != nil {
			return outcome{err: fmt.Errorf("ExecStart: %w", err), kind: "start"}
		}
		n.main = p
		n.env = append(n.env, "MAINPID="+strconv.Itoa(pid(p)))
	}
	n.began = true
	for _, c := range n.spec.StartPost {
		if end := n.control(ctx, "ExecStartPost", c, n.spec.StartTimeout); end.err != nil {
			return end
		}
	}
	return outcome{}
}

// stay waits for the end of the service, or of ctx.
func (n *run) stay(ctx context.Context) outcome {
	switch {
	case n.main != nil:
		n.r.set(n.u, Active, "")
		select {
		case <-ctx.Done():
			return outcome{}
		case <-n.healthy():
			n.recovered()
			select {
			case <-ctx.Done():
				return outcome{}
			case <-n.main.Done():
			}
		case <-n.main.Done():
		}
		end := judge(n.spec, n.main.Status())
		if n.spec.Start[0].Ignore {
			end = outcome{}
		}
		if end.err != nil || !n.spec.RemainAfterExit {
			return end
		}
	case !n.spec.RemainAfterExit:
		n.r.mu.Lock()
		n.u.lastActive = time.Now()
		n.r.mu.Unlock()
		return outcome{}
	}
	n.r.set(n.u, Exited, "")
	<-ctx.Done()
	return outcome{}
}

// healthy tells when a service that was restarted has run for a minute.
func (n *run) healthy() <-chan time.Time {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	if n.u.restarts == 0 {
		return nil
	}
	return time.After(time.Minute)
}

// recovered says that its restarts are no problem any more.
func (n *run) recovered() {
	n.r.mu.Lock()
	n.u.restarts = 0
	n.r.mu.Unlock()
	n.r.changed()
}

// stop goes through ExecStop, the signals and ExecStopPost. They have to run
// although ctx has ended.
func (n *run) stop(ctx context.Context, end outcome) outcome {
	defer n.forget()
	asked := ctx.Err() != nil
	if asked {
		n.r.set(n.u, Stopping, "")
		n.r.dependents(n.u)
	}
	ctx = context.WithoutCancel(ctx)
	if n.began && (asked || end.err == nil) {
		for _, c := range n.spec.Stop {
			if e := n.control(ctx, "ExecStop", c, n.spec.StopTimeout); e.err != nil && end.err == nil {
				end = e
				break
			}
		}
	}
	n.kill()
	for _, c := range n.spec.StopPost {
		if e := n.control(ctx, "ExecStopPost", c, n.spec.StopTimeout); e.err != nil && end.err == nil {
			end = e
		}
	}
	return end
}

// forget closes the pidfd.
func (n *run) forget() {
	if n.mainFD >= 0 {
		unix.Close(n.mainFD)
		n.mainFD = -1
	}
}

// kill ends what is left of the main process as KillMode says.
func (n *run) kill() {
	if n.main == nil || n.spec.KillMode == "none" {
		return
	}
	signal := unix.SignalNum(n.spec.KillSignal)
	group := n.spec.KillMode != "process"
	left := func() bool {
		return !closed(n.main.Done()) || group && n.group(0) == nil
	}
	if !left() {
		return
	}
	n.send(signal, n.spec.KillMode == "control-group")
	wanted := left
	if n.spec.KillMode == "mixed" { // the others are killed after the first
		wanted = func() bool { return !closed(n.main.Done()) }
	}
	if n.gone(wanted, n.spec.StopTimeout) && !left() || !n.spec.SendKill {
		return
	}
	n.r.o.Log.Warn("unit killed", "name", n.u.name)
	n.send(unix.SIGKILL, group)
	if !n.gone(left, 10*time.Second) {
		n.r.o.Log.Error("unit does not die", "name", n.u.name)
	}
}

// gone waits until nothing is left. The main process tells its end; of the
// others nobody does, so they are looked at.
func (n *run) gone(left func() bool, timeout time.Duration) bool {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	select {
	case <-n.main.Done():
	case <-deadline.C:
		return !left()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for left() {
		select {
		case <-deadline.C:
			return !left()
		case <-tick.C:
		}
	}
	return true
}

// control runs a command of a phase to its end.
func (n *run) control(ctx context.Context, phase string, c coreunit.Command, timeout time.Duration) outcome {
	if ctx.Err() != nil {
		return outcome{err: errStopped, kind: "dependency"}
	}
	end := n.finish(ctx, phase, c, timeout)
	if end.err != nil && c.Ignore && end.kind != "dependency" {
		n.r.o.Log.Info("unit", "name", n.u.name, "phase", phase, "ignored", end.err.Error())
		return outcome{}
	}
	return end
}

func (n *run) finish(ctx context.Context, phase string, c coreunit.Command, timeout time.Duration) outcome {
	named := func(err error) error { return fmt.Errorf("%s %s: %w", phase, filepath.Base(c.Words[0]), err) }
	p, err := n.spawn(c, phase == "ExecStart")
	if err != nil {
		return outcome{err: named(err), kind: "start"}
	}
	var expired <-chan time.Time
	if timeout != coreunit.Infinity {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-p.Done():
		end := judge(n.spec, p.Status())
		if end.err != nil {
			end.err = named(end.err)
		}
		return end
	case <-ctx.Done():
		n.end(p)
		return outcome{err: errStopped, kind: "dependency"}
	case <-expired:
		n.end(p)
		return outcome{err: named(fmt.Errorf("not done after %v", timeout)), kind: "timeout"}
	}
}

// end ends a command of a phase.
func (n *run) end(p Process) {
	send(p, unix.SIGTERM)
	timer := time.NewTimer(min(n.spec.StopTimeout, 10*time.Second))
	defer timer.Stop()
	select {
	case <-p.Done():
	case <-timer.C:
		send(p, unix.SIGKILL)
		<-p.Done()
	}
}

// send signals the main process and, if asked for, all of its group.
func (n *run) send(signal unix.Signal, group bool) {
	if group && pid(n.main) > 0 {
		n.group(signal)
		return
	}
	n.main.Signal(signal)
}

// group signals all of the main process's group, which may outlive it; signal
// 0 asks whether somebody is left. It goes by the pidfd: months after the last
// of them has ended the number may be that of others.
func (n *run) group(signal unix.Signal) error {
	if n.mainFD >= 0 {
		err := unix.PidfdSendSignal(n.mainFD, signal, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		if !errors.Is(err, unix.EINVAL) { // Linux before 6.9
			return err
		}
	}
	if closed(n.main.Done()) {
		return unix.ESRCH
	}
	return unix.Kill(-pid(n.main), signal)
}

// pid is 0 for a process of a test.
func pid(p Process) int {
	if k, ok := p.(*keep.Process); ok {
		return k.PID
	}
	return 0
}

// send signals a command of a phase, which has not been reaped, and its group:
// each command has a session and with it a group of its own.
func send(p Process, signal unix.Signal) {
	if id := pid(p); id > 1 && !closed(p.Done()) {
		unix.Kill(-id, signal)
		return
	}
	p.Signal(signal)
}
