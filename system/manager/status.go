package manager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// Status says how the machine is, and what is worth knowing besides.
func (m *Manager) Status() api.Status {
	st := m.state()
	if st.Engine.Ready {
		st.Notes = append(st.Notes, m.bindNotes()...)
	}
	return st
}

// state is Status without what has to be asked of the engine.
func (m *Manager) state() api.Status {
	net := m.net.State()
	reasons := m.reasons(net)
	eng, engineOn := m.engineStatus()
	if engineOn && !eng.Ready && m.isBooted() && len(reasons) == 0 {
		reasons = append(reasons, "the user engine (docker) does not answer")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st := api.Status{
		Reasons: reasons, Notes: m.swarmNotes(), Waiting: m.waiting(net), Version: m.version, Slot: m.boot.Slot,
		Hostname: net.Names.Hostname, Kernel: kernelRelease(), Engine: eng,
		Storage: m.mounted.Device, Network: links(net), Uptime: m.clock.now(),
	}
	switch {
	case !m.booted:
		st.State = api.StateBooting
	case m.useless():
		st.State = api.StateFailed
	case len(reasons) > 0:
		st.State = api.StateDegraded
	default:
		st.State = api.StateReady
	}
	return st
}

func (m *Manager) isBooted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.booted
}

// useless reports that nobody can work with the machine: neither a console
// nor an engine runs. m.mu is held.
func (m *Manager) useless() bool {
	for _, name := range []string{"console", engine.Name} {
		if g := m.units[name]; g != nil && g.IsOpen() {
			return false
		}
	}
	return true
}

// reasons collects everything that is wrong, one sentence each.
func (m *Manager) reasons(net netconf.State) []string {
	var out []string
	for _, s := range m.graph.Info() {
		// Their own sentences are better than their steps'.
		if s.Err != nil && !slices.Contains([]string{"firewall", "network", "services"}, s.Name) {
			out = append(out, strings.Split(s.Name+": "+s.Err.Error(), "\n")...)
		}
	}
	out = append(out, net.Problems...)
	for _, i := range m.sup.List() {
		switch i.State {
		case supervise.Failed, supervise.CrashLooping:
			out = append(out, fmt.Sprintf("service %s is %s: %s", i.Unit.Name, i.State, i.Message))
		case supervise.Waiting, supervise.Starting:
			if m.isBooted() {
				out = append(out, fmt.Sprintf("service %s is %s: %s", i.Unit.Name, i.State, i.Message))
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, topic := range slices.Sorted(maps.Keys(m.notes)) {
		out = append(out, m.notes[topic]...)
	}
	if m.goingDown != "" {
		out = append(out, "the machine is going down ("+m.goingDown+")")
	}
	return out
}

// waiting says what the boot is at, with its deadlines. m.mu is held.
func (m *Manager) waiting(net netconf.State) []string {
	if m.booted {
		return nil
	}
	var out []string
	for _, s := range m.graph.Info() {
		if !s.Start.IsZero() && s.End.IsZero() {
			what := s.For
			if s.Name == "network" && len(net.Waiting) > 0 {
				what = strings.Join(net.Waiting, ", ")
			}
			left := time.Until(s.Deadline).Round(time.Second)
			out = append(out, fmt.Sprintf("%s: waits for %s, %s left", s.Name, what, left))
		}
	}
	return out
}

// engineStatus asks the user engine; the second result is false when it is
// turned off.
func (m *Manager) engineStatus() (api.Engine, bool) {
	m.mu.Lock()
	e := api.Engine{Name: engine.Name, Version: m.engine}
	_, on := m.units[engine.Name]
	m.mu.Unlock()
	if !on {
		return api.Engine{Name: "none"}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e.Ready = supervise.Check(ctx, unit.Probe{Socket: engine.Socket, HTTP: "/_ping"}) == nil
	return e, true
}

func links(net netconf.State) []api.Link {
	var out []api.Link
	for _, l := range net.Links {
		if l.Loopback {
			continue
		}
		link := api.Link{Name: l.Name, MAC: l.MAC, Up: l.Up, State: linkWord(l), Source: l.Source}
		for _, a := range l.Addresses {
			link.Addresses = append(link.Addresses, a.Prefix.String())
		}
		if len(l.Gateways) > 0 {
			link.Gateway = l.Gateways[0].String()
		}
		out = append(out, link)
	}
	return out
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
