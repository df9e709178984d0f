package setup

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/console/units"
	"github.com/pharos-os/pharos/system/keep"
)

// newUnits makes what runs coreos.units. Their environment is that of the
// commands of runcmd; what they print is in the console's log.
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
		Changed: func() { s.report(func(*Status) {}) },
	})
}
