package manager

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/settings"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// newSettings owns what `ros config` changes. The manager's part is to say
// what runs and to carry out what differs.
func (m *Manager) newSettings() *settings.Settings {
	return settings.New(settings.Options{
		Log:     m.log.With("component", "settings"),
		Loader:  m.loader,
		Running: m.loaded,
		Apply:   m.applyLoaded,
		Units:   m.unitTexts,
		Costs:   m.costs,
		Note: func() string {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.mounted.Device == state.RAM {
				return "this machine keeps its state in RAM: the change is lost at the next boot"
			}
			return ""
		},
	})
}

func (m *Manager) loaded() load.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.config
}

// recoverTrial goes back to the configuration before a trial that nobody
// confirmed. Nothing is on trial after a boot.
func (m *Manager) recoverTrial() {
	said, err := m.settings.Recover()
	m.note("trial")
	switch {
	case err != nil:
		m.log.Error("configuration on trial", "error", err)
		m.note("trial", fmt.Sprintf("a configuration that nobody confirmed is in use: %v", err))
	case said != "":
		m.log.Warn("configuration on trial", "what", said)
	}
}

// applyLoaded makes after the machine's configuration and carries out what
// differs. With yes the machine also leaves its swarm where after has none, and
// drops out of one whose state is not in after's data root.
func (m *Manager) applyLoaded(ctx context.Context, before, after load.Result, yes bool) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.adopt(after)
	// Before the engine restarts: dockerd must be one that can leave.
	err := m.leaveSwarm(ctx, before.Config, after.Config, yes)
	err = errors.Join(err, m.applyDifference(ctx, before.Config, after.Config))
	if yes {
		err = errors.Join(err, m.forgetSwarm(after.Config))
	}
	return err
}

// What becomes of a unit when the configuration changes.
const (
	unitStarts   = "starts"
	unitStops    = "stops"
	unitRestarts = "restarts"
	unitRenews   = "starts dockerd anew"    // the unit goes on, and its containers
	unitRetimed  = "takes its time to stop" // process 1 of the engine is told; containers go on
	unitKept     = "goes on"                // only how it is watched and stopped differs
)

type unitChange struct {
	unit unit.Unit
	how  string
}

// unitChanges compares two sets of units.
func unitChanges(before, after []unit.Unit) []unitChange {
	var out []unitChange
	find := func(units []unit.Unit, name string) (unit.Unit, bool) {
		i := slices.IndexFunc(units, func(u unit.Unit) bool { return u.Name == name })
		if i < 0 {
			return unit.Unit{}, false
		}
		return units[i], true
	}
	for _, u := range before {
		if _, ok := find(after, u.Name); !ok {
			out = append(out, unitChange{u, unitStops})
		}
	}
	for _, u := range after {
		old, ok := find(before, u.Name)
		switch {
		case !ok:
			out = append(out, unitChange{u, unitStarts})
		case reflect.DeepEqual(old, u):
		case reflect.DeepEqual(content(old), content(u)):
			out = append(out, unitChange{u, unitKept})
		default:
			out = append(out, unitChange{u, unitRestarts})
		}
	}
	return out
}

// content is what of a unit its processes notice.
func content(u unit.Unit) unit.Unit {
	u.Ready, u.Health, u.HealthEvery, u.StopTimeout = unit.Probe{}, unit.Probe{}, 0, 0
	return u
}

// unitTexts says which units a change of the configuration starts, stops or
// restarts, by name, and whether the engine's containers end with that.
func (m *Manager) unitTexts(before, after osconfig.Config) (out map[string]string, containersEnd bool) {
	out = map[string]string{}
	for _, c := range m.compare(before, after) {
		if c.how != unitKept && c.how != unitRetimed {
			out[c.unit.Name] = c.how
		}
		if c.unit.Name == engine.Name && (c.how == unitRestarts || c.how == unitStops) {
			containersEnd = true
		}
	}
	return out, containersEnd
}

// switchUnits brings the units to another configuration.
func (m *Manager) switchUnits(ctx context.Context, before, after osconfig.Config) error {
	changes := m.compare(before, after)
	if slices.ContainsFunc(changes, startsEngine) {
		m.awaitFiles(ctx, after)
		// The data root may have been mounted meanwhile.
		changes = m.compare(before, after)
	}
	return m.carryOut(ctx, changes)
}

// compare says what becomes of the units. One data root is looked at once: two
// looks may have different answers, which are no change of the configuration.
func (m *Manager) compare(before, after osconfig.Config) []unitChange {
	a, b := before.Rancher.Docker, after.Rancher.Docker
	from := m.find(a)
	to := from
	if rootName(a) != rootName(b) {
		to = m.find(b)
	}
	units := m.definitionsWith(before, from)
	changes := unitChanges(units, m.definitionsWith(after, to))
	markRenewal(changes, units, a, b)
	return changes
}

// startsEngine reports whether containers may start with a change.
func startsEngine(c unitChange) bool {
	return c.unit.Name == engine.Name && (c.how == unitStarts || c.how == unitRestarts || c.how == unitRenews)
}

func (m *Manager) carryOut(ctx context.Context, changes []unitChange) error {
	var errs []error
	for _, c := range changes {
		var err error
		switch c.how {
		case unitStarts:
			err = m.startUnit(ctx, c.unit)
		case unitStops:
			if err = m.sup.Stop(ctx, c.unit.Name); err == nil {
				m.mu.Lock()
				delete(m.units, c.unit.Name)
				m.mu.Unlock()
			}
		case unitRestarts:
			if err = m.sup.Replace(c.unit); err == nil {
				err = m.sup.Restart(ctx, c.unit.Name)
			}
		case unitRenews:
			err = m.renewEngine(ctx, c.unit, m.newRenewal())
		case unitRetimed:
			err = m.retimeEngine(ctx, c.unit, m.newRenewal())
		case unitKept:
			err = m.sup.Replace(c.unit)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("service %s %s: %w", c.unit.Name, c.how, err))
		}
	}
	return errors.Join(errs...)
}

// startUnit starts a unit that the supervisor may know from before.
func (m *Manager) startUnit(ctx context.Context, u unit.Unit) error {
	m.mu.Lock()
	if m.units[u.Name] == nil {
		m.units[u.Name] = supervise.NewGate("service " + u.Name + " to be ready")
	}
	m.mu.Unlock()
	err := m.sup.Replace(u)
	if errors.Is(err, supervise.ErrUnknown) {
		err = m.sup.Add(u)
	}
	if err != nil {
		return err
	}
	return m.sup.Start(ctx, u.Name)
}

// Config answers YAML: the value at key, or the whole document.
func (m *Manager) Config(key string, full, private bool) (string, error) {
	return m.settings.Get(key, full, private)
}

// ConfigEdit changes the configuration file.
func (m *Manager) ConfigEdit(e api.ConfigEdit, who string) (api.ConfigWritten, error) {
	return m.settings.Edit(e, who)
}

// ConfigFile is the configuration file.
func (m *Manager) ConfigFile() (api.ConfigFile, error) { return m.settings.File() }

// ConfigOrigin says where a value was set.
func (m *Manager) ConfigOrigin(key string) (api.ConfigOrigin, error) { return m.settings.Origin(key) }

// ConfigDiff says what applying would change.
func (m *Manager) ConfigDiff() (api.ConfigDiff, error) { return m.settings.Diff() }

// ConfigApply applies the configuration. The boot does that by itself.
func (m *Manager) ConfigApply(ctx context.Context, try time.Duration, yes bool, who string) (api.ConfigDiff, error) {
	if !m.isBooted() {
		return api.ConfigDiff{}, errBooting()
	}
	return m.settings.Apply(ctx, try, yes, who)
}

// ConfigConfirm keeps what is on trial.
func (m *Manager) ConfigConfirm(who string) error { return m.settings.Confirm(who) }

// ConfigHistory lists what the file was.
func (m *Manager) ConfigHistory() ([]api.ConfigGeneration, error) { return m.settings.History() }

// ConfigRollback writes an older file again.
func (m *Manager) ConfigRollback(number int, who string) (api.ConfigWritten, error) {
	return m.settings.Rollback(number, who)
}

// ConfigSources says where the configuration comes from.
func (m *Manager) ConfigSources() (api.ConfigSources, error) {
	r := m.loaded()
	out := api.ConfigSources{Instance: r.InstanceID}
	for _, s := range r.Sources {
		out.Layers = append(out.Layers, api.ConfigLayer{Layer: s.Layer, File: s.File, State: s.State})
	}
	for _, p := range r.Probed {
		out.Probes = append(out.Probes, api.ConfigProbe{Name: p.Source, Where: p.Where, State: p.State, Detail: p.Detail, Seconds: p.Took.Seconds()})
	}
	return out, nil
}
