package manager

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/console/setup"
)

// unitsDeadline bounds the stop of coreos.units: several `docker stop`, one
// after the other.
const unitsDeadline = 30 * time.Second

// stopConsoleUnits stops the units that run in the console while the engine
// is still there: their commands need it.
func (m *Manager) stopConsoleUnits(ctx context.Context) {
	m.mu.Lock()
	units := len(m.planned.Units)
	m.mu.Unlock()
	i, err := m.sup.Get("console")
	if units == 0 || err != nil || i.PID == 0 {
		return
	}
	if err := unix.Kill(i.PID, unix.SIGUSR1); err != nil {
		m.log.Warn("SIGUSR1 to the console", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, unitsDeadline)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond) // a file that is replaced
	defer tick.Stop()
	for {
		if st, err := setup.ReadStatus(setup.StatusPath); err == nil && st.Down {
			return
		}
		if now, err := m.sup.Get("console"); err != nil || now.PID != i.PID {
			return // it has ended, and its units with it
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			m.say("pharos: units of coreos.units did not stop in time")
			return
		}
	}
}
