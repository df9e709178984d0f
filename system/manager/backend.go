package manager

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// Boot is the record of the boot: stage 1's, the graph's and the units'.
func (m *Manager) Boot() api.Boot {
	b := api.Boot{Stages: slices.Clone(m.boot.Stages)}
	done := 0.0 // when the boot was
	for _, s := range m.graph.Info() {
		if s.Start.IsZero() {
			continue
		}
		if s.Name == "ready" {
			done = m.clock.at(s.End)
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
	b.Stages = append(b.Stages, linkStages(m.net.State(), m.clock, done)...)
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
