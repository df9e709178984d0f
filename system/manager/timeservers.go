package manager

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/system/control/api"
)

// timesRetry is the time until what chronyd has not taken is told again.
const timesRetry = 30 * time.Second

// confirmWait is how long the time servers of a manager before this one stay
// without a word from those that leased them.
const confirmWait = time.Minute

// watchTimeServers tells chronyd the time servers whenever leases change, for
// as long as ctx lasts. What the configuration says of them is written with
// the other settings, before chronyd can start.
func (m *Manager) watchTimeServers(ctx context.Context) error {
	for {
		_, changed := m.net.Watch()
		if len(m.loaded().Sources) > 0 {
			m.setTimeServers()
		}
		select {
		case <-changed:
		case <-m.timesAgain:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setTimeServers joins the configuration's and the leases'. A chronyd that
// does not take them is a reason to be degraded until it does. Whoever calls
// it last has seen the newest of both.
func (m *Manager) setTimeServers() {
	m.times.Lock()
	defer m.times.Unlock()
	c, s := m.cfg(), m.net.State()
	if len(c.NTP.Servers)+len(c.NTP.Pools) == 0 && unconfirmed(s, time.Now()) && m.chrony.Told() {
		m.timeServersIn(confirmWait)
		return // a manager before this one knew the leases
	}
	spec, _ := m.networkSpec(c) // what is wrong with it is noted by applyNetwork
	if err := m.chrony.Set(c.NTP, leasedTimeServers(s, spec)); err != nil {
		m.note("time servers", err.Error())
		m.timeServersIn(timesRetry)
		return
	}
	m.note("time servers")
}

// timeServersIn makes watchTimeServers look again after a while.
func (m *Manager) timeServersIn(wait time.Duration) {
	time.AfterFunc(wait, func() {
		select {
		case m.timesAgain <- struct{}{}:
		default:
		}
	})
}

// unconfirmed tells whether leases of a manager before this one may still be
// good: their addresses are there, and their servers have not answered yet.
func unconfirmed(s netconf.State, now time.Time) bool {
	return s.Applied.IsZero() || now.Before(s.Applied.Add(confirmWait)) && slices.ContainsFunc(s.Links, func(l netconf.LinkState) bool {
		return l.Source == api.SourceDHCP && l.Lease == nil
	})
}

// leasedTimeServers are those of all leases, in order of links, but for links
// whose use_ntp is false.
func leasedTimeServers(s netconf.State, spec netconf.Spec) []netip.Addr {
	var out []netip.Addr
	for _, l := range s.Links {
		ignored := slices.ContainsFunc(spec.Links, func(want netconf.LinkSpec) bool {
			return want.Key == l.Key && want.DHCPOptions.IgnoreNTP
		})
		if lease := leaseInUse(l); lease != nil && !ignored {
			out = append(out, lease.NTP...)
		}
		if l.Lease6 != nil && !ignored {
			out = append(out, l.Lease6.NTP...)
		}
	}
	return out
}
