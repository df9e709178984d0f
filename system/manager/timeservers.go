package manager

import (
	"context"
	"net/netip"
	"slices"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// watchTimeServers tells chronyd the time servers whenever leases change, for
// as long as ctx lasts. What the configuration says of them is written with
// the other settings, before chronyd can start.
func (m *Manager) watchTimeServers(ctx context.Context) error {
	for {
		s, changed := m.net.Watch()
		if r := m.loaded(); len(r.Sources) > 0 {
			m.setTimeServers(r.Config, s)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setTimeServers joins the configuration's and the leases'. A chronyd that
// does not take them is a reason to be degraded until it does.
func (m *Manager) setTimeServers(c osconfig.Config, s netconf.State) {
	spec, _ := m.networkSpec(c) // what is wrong with it is noted by applyNetwork
	if err := m.chrony.Set(c.NTP, leasedTimeServers(s, spec)); err != nil {
		m.note("time servers", err.Error())
		return
	}
	m.note("time servers")
}

// leasedTimeServers are those of all leases, in order of links, but for links
// whose use_ntp is false.
func leasedTimeServers(s netconf.State, spec netconf.Spec) []netip.Addr {
	var out []netip.Addr
	for _, l := range s.Links {
		ignored := slices.ContainsFunc(spec.Links, func(want netconf.LinkSpec) bool {
			return want.Key == l.Key && want.DHCPOptions.IgnoreNTP
		})
		if l.Lease != nil && !ignored {
			out = append(out, l.Lease.NTP...)
		}
		if l.Lease6 != nil && !ignored {
			out = append(out, l.Lease6.NTP...)
		}
	}
	return out
}
