package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/pharos-os/pharos/console"
	"github.com/pharos-os/pharos/console/setup"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/services"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
	"github.com/pharos-os/pharos/system/view"
)

// offlineConfig is the kernel command line's alone, for what must be known
// before anything is mounted.
func (m *Manager) offlineConfig(ctx context.Context) osconfig.Config {
	l := load.Loader{Root: "/nonexistent", Cmdline: m.cmdline, Log: m.log}
	return l.Load(ctx).Config
}

// stepConfig is the first pass: what can be read without a network.
func (m *Manager) stepConfig(ctx context.Context) error {
	m.recoverTrial()
	m.loadMediaDrivers("/sys")
	_, r := m.reload(ctx)
	m.mu.Lock()
	m.online.linkLocal = askLinkLocal(r)
	m.mu.Unlock()
	if err := m.writeSettings(r.Config); err != nil { // it is noted already
		m.log.Warn("cannot write settings", "error", err)
	}
	return errors.Join(m.writePlan(r.Config), forgetFinished(), m.enterInstance(r.InstanceID))
}

// adopt makes a loaded configuration the machine's and notes its problems.
func (m *Manager) adopt(r load.Result) {
	m.mu.Lock()
	m.config = r
	m.mu.Unlock()
	var wrong []string
	for _, p := range r.Report {
		if p.Severity == osconfig.Error {
			wrong = append(wrong, "configuration: "+p.String())
		} else {
			m.log.Warn("the configuration has a problem", "problem", p.String())
		}
	}
	for _, s := range r.Sources {
		m.log.Info("configuration layer", "layer", s.Layer, "file", s.File, "state", s.State)
	}
	m.note("configuration", wrong...)
}

func (m *Manager) cfg() osconfig.Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.config.Config
}

func (m *Manager) writePlan(c osconfig.Config) error {
	p := m.plan(c)
	m.mu.Lock()
	m.planned = p
	m.mu.Unlock()
	return p.Write(setup.PlanPath)
}

// planChanges reports whether a configuration, or the instance's name, which
// is known late, gives the console another plan.
func (m *Manager) planChanges(c osconfig.Config) bool {
	p := m.plan(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	return !reflect.DeepEqual(m.planned, p)
}

// plan is the console's.
func (m *Manager) plan(c osconfig.Config) setup.Plan {
	p := setup.FromConfig(c, c.Hostname)
	m.mu.Lock()
	defer m.mu.Unlock()
	p.InstanceID, p.Datasource = m.config.InstanceID, m.config.Datasource
	return p
}

func (m *Manager) stepSysctl(context.Context) error {
	return applySysctl(baseSysctl(m.machine.RAM), m.cfg().Rancher.Sysctl)
}

func (m *Manager) stepConfigModules(context.Context) error {
	return m.loadModules(m.cfg().Rancher.Modules)
}

// firstUnits are what people wait for after a boot. The others wait for
// launchedFirst: until these are ready, but no longer than launchDeadline.
// Making a container takes a second of both CPUs on a slow machine, and a
// coldplug several; on a fast one this defers them by a second.
func firstUnits() []string { return []string{engine.Name, "console"} }

// earlyUnits do not wait for these: the network waits for Wi-Fi, and the
// engine for udev where its containers do.
func (m *Manager) earlyUnits() []string {
	if m.engineNeeds().devices {
		return []string{"wifi", "udev"}
	}
	return []string{"wifi"}
}

const (
	launchedFirst  = "launched"
	launchDeadline = 30 * time.Second
)

// definitions are the units that a configuration asks for, in start order:
// the engine first, for it takes longest.
func (m *Manager) definitions(c osconfig.Config) []unit.Unit {
	return m.definitionsWith(c, m.find(c.Rancher.Docker))
}

func (m *Manager) definitionsWith(c osconfig.Config, f found) []unit.Unit {
	machine := m.machine
	machine.TZ, _ = m.zone(c) // writeSettings says what is wrong with it
	machine.Tree, machine.TreePeers = view.Lent, view.Root
	machine.InSwarm, machine.DataRoot = f.swarm, f.root
	units := append(services.Core(c, machine), console.Unit(console.Options{SSH: c.Rancher.SSH, RAM: m.machine.RAM, LibModules: true, Root: view.Lent, RootPeers: view.Root}))
	order := []string{engine.Name, "console", "wifi", "udev", "syslog", "ntp"}
	for i := range units {
		if units[i].Name == engine.Name && m.engineNeeds().devices {
			units[i].Requires = append(slices.Clone(units[i].Requires), services.NeedsSettled)
		}
		if !slices.Contains(firstUnits(), units[i].Name) && !slices.Contains(m.earlyUnits(), units[i].Name) {
			units[i].Requires = append(slices.Clone(units[i].Requires), launchedFirst)
		}
	}
	slices.SortStableFunc(units, func(a, b unit.Unit) int {
		return slices.Index(order, a.Name) - slices.Index(order, b.Name)
	})
	return units
}

func (m *Manager) addUnits() error {
	m.loading.Lock()
	defer m.loading.Unlock()
	c := m.cfg()
	m.lookAtDataRoot(c)
	m.unitsOf(c, c)
	errs := []error{m.loadSwarmModules(c)}
	units := m.definitions(c)
	m.mu.Lock()
	for _, u := range units {
		m.units[u.Name] = supervise.NewGate("service " + u.Name + " to be ready")
	}
	m.mu.Unlock()
	time.AfterFunc(launchDeadline, m.launched.Open)
	for _, u := range units {
		if err := m.sup.Add(u); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, unknownServices(c, units))...)
}

// unknownServices says which names under services_include are nobody's.
func unknownServices(c osconfig.Config, units []unit.Unit) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Rancher.ServicesInclude)) {
		known := slices.ContainsFunc(units, func(u unit.Unit) bool { return u.Name == name })
		if c.Rancher.ServicesInclude[name] && !known {
			errs = append(errs, fmt.Errorf("rancher.services_include: there is no service %q", name))
		}
	}
	return errors.Join(errs...)
}

// stepLateConfig reads media that showed up since the first pass; only what
// they change is applied.
func (m *Manager) stepLateConfig(ctx context.Context) error {
	before, _ := m.reload(ctx)
	return m.catchUp(ctx, before)
}

// applyDifference carries a configuration out where it differs. m.applying is
// held.
func (m *Manager) applyDifference(ctx context.Context, before, after osconfig.Config) error {
	errs := []error{m.writeSettings(after)}
	if !maps.Equal(before.Rancher.Sysctl, after.Rancher.Sysctl) { // before the network, which looks at them
		errs = append(errs, applySysctl(after.Rancher.Sysctl))
	}
	if before.Hostname != after.Hostname || before.FQDN != after.FQDN || !reflect.DeepEqual(before.Rancher.Network, after.Rancher.Network) {
		m.applyNetwork(after)
	}
	errs = append(errs, m.forward(after))
	if !slices.Equal(before.Rancher.Modules, after.Rancher.Modules) {
		errs = append(errs, m.loadModules(after.Rancher.Modules))
	}
	if m.planChanges(after) {
		errs = append(errs, m.reloadConsole(ctx, after))
	}
	errs = append(errs, m.loadSwarmModules(after), m.switchUnits(ctx, m.unitsOf(before, after), after))
	m.lookAtSwarm()
	return errors.Join(errs...)
}
