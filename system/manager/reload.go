package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/console/setup"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/supervise"
)

// consoleStart is how long a console that starts is given before it is told
// of a new plan all the same.
const consoleStart = 30 * time.Second

// reloadConsole hands the console its new plan; sessions stay. A console that
// is about to start must not be told: until it listens for SIGHUP, that ends
// it. It reads the plan by itself, the new one or the one before.
func (m *Manager) reloadConsole(ctx context.Context, c osconfig.Config) error {
	if err := m.writePlan(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, consoleStart)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond) // a file that is replaced
	defer tick.Stop()
	for {
		i, err := m.sup.Get("console")
		if err != nil || i.PID == 0 || hasPlan(setup.PlanPath, setup.StatusPath) {
			return err
		}
		if i.State == supervise.Running || ctx.Err() != nil {
			return hangUp(i.PID)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// remindConsole tells a console that was found running of a plan that was
// written while there was no manager to tell it: one that starts anew may go
// back to the configuration before a trial.
func (m *Manager) remindConsole() {
	i, err := m.sup.Get("console")
	if err != nil || i.PID == 0 || hasPlan(setup.PlanPath, setup.StatusPath) {
		return
	}
	if err := hangUp(i.PID); err != nil {
		m.log.Warn("cannot tell the console of its plan", "error", err)
	}
}

// hasPlan reports whether the console's last word is about the plan as it
// stands.
func hasPlan(plan, status string) bool {
	_, ok := aboutPlan(plan, status)
	return ok
}

// aboutPlan is the console's last word, and whether it is about the plan as
// it stands. The times are the same or not: the clock may have been set since.
func aboutPlan(plan, status string) (setup.Status, bool) {
	info, err := os.Stat(plan)
	if err != nil {
		return setup.Status{}, false
	}
	st, err := setup.ReadStatus(status)
	return st, err == nil && st.Plan.Equal(info.ModTime())
}

func hangUp(pid int) error {
	if err := unix.Kill(pid, unix.SIGHUP); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("SIGHUP to the console: %w", err)
	}
	return nil
}
