package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp"
	"github.com/pharos-os/pharos/netconf/dhcp6"
	"github.com/pharos-os/pharos/netconf/hooks"
	"github.com/pharos-os/pharos/netconf/ipv4ll"
	"github.com/pharos-os/pharos/netconf/leasefile"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/control/api"
)

const (
	// onlineWait bounds how long `ros network apply` waits for the network.
	onlineWait = 30 * time.Second
	// renewWait bounds how long `ros network renew` waits for an answer.
	renewWait = 20 * time.Second
)

// leaseDir keeps leases over a reboot, where there is a state partition. It is
// read and written no earlier than there is a configuration, which comes from
// the same place.
const leaseDir = "/var/lib/pharos/leases"

// newNetwork is netconf with everything that it drives.
func (m *Manager) newNetwork(kernel netconf.Kernel, component func(string) *slog.Logger) *netconf.Manager {
	return netconf.New(kernel, dhcp.New(dhcp.Options{Log: component("dhcp")}), m.names, netconf.Options{
		Log:        component("network"),
		DHCP6:      dhcp6.New(dhcp6.Options{Log: component("dhcp6")}),
		LinkLocal4: ipv4ll.New(ipv4ll.Options{Log: component("ipv4ll")}),
		Leases:     leasefile.New(leaseDir, leasefile.Options{Log: component("leases")}),
		Runner:     hooks.New(hooks.Options{Tree: consoleTree(), Environment: m.proxyEnvironment, Log: component("hooks")}),
	})
}

// proxyEnvironment is what the network's commands get.
func (m *Manager) proxyEnvironment() []string {
	c := m.cfg()
	return c.Rancher.Network.Proxies(c.Rancher.Environment).Environment()
}

// networkSpec is what a configuration wants of the network; the errors are
// values that are left out.
func (m *Manager) networkSpec(c osconfig.Config) (netconf.Spec, []error) {
	spec, errs := netconf.FromConfig(c.Rancher.Network)
	spec.Hostname, spec.FQDN = c.Hostname, c.FQDN
	m.mu.Lock()
	defer m.mu.Unlock()
	spec.LinkLocal = m.online.linkLocal
	return spec, errs
}

// applyNetwork hands the network of a configuration to netconf, which takes it
// from there. The firewall comes first: an address that nobody filters must
// not be there for a moment.
func (m *Manager) applyNetwork(c osconfig.Config) {
	if err := m.filter(c); err != nil { // it is noted already
		m.log.Error("cannot set the firewall", "error", err)
	}
	var wrong []string
	if m.isGuarded() { // the guard knows our bridges before they are there
		if err := m.forward(c); err != nil {
			wrong = append(wrong, "network: "+err.Error())
		}
	}
	spec, errs := m.networkSpec(c)
	for _, err := range errs {
		wrong = append(wrong, "network: "+err.Error())
	}
	m.note("network configuration", wrong...)
	m.net.Apply(spec)
}

// NetworkPlan says what applying the files would change.
func (m *Manager) NetworkPlan(text string) (api.NetworkPlan, error) {
	after, d, err := m.settings.NetworkDiff(text)
	if err != nil {
		return api.NetworkPlan{}, err
	}
	changes, problems := m.networkChanges(after)
	return api.NetworkPlan{Keys: d.Changes, Changes: changes, Problems: append(d.Problems, problems...)}, nil
}

// networkChanges is what the kernel would be told for a configuration, and
// what of it cannot be done.
func (m *Manager) networkChanges(c osconfig.Config) (out []api.NetworkChange, problems []string) {
	spec, _ := m.networkSpec(c) // what is wrong with it is a problem of the file already
	rules, errFilter := m.filterPlan(c)
	for _, line := range rules {
		out = append(out, api.NetworkChange{Text: line})
	}
	plan, err := m.net.PlanFor(spec)
	for _, op := range plan {
		out = append(out, api.NetworkChange{Link: op.Link.Name, Text: op.String()})
	}
	if err := errors.Join(errFilter, err); err != nil {
		problems = strings.Split(err.Error(), "\n")
	}
	return out, problems
}

// NetworkApply applies rancher.network of the files.
func (m *Manager) NetworkApply(ctx context.Context, who string) (api.NetworkApplied, error) {
	if !m.isBooted() {
		return api.NetworkApplied{}, errBooting()
	}
	after, _, err := m.settings.NetworkDiff("")
	if err != nil {
		return api.NetworkApplied{}, err
	}
	changes, _ := m.networkChanges(after) // what cannot be done is told afterwards
	start := time.Now()
	d, err := m.settings.ApplyNetwork(ctx, who)
	if err != nil {
		return api.NetworkApplied{}, err
	}
	if !slices.ContainsFunc(d.Changes, func(c api.ConfigChange) bool { return c.Key != "" }) {
		m.retryNetwork()
	}
	ctx, cancel := context.WithTimeout(ctx, onlineWait)
	defer cancel()
	s := m.waitNetwork(ctx, start)
	return api.NetworkApplied{
		NetworkPlan: api.NetworkPlan{Keys: d.Changes, Changes: changes, Problems: slices.Concat(d.Problems, s.Problems)},
		Online:      s.Online, Waiting: s.Waiting,
	}, nil
}

// retryNetwork tries again what the kernel has refused. Somebody may have
// applied another configuration meanwhile; that one counts.
func (m *Manager) retryNetwork() {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.applyNetwork(m.cfg())
}

// errBooting refuses what the boot does by itself.
func errBooting() error {
	return fmt.Errorf("the boot is not done yet (ros status); try again after it: %w", errdefs.ErrUnavailable)
}

// waitNetwork waits until the network is online with what has been applied
// since start, or until ctx ends.
func (m *Manager) waitNetwork(ctx context.Context, start time.Time) netconf.State {
	for {
		s, changed := m.net.Watch()
		if s.Online && !s.Applied.Before(start) {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s
		}
	}
}

// NetworkRenew asks for a link's leases anew and waits for the answer.
func (m *Manager) NetworkRenew(ctx context.Context, name string) (api.NetworkLink, error) {
	s, changed := m.net.Watch()
	before, ok := linkState(s, name)
	if !ok {
		return api.NetworkLink{}, fmt.Errorf("there is no link %q; see: ros network status: %w", name, errdefs.ErrNotFound)
	}
	if err := m.net.Renew(name); err != nil {
		return api.NetworkLink{}, fmt.Errorf("%w: %w", err, errdefs.ErrFailedPrecondition)
	}
	ctx, cancel := context.WithTimeout(ctx, renewWait)
	defer cancel()
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			if now, ok := linkState(s, name); ok && leasesOf(before).any(leasesOf(now)) {
				return m.report().link(now), nil // the other one says what it does
			}
			return api.NetworkLink{}, fmt.Errorf("%s: no new lease in %s, it is asked for on: %w", name, renewWait, errdefs.ErrUnavailable)
		}
		s, changed = m.net.Watch()
		after, ok := linkState(s, name)
		switch {
		case !ok:
			return api.NetworkLink{}, fmt.Errorf("link %s is gone: %w", name, errdefs.ErrNotFound)
		case leasesOf(before).renewed(leasesOf(after)):
			return m.report().link(after), nil
		}
	}
}

func linkState(s netconf.State, name string) (netconf.LinkState, bool) {
	i := slices.IndexFunc(s.Links, func(l netconf.LinkState) bool { return l.Name == name })
	if i < 0 {
		return netconf.LinkState{}, false
	}
	return s.Links[i], true
}

// leases are when those of a link were granted; zero: there is none.
type leases struct{ v4, v6 time.Time }

// any tells whether a lease has been granted anew.
func (l leases) any(after leases) bool { return after.v4.After(l.v4) || after.v6.After(l.v6) }

// renewed tells whether each lease that there was has been granted anew, and
// any at all.
func (l leases) renewed(after leases) bool {
	return l.any(after) && (l.v4.IsZero() || after.v4.After(l.v4)) && (l.v6.IsZero() || after.v6.After(l.v6))
}

func leasesOf(l netconf.LinkState) leases {
	var out leases
	if l.Lease != nil {
		out.v4 = l.Lease.Acquired
	}
	if l.Lease6 != nil {
		out.v6 = l.Lease6.Acquired
	}
	return out
}
