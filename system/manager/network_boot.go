package manager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/system/control/api"
)

// stepNetwork hands netconf what is wanted and waits until it is there. It
// does not wait for drivers: netconf takes each link as soon as it shows up.
func (m *Manager) stepNetwork(ctx context.Context) error {
	m.applyNetwork(m.cfg())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go m.missLinks(ctx, cancel)
	go m.tellWaiting(ctx)
	if err := m.net.WaitOnline(ctx); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// networkPatience is how long the boot waits for the network without a word.
const networkPatience = 5 * time.Second

// tellWaiting says on the consoles what a boot waits for, and how long at
// most: nobody can log in over a network that is not there.
func (m *Manager) tellWaiting(ctx context.Context) {
	select {
	case <-time.After(networkPatience):
	case <-ctx.Done():
		return
	}
	m.mu.Lock()
	waiting, getty := m.waiting(m.net.State()), m.units["console"] != nil
	m.mu.Unlock()
	for _, w := range waiting {
		if !strings.HasPrefix(w, "network: ") {
			continue
		}
		if err := m.console.Print("pharos: "+w, getty); err != nil {
			m.log.Warn("cannot write to the console", "error", err)
		}
	}
}

// missLinks ends the boot's wait when all drivers are there and none has made
// a link. One that is plugged in later is taken all the same.
func (m *Manager) missLinks(ctx context.Context, end context.CancelCauseFunc) {
	for _, step := range []string{"drivers", "udev-settled"} {
		if m.graph.Gate(step).Wait(ctx) != nil {
			return
		}
	}
	s, changed := m.net.Watch()
	for s.Applied.IsZero() { // it has not looked yet
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		s, changed = m.net.Watch()
	}
	if !slices.ContainsFunc(s.Links, func(l netconf.LinkState) bool { return !l.Loopback }) {
		end(errors.New("this machine has no network link"))
	}
}

// watchOnline marks the milestone whenever the network first gets there, also
// after the boot has stopped waiting.
func (m *Manager) watchOnline(ctx context.Context) {
	if m.net.WaitOnline(ctx) == nil {
		m.reach("network")
	}
}

// linkStages are how far each link that is configured has got, from the
// moment that its driver had made it: to its carrier, and from there to all
// that is configured for it. What came after end, seconds since kernel start,
// is no part of the boot; 0 is no end yet.
func linkStages(s netconf.State, c clock, end float64) []api.Stage {
	var out []api.Stage
	add := func(name string, start, stop float64, waits bool) {
		if start == 0 || end > 0 && start > end || stop == 0 && !waits {
			return
		}
		if end > 0 && stop > end {
			stop = 0 // it was still at it when the boot was done
		}
		out = append(out, api.Stage{Name: name, Lane: "network", Start: start, End: stop})
	}
	for _, l := range s.Links {
		if l.Key == "" || l.Loopback {
			continue
		}
		waits := len(l.Waiting) > 0
		seen, carrier, configured := c.at(l.Seen), c.at(l.CarrierAt), c.at(l.Configured)
		add(l.Name+" carrier", seen, carrier, waits)
		if configured > 0 && configured < carrier { // it needs no carrier
			carrier = seen
		}
		if l.Required || l.LeaseState != "" || l.Lease6State != "" {
			add(l.Name+" address", carrier, configured, waits)
		}
	}
	return out
}
