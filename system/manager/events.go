package manager

import (
	"slices"

	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/supervise"
)

// condition finds what units require by name: a unit that runs, or a step of
// the boot graph that has ended.
func (m *Manager) condition(name string) supervise.Condition {
	if name == launchedFirst {
		return m.launched
	}
	m.mu.Lock()
	g := m.units[name]
	m.mu.Unlock()
	if g != nil {
		return g
	}
	if g := m.graph.Gate(name); g != nil {
		return g
	}
	return nil
}

// onEvent keeps the units' gates and the milestones.
func (m *Manager) onEvent(name string, e supervise.Event) {
	m.mu.Lock()
	g := m.units[name]
	m.mu.Unlock()
	if g == nil {
		return
	}
	m.noteLaunch()
	if e.State == supervise.Running || e.State == supervise.Stopped {
		g.Open()
	} else {
		g.Close()
	}
	if e.State == supervise.Running {
		switch name {
		case "console":
			m.consoleUp()
			m.remindConsole()
		case engine.Name:
			m.engineUp()
			m.lookAtSwarm()
		case "wifi":
			m.wifiStarted()
		}
	}
}

// noteLaunch lets the other units start once none of the first ones is still
// on its way.
func (m *Manager) noteLaunch() {
	for _, i := range m.sup.List() {
		starting := i.State == supervise.Waiting || i.State == supervise.Starting
		if slices.Contains(firstUnits(), i.Unit.Name) && starting {
			return
		}
	}
	m.launched.Open()
}

// note replaces what is wrong about a topic; none clears it.
func (m *Manager) note(topic string, sentences ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(sentences) == 0 {
		delete(m.notes, topic)
		return
	}
	m.notes[topic] = sentences
}

// reach records a milestone once and says so on the consoles.
func (m *Manager) reach(name string) {
	now := m.clock.now()
	m.mu.Lock()
	for _, r := range m.milestones {
		if r.Name == name {
			m.mu.Unlock()
			return
		}
	}
	m.milestones = append(m.milestones, api.Milestone{Name: name, At: now})
	g := m.units["console"]
	m.mu.Unlock()
	// From the console's start on a prompt may stand on the line already.
	if err := m.console.Milestone(name, now, g != nil); err != nil {
		m.log.Warn("cannot write a milestone to the console", "name", name, "error", err)
	}
	m.log.Info("milestone reached", "name", name, "at", now)
}
