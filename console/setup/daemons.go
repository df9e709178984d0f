package setup

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/system/keep"
)

// daemon starts or stops sshd as the plan says. Sessions outlive sshd.
func (s *setup) daemon(ctx context.Context, p Plan) {
	switch {
	case p.SSH.Enabled && s.stopSSH == nil:
		ctx, s.stopSSH = context.WithCancel(ctx)
		s.changed = nil // what it is about to read
		s.keep(ctx, keep.Daemon{
			Name:        "sshd",
			Command:     keep.Command{Args: s.Sshd},
			Started:     s.sshStarted,
			StopTimeout: 2 * time.Second,
		})
	case !p.SSH.Enabled && s.stopSSH != nil:
		s.stopSSH()
		s.stopSSH = nil
	}
}

func (s *setup) sshStarted(p *keep.Process) {
	s.mu.Lock()
	s.sshd = p
	s.mu.Unlock()
	s.report(func(*Status) {})
}

// reloadSSH lets sshd read its files again when one of them was written.
// Keys are read at every login and need none of it.
func (s *setup) reloadSSH() {
	touched := slices.ContainsFunc(s.changed, func(path string) bool { return strings.HasPrefix(path, "/etc/ssh/sshd_config") })
	s.changed = nil
	s.mu.Lock()
	sshd := s.sshd
	s.mu.Unlock()
	if touched && s.stopSSH != nil && sshd != nil {
		s.problem(sshd.Signal(syscall.SIGHUP))
	}
}

// getty is one that is kept on a terminal.
type getty struct {
	autologin bool
	stop      context.CancelFunc
	stopped   chan struct{}
}

// ttys starts a getty on each terminal that has none. One that is there is
// left alone, with the session on it, unless autologin is now another: then
// its prompt, or whoever it let in, is no longer what the configuration says.
func (s *setup) ttys(ctx context.Context, p Plan) {
	if s.gettys == nil {
		s.gettys = map[string]getty{}
	}
	for _, tty := range s.terminals(p) {
		autologin := slices.Contains(p.Autologin, tty)
		if old, ok := s.gettys[tty]; ok {
			if old.autologin == autologin {
				continue
			}
			old.stop()
			<-old.stopped
		}
		ctx, stop := context.WithCancel(ctx)
		g := getty{autologin: autologin, stop: stop, stopped: make(chan struct{})}
		s.gettys[tty] = g
		s.running.Go(func() {
			defer close(g.stopped)
			s.reaper.Keep(ctx, keep.Daemon{
				Name:        "getty-" + tty,
				Command:     keep.Command{Args: gettyArgs(s.Agetty, tty, autologin)},
				StopTimeout: time.Second,
				// A logout is no failure: the next prompt comes at once.
				Backoff: keep.Backoff{Healthy: 5 * time.Second},
			}, s.log)
		})
	}
}

// terminals are the machine's consoles (see the kernel's
// admin-guide/devices, /dev/console), the first virtual terminals and those
// that log somebody in, as far as they exist.
func (s *setup) terminals(p Plan) []string {
	list := []string{"tty1", "tty2"}
	active, err := os.ReadFile(s.path("/sys/class/tty/console/active"))
	if err == nil {
		list = append(list, strings.Fields(string(active))...)
	}
	list = append(list, p.Autologin...)
	var found []string
	for _, tty := range list {
		// tty0 is whichever virtual terminal is in front.
		if tty != "tty0" && !strings.ContainsAny(tty, "/.") && !slices.Contains(found, tty) && exists(s.path("/dev/"+tty)) {
			found = append(found, tty)
		}
	}
	return found
}

// gettyArgs is agetty's command line, see agetty(8).
func gettyArgs(agetty, tty string, autologin bool) []string {
	args := []string{agetty}
	if autologin {
		args = append(args, "--autologin", userName)
	}
	if isVirtual(tty) {
		// What the boot said stays on the screen.
		return append(args, "--noclear", tty, "linux")
	}
	// A serial line has no carrier to wait for, and keeps the kernel's speed.
	return append(args, "--local-line", "--keep-baud", "115200,57600,38400,9600", tty, "vt220")
}

func isVirtual(tty string) bool {
	digits, ok := strings.CutPrefix(tty, "tty")
	return ok && strings.Trim(digits, "0123456789") == ""
}

func (s *setup) keep(ctx context.Context, d keep.Daemon) {
	s.running.Go(func() { s.reaper.Keep(ctx, d, s.log) })
}
