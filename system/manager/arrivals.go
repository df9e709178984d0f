package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/pharos-os/pharos/console/setup"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/services/engine/rebind"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/linux"
)

const (
	// arrivalsFile lists the mounts for which the engine's containers have been
	// looked at. A manager that starts anew restarts no container for them.
	arrivalsFile = runDir + "/arrivals.json"
	// rebindDeadline bounds the wait for an engine that starts, and the restarts
	// of all containers for one mount.
	rebindDeadline = 10 * time.Minute
	// rebindRetry is the pause after a mount whose containers could not be
	// looked at.
	rebindRetry = 30 * time.Second
	// rebindAgain is when containers are looked at once more: one that was
	// just being started may have bound the place before the mount came.
	rebindAgain = 15 * time.Second
)

// tellArrivals tells watchArrivals which mounts are there. Only watchSetup
// calls it.
func (m *Manager) tellArrivals(list []setup.Arrival) {
	select {
	case <-m.arrivals: // an older list
	default:
	}
	m.arrivals <- list
}

// watchArrivals restarts the containers that do not see a mount which has come
// from a server after they had bound its place.
func (m *Manager) watchArrivals(ctx context.Context) error {
	handled, err := readArrivals(arrivalsFile)
	if err != nil {
		m.log.Warn("mounts from servers are looked at again", "error", err)
	}
	// Which units there are is known then.
	if err := m.condition("units").Wait(ctx); err != nil {
		return err
	}
	done := map[setup.Arrival]map[string]bool{} // containers by mount
	for {
		var list []setup.Arrival
		select {
		case list = <-m.arrivals:
		case <-ctx.Done():
			return ctx.Err()
		}
		now, fresh := compareArrivals(handled, list)
		for _, a := range fresh {
			if done[a] == nil {
				done[a] = map[string]bool{}
			}
			if err := m.rebind(ctx, a, done[a]); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				m.log.Warn("containers are not restarted for a mount yet", "mount", a.Point, "error", err)
				if err := pause(ctx, rebindRetry); err != nil {
					return err
				}
				continue
			}
			delete(done, a)
			now = append(now, a)
		}
		if !slices.Equal(handled, now) {
			if err := writeArrivals(arrivalsFile, now); err != nil {
				m.log.Warn("list of mounts from servers not written", "error", err)
			}
		}
		handled = now
	}
}

// compareArrivals returns which of the handled mounts are still there, and
// which of the list are new, both in their order.
func compareArrivals(handled, list []setup.Arrival) (now, fresh []setup.Arrival) {
	for _, a := range handled {
		if slices.Contains(list, a) {
			now = append(now, a)
		}
	}
	for _, a := range list {
		if !slices.Contains(handled, a) {
			fresh = append(fresh, a)
		}
	}
	return now, fresh
}

func readArrivals(path string) ([]setup.Arrival, error) {
	var list []setup.Arrival
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func writeArrivals(path string, list []setup.Arrival) error {
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, append(text, '\n'), 0o600)
}

// rebind restarts the containers for one mount, as soon as the engine answers.
func (m *Manager) rebind(ctx context.Context, a setup.Arrival, done map[string]bool) error {
	m.mu.Lock()
	g, down := m.units[engine.Name], m.goingDown != ""
	m.mu.Unlock()
	if g == nil || down { // turned off
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rebindDeadline)
	defer cancel()
	if err := g.Wait(ctx); err != nil {
		return err
	}
	for _, after := range []time.Duration{0, rebindAgain} {
		if err := pause(ctx, after); err != nil {
			return err
		}
		err := m.rebindNow(ctx, a, done)
		for errors.Is(err, dockerapi.ErrAway) && ctx.Err() == nil {
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
			err = m.rebindNow(ctx, a, done)
		}
		if errors.Is(err, rebind.ErrUnseen) { // unmounted, or kept from the engine
			m.log.Warn("no container is restarted for a mount", "mount", a.Point, "error", err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) rebindNow(ctx context.Context, a setup.Arrival, done map[string]bool) error {
	unit, err := m.sup.Get(engine.Name)
	if err != nil {
		return err
	}
	if unit.PID == 0 {
		return dockerapi.ErrAway
	}
	e := rebind.Engine{
		Client: dockerapi.Client{Socket: engine.Socket},
		Root:   fmt.Sprintf("/proc/%d/root", unit.PID),
		Own:    func() ([]linux.MountInfo, error) { return linux.MountsOf(unit.PID) },
		Of:     func(pid int) ([]linux.MountInfo, error) { return linux.MountsInside(unit.PID, pid) },
		Log:    m.log,
	}
	return e.Restart(ctx, rebind.Mount{Point: a.Point, Device: a.Device}, done)
}

// pause returns when a time has passed, or with an error when ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
