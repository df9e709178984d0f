package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/azure"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/load"
)

// The second pass. A source that needs a network is asked while everything
// else starts on what the first pass knows: the user engine does not wait for
// it, for most user-data say nothing about the engine, and a service that is
// away must not cost half a minute without one. What the answer changes is
// applied as a difference, as `ros config apply` does; where it changes the
// engine's options, the engine starts anew, before the boot counts as done.
// At the next boot the kept answer is part of the first pass, so that happens
// once in the life of an instance, and nothing waits for the service: it is
// asked beside the boot, and what it says is applied when it comes.

const (
	// datasourceDeadline ends the boot's wait for an online source.
	datasourceDeadline = 30 * time.Second
	// fetchMargin is what the step has beyond it, for making a configuration of
	// the answer, and for saying which source did not give one.
	fetchMargin = 5 * time.Second
)

// online is what the second pass knows. Manager.mu guards it.
type online struct {
	answer    *load.Answer
	asked     bool
	included  map[string][]byte
	probed    []datasource.Probe // that did not answer
	before    *load.Result       // what runs, until apply-datasource has applied the difference
	units     *osconfig.Config   // what the units were made of
	linkLocal bool               // links need an address to ask from
}

func (m *Manager) loader() *load.Loader {
	devices := m.media()
	m.mu.Lock()
	defer m.mu.Unlock()
	return &load.Loader{
		Root: m.root, Cmdline: m.cmdline, Sys: m.sys, Devices: devices, Log: m.log,
		// In RAM, too: a manager that starts anew finds the same configuration,
		// and with it the units that run.
		KeepLastGood: m.mounted.Device != "",
		Answer:       m.online.answer, Asked: m.online.asked, Included: maps.Clone(m.online.included),
		IMDS: m.imds, DHCPServer: m.dhcpServer,
	}
}

// load reads all layers that can be reached now.
func (m *Manager) load(ctx context.Context) load.Result {
	r := m.loader().Load(ctx)
	m.mu.Lock()
	r.Probed = append(r.Probed, m.online.probed...)
	m.mu.Unlock()
	if m.settings != nil {
		m.settings.Remember()
	}
	return r
}

// reload loads and adopts in one go: two steps that do so must not overtake
// each other.
func (m *Manager) reload(ctx context.Context) (before, after load.Result) {
	m.loading.Lock()
	defer m.loading.Unlock()
	before, after = m.loaded(), m.load(ctx)
	m.adopt(after)
	return before, after
}

// stepDatasource asks the online source, when there is one.
func (m *Manager) stepDatasource(ctx context.Context) error {
	r := m.loaded()
	if len(r.Pending) == 0 && len(r.Includes) == 0 {
		return nil
	}
	if cached(r) {
		go m.askBeside(context.WithoutCancel(ctx), r)
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-fetchMargin))
		defer cancel()
	}
	failed := m.fetch(ctx, r)
	before, err := m.takeAnswer(ctx)
	m.mu.Lock()
	m.online.before = &before
	m.mu.Unlock()
	if failed = errors.Join(failed, err); failed != nil && cached(m.loaded()) {
		m.log.Warn("the datasource is away, its last answer serves", "error", failed)
		return nil
	}
	return failed
}

// askBeside asks a source whose answer of an earlier boot serves. One that is
// away stays so until the next boot.
func (m *Manager) askBeside(ctx context.Context, r load.Result) {
	fetching, cancel := context.WithTimeout(ctx, datasourceDeadline)
	defer cancel()
	failed := m.fetch(fetching, r)
	if failed != nil {
		m.log.Warn("the datasource is away, its last answer serves", "error", failed)
	}
	// It changes units, which have to be there, and must not meet a change
	// that somebody asks for, or one that is on trial.
	if err := m.graph.Gate("units").Wait(ctx); err != nil {
		return
	}
	err := m.settings.Alone(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, servicesDeadline)
		defer cancel()
		before, err := m.takeAnswer(ctx)
		return errors.Join(err, m.catchUp(ctx, before))
	})
	if err != nil {
		m.log.Error("answer of the datasource", "error", err)
		m.note("datasource", strings.Split(err.Error(), "\n")...)
	}
}

// takeAnswer makes what has been fetched a part of the configuration, with
// what it includes, and returns the configuration before. The network takes
// it at once; the rest waits for the units, this must not.
func (m *Manager) takeAnswer(ctx context.Context) (before load.Result, failed error) {
	ctx, cancel := context.WithTimeout(ctx, datasourceDeadline)
	defer cancel()
	before, after := m.reload(context.WithoutCancel(ctx))
	for range maxIncludes {
		if len(after.Includes) == 0 {
			break
		}
		if err := m.include(ctx, after); err != nil {
			failed = errors.Join(failed, err)
			break
		}
		_, after = m.reload(context.WithoutCancel(ctx))
	}
	m.mu.Lock()
	m.online.linkLocal = false
	m.mu.Unlock()
	m.applyNetwork(after.Config)
	return before, failed
}

// maxIncludes is how deep includes inside each other are followed.
const maxIncludes = 4

func cached(r load.Result) bool {
	return slices.ContainsFunc(r.Probed, func(p datasource.Probe) bool { return p.State == datasource.Cached })
}

// fetch asks the pending sources and keeps what they say.
func (m *Manager) fetch(ctx context.Context, r load.Result) error {
	if len(r.Pending) == 0 {
		return nil
	}
	start := time.Now()
	answer, probed, err := m.loader().Fetch(ctx, r)
	m.mu.Lock()
	m.online.answer, m.online.probed, m.online.asked = answer, probed, true
	m.mu.Unlock()
	if err != nil {
		took := time.Since(start).Round(100 * time.Millisecond)
		return fmt.Errorf("no answer in %s, the boot went on without it: %w", took, err)
	}
	return nil
}

func (m *Manager) include(ctx context.Context, r load.Result) error {
	texts, err := m.loader().FetchIncludes(ctx, r)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.online.included == nil {
		m.online.included = map[string][]byte{}
	}
	maps.Copy(m.online.included, texts)
	return err
}

// unitsOf notes that the units are about to be those of after, and returns
// the configuration whose they are: an answer that came before the units were
// made is in them already. Without a note it is before.
func (m *Manager) unitsOf(before, after osconfig.Config) osconfig.Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.online.units != nil {
		before = *m.online.units
	}
	m.online.units = &after
	return before
}

// stepApplyDatasource applies what the online source changed.
func (m *Manager) stepApplyDatasource(ctx context.Context) error {
	m.mu.Lock()
	before := m.online.before
	m.online.before = nil
	m.mu.Unlock()
	if before == nil {
		return nil
	}
	return m.catchUp(ctx, *before)
}

// catchUp applies what differs between before and the configuration as it is.
// One goes after the other: the last one has then seen the last configuration.
func (m *Manager) catchUp(ctx context.Context, before load.Result) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	after := m.loaded()
	return errors.Join(m.enterInstance(after.InstanceID), m.applyDifference(ctx, before.Config, after.Config))
}

// askLinkLocal says whether a source is to be asked before there is a lease.
func askLinkLocal(r load.Result) bool {
	return slices.ContainsFunc(r.Pending, func(c detect.Choice) bool { return load.NeedsLinkLocal(c.Source) })
}

// tellCloud tells a cloud that waits for it that the machine has started.
func (m *Manager) tellCloud(ctx context.Context) {
	if r := m.loaded(); r.Datasource != "azure" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := azure.Ready(ctx, "", m.imds); err != nil {
		m.log.Warn("the cloud was not told that the machine is ready", "error", err)
	}
}

// dhcpServer waits for the address of the server that gave the first lease.
func (m *Manager) dhcpServer(ctx context.Context) (string, error) {
	for {
		s, changed := m.net.Watch()
		for _, l := range s.Links {
			if l.Lease != nil && l.Lease.Server.IsValid() {
				return l.Lease.Server.String(), nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", errors.New("no link has a lease")
		}
	}
}
