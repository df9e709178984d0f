// Package recovery owns the recovery console: one screen that says what is
// wrong and what to do, and a shell, on every console of the machine. It
// refuses the network: who wants to repair a machine this way stands at its
// keyboard or at its serial line.
package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Countdown is how long an unattended machine shows its recovery console
// before it restarts.
const Countdown = 120 * time.Second

// Starter starts a process; in PID 1 that is the reaper.
type Starter interface {
	Start(path string, argv []string, attr *syscall.ProcAttr) (pid int, exit <-chan syscall.WaitStatus, err error)
}

// Console opens shells.
type Console struct {
	Log     *slog.Logger
	Starter Starter
	Busybox []string // where the shell may be; the first that exists is taken
	Links   string   // directory made for the names of busybox's commands
}

// Problem is what the screen says.
type Problem struct {
	Title string // "The system image was not found."
	Where string // "stage 1: find system image"
	Err   error
	Do    []string // sentences
	// Countdown is the time after which Run returns unless somebody types;
	// 0 waits for somebody.
	Countdown time.Duration
	// Then says what happens when Run returns: "The machine restarts".
	Then string
	// OnlyFree leaves out consoles that somebody uses.
	OnlyFree bool
}

type shell struct {
	tty     string
	pid     int
	exit    <-chan syscall.WaitStatus
	touched bool // somebody typed
}

// Run shows the problem and a shell on every console. It returns when a shell
// that was used is left, when the countdown is over and nobody has typed
// anything, or with ctx.
func (c *Console) Run(ctx context.Context, p Problem) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.Log.Error("recovery console", "title", p.Title, "err", p.Err)
	busybox := c.installBusybox()
	var shells []*shell
	for _, tty := range Consoles("/sys", "/dev") {
		if p.OnlyFree && inUse(tty) {
			continue
		}
		write(tty, screen(p, busybox != ""))
		if busybox == "" {
			continue
		}
		s, err := c.open(tty, busybox)
		if err != nil {
			c.Log.Error("recovery shell", "tty", tty, "err", err)
			continue
		}
		shells = append(shells, s)
	}
	c.wait(ctx, p, shells)
	for _, s := range shells {
		unix.Kill(-s.pid, unix.SIGKILL) // its whole session's foreground
	}
}

// settle is after how long a shell has done with the terminal's answers to the
// questions that it asks at its start, which are input, too.
const settle = 5 * time.Second

// wait looks at the shells once a second: input shows in the access time of
// the terminal, as w(1) uses it.
func (c *Console) wait(ctx context.Context, p Problem, shells []*shell) {
	left := make(chan *shell, len(shells))
	for _, s := range shells {
		go func() {
			select {
			case <-s.exit:
				left <- s
			case <-ctx.Done():
			}
		}()
	}
	var end <-chan time.Time
	if p.Countdown > 0 {
		end = time.After(p.Countdown)
	}
	settled := time.After(settle)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			for _, s := range shells {
				write(s.tty, "\r\n"+p.Then+" now.\r\n")
			}
			return
		case <-settled:
			settled = nil
			for _, s := range shells {
				untouch(s.tty)
			}
		case s := <-left:
			if touched(s.tty) {
				return
			}
			c.Log.Warn("recovery shell ended unused", "tty", s.tty)
		case <-tick.C:
			for _, s := range shells {
				if settled != nil || s.touched || !touched(s.tty) {
					continue
				}
				s.touched = true
				if end != nil {
					end = nil
					write(s.tty, "\r\n(countdown stopped: "+p.Then+" when you leave this shell with 'exit')\r\n")
				}
			}
		}
	}
}

// open starts a shell in a session of its own, with the terminal.
func (c *Console) open(tty, busybox string) (*shell, error) {
	f, err := os.OpenFile(tty, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	untouch(tty)
	term := "linux"
	if filepath.Base(tty)[:min(4, len(filepath.Base(tty)))] == "ttyS" {
		term = "vt102"
	}
	pid, exit, err := c.Starter.Start(busybox, []string{"sh"}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=" + c.Links + ":/usr/sbin:/usr/bin", "HOME=/", "TERM=" + term, "PS1=recovery:$PWD# "},
		Files: []uintptr{f.Fd(), f.Fd(), f.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	})
	if err != nil {
		return nil, err
	}
	return &shell{tty: tty, pid: pid, exit: exit}, nil
}

// installBusybox finds the shell and makes links for its commands. Without
// links the shell still runs, and "busybox ls" with it.
func (c *Console) installBusybox() string {
	for _, path := range c.Busybox {
		if _, err := exec.LookPath(path); err != nil {
			continue
		}
		if err := os.MkdirAll(c.Links, 0o755); err != nil {
			return path
		}
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return path
		}
		defer null.Close()
		_, exit, err := c.Starter.Start(path, []string{"busybox", "--install", "-s", c.Links}, &syscall.ProcAttr{
			Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
		})
		if err == nil {
			select {
			case <-exit:
			case <-time.After(10 * time.Second):
			}
		}
		return path
	}
	return ""
}

func write(tty, text string) {
	f, err := os.OpenFile(tty, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	f.SetWriteDeadline(time.Now().Add(2 * time.Second)) // a terminal that is stopped must not stop us
	fmt.Fprint(f, text)
}
