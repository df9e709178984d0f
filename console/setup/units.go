package setup

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/console/units"
	"github.com/pharos-os/pharos/system/keep"
)

// applyUnits starts the units of a plan. Their environment is that of the
// commands of runcmd.
func (s *setup) applyUnits(ctx context.Context, p Plan) {
	var env []string
	for _, name := range names(p.Environment) {
		env = append(env, name+"="+p.Environment[name])
	}
	s.units.SetEnvironment(env)
	s.units.Apply(ctx, p.Units)
}

// unitsDown stops the units at SIGUSR1: the manager asks for it before it
// stops the engine, which commands like docker stop need.
func (s *setup) unitsDown(ctx context.Context, down <-chan os.Signal) {
	select {
	case <-ctx.Done():
	case <-down:
		s.units.Stop()
		s.report(func(st *Status) { st.Down = true })
	}
}

// newUnits makes what runs coreos.units. What they print is in the console's
// log.
func (s *setup) newUnits() *units.Runner {
	var up unix.Timespec
	booted := time.Now()
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) == nil {
		booted = booted.Add(-time.Duration(up.Nano()))
	}
	hostname := ""
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		hostname = unix.ByteSliceToString(name.Nodename[:])
	}
	return units.New(units.Options{
		Log: s.log, Root: s.Root, Hostname: hostname, Booted: booted,
		Start: func(c keep.Command) (units.Process, error) {
			p, err := s.reaper.Start(c)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Covered: s.onCover,
		Changed: func() { s.report(func(*Status) {}) },
	})
}
