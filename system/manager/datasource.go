package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/azure"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/state"
)

// The second pass. A source that needs a network is asked while everything
// else starts on what the first pass knows: the user engine does not wait for
// it, for most user-data say nothing about the engine, and a service that is
// away must not cost half a minute without one. What the answer changes is
// applied as a difference, as `ros config apply` does; where it changes the
// engine's options, the engine starts anew, before the boot counts as done.
// At the next boot the kept answer is part of the first pass, so that happens
// once in the life of an instance.

const (
	// datasourceDeadline ends the boot's wait for an online source.
	datasourceDeadline = 30 * time.Second
	// fetchMargin is left of it for making a configuration of the answer.
	fetchMargin = 500 * time.Millisecond
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
		KeepLastGood: m.mounted.Device != "" && m.mounted.Device != state.RAM,
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
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-fetchMargin))
		defer cancel()
	}
	failed := m.fetch(ctx, r)
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
	m.online.before, m.online.linkLocal = &before, false
	m.mu.Unlock()
	m.applyNetwork(after.Config) // the rest waits for the units, this must not
	if failed != nil && cached(after) {
		m.log.Warn("the datasource is away, its last answer serves", "error", failed)
		return nil
	}
	return failed
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
		m.log.Warn("ready report", "error", err)
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

// newIMDS is how metadata services are asked: by every link at once. Which of
// several leads to the service is not known before it has said so.
func newIMDS(o imds.Options, links func() []string) imds.Options {
	d := linkDialer{links: links, dial: dialBy, every: 100 * time.Millisecond}
	o.HTTP = &http.Client{Transport: &http.Transport{
		DialContext: d.DialContext, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 10 * time.Second,
	}}
	return o
}

// upLinks are the links with an IPv4 address.
func (m *Manager) upLinks() []string {
	var names []string
	for _, l := range m.net.State().Links {
		has := slices.ContainsFunc(l.Addresses, func(a netconf.Address) bool { return a.Prefix.Addr().Is4() })
		if !l.Loopback && l.Carrier && has {
			names = append(names, l.Name)
		}
	}
	return names
}

// isLinkLocal says whether HOST:PORT is on the link itself.
func isLinkLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && strings.HasPrefix(host, "169.254.")
}
