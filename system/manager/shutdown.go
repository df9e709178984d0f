package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pharos-os/pharos/services/engine"
)

// stopOrder is the shutdown graph: phases one after the other, the units of a
// phase at once. What is not named here was added by the user and stops first.
// The engine stops the users' containers with their grace time; the syslog is
// there until nearly the end to hear about it.
func stopOrder() [][]string {
	return [][]string{
		{engine.Name},
		{"console"},
		{"ntp"},
		{"syslog"},
		{"udev"},
	}
}

// defaultShutdownTimeout bounds the whole ordered shutdown.
const defaultShutdownTimeout = 60 * time.Second

// Shutdown takes the machine down: action is poweroff, reboot or halt. It
// returns at once.
func (m *Manager) Shutdown(action string, force bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.goingDown != "" && !force {
		return fmt.Errorf("the machine is already going down (%s)", m.goingDown)
	}
	m.goingDown = action
	timeout := time.Duration(m.config.Config.Rancher.ShutdownTimeout) * time.Second
	if timeout <= 0 {
		timeout = defaultShutdownTimeout
	}
	if force {
		go m.leave(action)
		return nil
	}
	go m.goDown(action, timeout)
	return nil
}

// leave hands the machine over to PID 1.
func (m *Manager) leave(action string) {
	m.init.say("done " + action)
	m.quit()
}

func (m *Manager) goDown(action string, timeout time.Duration) {
	defer m.leave(action)
	start := time.Now()
	m.log.Info("shutdown begins", "action", action, "deadline", timeout)
	m.say(fmt.Sprintf("pharos: %s: stopping services, at most %s", action, timeout))
	// PID 1 gets a little more, so that the manager's own deadline comes first.
	m.init.say(fmt.Sprintf("deadline %d %s", int((timeout + 10*time.Second).Seconds()), action))
	if err := hurryRCU(true); err != nil {
		m.log.Warn("cannot hurry RCU for the shutdown", "error", err)
	}
	m.sup.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	m.stopConsoleUnits(ctx)
	for _, phase := range m.stopPhases() {
		m.stopPhase(ctx, phase)
	}
	if err := m.containerd.stop(ctx); err != nil {
		m.log.Warn("containerd did not stop", "error", err)
	}
	m.log.Info("services stopped", "took", time.Since(start).Round(time.Millisecond))
	m.say(fmt.Sprintf("pharos: %s: services stopped in %.1fs", action, time.Since(start).Seconds()))
}

// stopPhases is stopOrder with the user's own services in front.
func (m *Manager) stopPhases() [][]string {
	var own []string
	for _, i := range m.sup.List() {
		if !slices.ContainsFunc(stopOrder(), func(p []string) bool { return slices.Contains(p, i.Unit.Name) }) {
			own = append(own, i.Unit.Name)
		}
	}
	return append([][]string{own}, stopOrder()...)
}

func (m *Manager) stopPhase(ctx context.Context, names []string) {
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			err := m.sup.Stop(ctx, name)
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				m.say("pharos: service " + name + " did not stop in time")
			case err != nil:
				m.log.Warn("unit did not stop", "unit", name, "error", err)
			}
		})
	}
	wg.Wait()
}

func (m *Manager) say(line string) {
	if err := m.console.Print(line, true); err != nil {
		m.log.Warn("cannot write to the console", "error", err)
	}
}
