package manager

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// Status says how the machine is.
func (m *Manager) Status() api.Status {
	net := m.net.State()
	reasons := m.reasons(net)
	eng, engineOn := m.engineStatus()
	if engineOn && !eng.Ready && m.isBooted() && len(reasons) == 0 {
		reasons = append(reasons, "the user engine (docker) does not answer")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st := api.Status{
		Reasons: reasons, Waiting: m.waiting(), Version: m.version, Slot: m.boot.Slot,
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
	for _, name := range []string{"console", "docker"} {
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
		// The network's and the services' own sentences are better than
		// their steps'.
		if s.Err != nil && s.Name != "network" && s.Name != "services" {
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
func (m *Manager) waiting() []string {
	if m.booted {
		return nil
	}
	var out []string
	for _, s := range m.graph.Info() {
		if !s.Start.IsZero() && s.End.IsZero() {
			left := time.Until(s.Deadline).Round(time.Second)
			out = append(out, fmt.Sprintf("%s: waits for %s, %s left", s.Name, s.For, left))
		}
	}
	return out
}

// engineStatus asks the user engine; the second result is false when it is
// turned off.
func (m *Manager) engineStatus() (api.Engine, bool) {
	m.mu.Lock()
	e := api.Engine{Name: "docker", Version: m.engine}
	_, on := m.units["docker"]
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
		link := api.Link{Name: l.Name, MAC: l.MAC, Up: l.Up, Source: l.Source}
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

// Boot is the record of the boot: stage 1's, the graph's and the units'.
func (m *Manager) Boot() api.Boot {
	b := api.Boot{Stages: slices.Clone(m.boot.Stages)}
	for _, s := range m.graph.Info() {
		if s.Start.IsZero() {
			continue
		}
		st := api.Stage{Name: s.Name, Lane: s.Lane, Start: m.clock.at(s.Start), End: m.clock.at(s.End), After: s.After}
		if s.Err != nil {
			st.Error = s.Err.Error()
		}
		if s.End.IsZero() {
			st.Deadline = m.clock.at(s.Deadline)
		}
		b.Stages = append(b.Stages, st)
	}
	for _, i := range m.sup.List() {
		if st, ok := m.unitStage(i); ok {
			b.Stages = append(b.Stages, st)
		}
	}
	slices.SortStableFunc(b.Stages, func(a, c api.Stage) int { return cmp.Compare(a.Start, c.Start) })
	m.mu.Lock()
	defer m.mu.Unlock()
	b.Milestones = slices.Clone(m.milestones)
	return b
}

// unitStage is a unit's first start, from its first "starting" to its first
// "running".
func (m *Manager) unitStage(i supervise.Info) (api.Stage, bool) {
	st := api.Stage{Name: i.Unit.Name, Lane: "unit", After: i.Unit.Requires}
	for _, e := range i.Events {
		switch {
		case e.State == supervise.Starting && st.Start == 0:
			st.Start = m.clock.at(e.Time)
		case e.State == supervise.Running && st.Start != 0:
			st.End = m.clock.at(e.Time)
			return st, true
		}
	}
	return st, st.Start != 0
}

// Services lists the machine's containers.
func (m *Manager) Services() []api.Service {
	var out []api.Service
	for _, i := range m.sup.List() {
		s := api.Service{
			Name: i.Unit.Name, Image: i.Unit.Image, State: string(i.State), Since: i.Since, PID: i.PID,
			Restarts: i.Restarts, Message: i.Message, Capabilities: i.Unit.Capabilities,
			Memory: readInt(filepath.Join(unitCgroup(i.Unit), "memory.current")),
		}
		for _, e := range i.Events {
			s.Events = append(s.Events, api.Event{Time: e.Time, State: string(e.State), Message: e.Message})
		}
		out = append(out, s)
	}
	return out
}

func unitCgroup(u unit.Unit) string {
	parent := u.Cgroup
	if parent == "" {
		parent = "system"
	}
	return filepath.Join(cgroupRoot, parent, u.Name)
}

func readInt(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Start starts a service and returns when it runs.
func (m *Manager) Start(ctx context.Context, name string) error { return known(m.sup.Start(ctx, name)) }

// Stop stops a service and returns when it has ended.
func (m *Manager) Stop(ctx context.Context, name string) error { return known(m.sup.Stop(ctx, name)) }

// Restart stops and starts a service.
func (m *Manager) Restart(ctx context.Context, name string) error {
	return known(m.sup.Restart(ctx, name))
}

// Logs hands out log lines.
func (m *Manager) Logs(ctx context.Context, q api.LogQuery, fn func(api.LogLine) error) error {
	return m.book.Logs(ctx, q, fn)
}

// Processes lists the processes of a service's cgroup.
func (m *Manager) Processes(name string) ([]api.Process, error) {
	i, err := m.sup.Get(name)
	if err != nil {
		return nil, known(err)
	}
	var out []api.Process
	root := unitCgroup(i.Unit)
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return nil // a cgroup that went away meanwhile
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, pid := range strings.Fields(string(b)) {
			if p, ok := process(pid); ok {
				out = append(out, p)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b api.Process) int { return cmp.Compare(a.PID, b.PID) })
	return out, err
}

func process(pid string) (api.Process, bool) {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return api.Process{}, false
	}
	dir := filepath.Join("/proc", pid)
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return api.Process{}, false
	}
	p := api.Process{PID: n, Command: strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " "))}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return api.Process{}, false
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case key == "VmRSS" && len(fields) > 0:
			if kib, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
				p.RSS = kib << 10
			}
		case key == "State" && len(fields) > 0:
			p.State = fields[0]
		}
	}
	return p, true
}
