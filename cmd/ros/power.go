package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

// actions of the power commands, by the command's name.
func defaultAction(name string) string {
	if name == "shutdown" {
		return "poweroff"
	}
	return name
}

const powerUsage = `usage: poweroff|reboot|halt [-f]
       shutdown [-P|-h|-r|-H] [-f] [now|+0]

  -P, --poweroff, -h  switch the machine off (the default of shutdown)
  -r, --reboot        start it again
  -H, --halt          stop it and leave the power on
  -f, --force         do not stop containers and services one by one

Without -f, user containers get their grace time, then the services stop in
reverse order. When the manager does not answer, PID 1 is asked by signal
(root only); it ends whatever runs, unmounts and does it, but cannot halt.
`

// powerRequest is what the arguments of a power command ask for.
type powerRequest struct {
	Action string
	Force  bool
	Help   bool
}

// parsePower reads the arguments of poweroff, reboot, halt and shutdown. The
// options are the usual ones, not those of ros: -h is not help.
func parsePower(name string, args []string) (powerRequest, error) {
	r := powerRequest{Action: defaultAction(name)}
	for _, a := range args {
		switch {
		case a == "--help":
			r.Help = true
		case strings.HasPrefix(a, "--"):
			if !r.option(a) {
				return r, usageError("unknown option %s; see: %s --help", a, name)
			}
		case strings.HasPrefix(a, "-") && len(a) > 1:
			for _, letter := range a[1:] {
				if !r.option("-" + string(letter)) {
					return r, usageError("unknown option -%c; see: %s --help", letter, name)
				}
			}
		case name != "shutdown":
			return r, usageError("%q: %s takes no argument; see: %s --help", a, name, name)
		case a != "now" && a != "+0":
			return r, usageError("%q: it can only be done now (`%s now`); nothing is ever scheduled", a, name)
		}
	}
	return r, nil
}

func (r *powerRequest) option(o string) bool {
	switch o {
	case "-P", "-h", "-p", "--poweroff":
		r.Action = "poweroff"
	case "-r", "--reboot":
		r.Action = "reboot"
	case "-H", "--halt":
		r.Action = "halt"
	case "-f", "--force":
		r.Force = true
	default:
		return false
	}
	return true
}

// host is the way to PID 1 when the manager is away.
type host struct {
	pharos func() bool // whether PID 1 is ours
	signal func(syscall.Signal) error
}

func powerHost() host {
	return host{
		// Stage 1 writes it; on any other machine a signal to PID 1 means
		// something else.
		pharos: func() bool { _, err := os.Stat("/run/pharos/boot.json"); return err == nil },
		signal: func(s syscall.Signal) error { return syscall.Kill(1, s) },
	}
}

// power is the commands poweroff, reboot, halt and shutdown.
func power(ctx context.Context, t *terminal, h host, name string, args []string) error {
	r, err := parsePower(name, args)
	if err != nil {
		return err
	}
	if r.Help {
		t.printf("%s", powerUsage)
		return nil
	}
	err = t.manager.Shutdown(ctx, api.Shutdown{Action: r.Action, Force: r.Force})
	if !errors.Is(err, client.ErrAway) || !h.pharos() {
		return err
	}
	return signalInit(h, r.Action, err)
}

// signalInit asks PID 1 itself.
func signalInit(h host, action string, away error) error {
	// What PID 1 takes these signals for is in init/pid1.
	signals := map[string]syscall.Signal{"poweroff": syscall.SIGTERM, "reboot": syscall.SIGINT}
	s, ok := signals[action]
	if !ok {
		return fmt.Errorf("%w; without it PID 1 can power off and reboot, not %s", away, action)
	}
	if err := h.signal(s); err != nil {
		return fmt.Errorf("%w; asking PID 1 instead: %w (try sudo)", away, err)
	}
	return nil
}
