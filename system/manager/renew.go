package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/change"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// markRenewal looks for a change of the engine's unit that reaches process 1
// without a restart of the unit, which would end all containers: dockerd alone
// starts anew, or only the time differs that containers have to stop.
func markRenewal(changes []unitChange, units []unit.Unit, before, after osconfig.Engine) {
	at := slices.IndexFunc(units, func(u unit.Unit) bool { return u.Name == engine.Name })
	to := slices.IndexFunc(changes, func(c unitChange) bool { return c.unit.Name == engine.Name && c.how == unitRestarts })
	if at < 0 || to < 0 {
		return
	}
	old, c := units[at], &changes[to]
	same := old
	same.Args = c.unit.Args
	switch {
	case !reflect.DeepEqual(content(same), content(c.unit)):
	case engine.SameDaemon(old.Args, c.unit.Args):
		c.how = unitRetimed
	case change.DaemonOnly(before, after) && !engine.LosesContainers(old) && !engine.LosesContainers(c.unit):
		c.how = unitRenews
	}
}

// renewal is how the engine's process 1 is given other arguments for dockerd.
type renewal struct {
	file  string // with the arguments; process 1 watches it
	run   string // where dockerd's process number is
	check func(context.Context, unit.Probe) error
	// redefine makes the running container count as one of the new definition.
	// Otherwise the next rosd replaces it, and all containers end.
	redefine func(context.Context, unit.Unit) error
}

func (m *Manager) newRenewal() renewal {
	return renewal{file: engine.Renewal, run: filepath.Dir(engine.Socket), check: supervise.Check, redefine: m.containers.Redefine}
}

// renewEngine starts dockerd anew in a running engine. An engine that does not
// run yet has no containers that a restart would end.
func (m *Manager) renewEngine(ctx context.Context, u unit.Unit, r renewal) error {
	if err := m.sup.Replace(u); err != nil {
		return err
	}
	i, err := m.sup.Get(u.Name)
	if err != nil {
		return err
	}
	if i.State != supervise.Running {
		return m.sup.Restart(ctx, u.Name)
	}
	return r.carryOut(ctx, u)
}

// retimeEngine tells process 1 how long containers have to stop. One that is not
// there gets it when it starts.
func (m *Manager) retimeEngine(ctx context.Context, u unit.Unit, r renewal) error {
	if err := m.sup.Replace(u); err != nil {
		return err
	}
	i, err := m.sup.Get(u.Name)
	if err != nil || i.PID == 0 {
		return err
	}
	return r.tell(ctx, u)
}

// tell gives process 1 the unit's arguments.
func (r renewal) tell(ctx context.Context, u unit.Unit) error {
	text, err := json.Marshal(u.Args[1:])
	if err != nil {
		return fmt.Errorf("arguments of the engine: %w", err)
	}
	if err := r.redefine(ctx, u); err != nil {
		return fmt.Errorf("the engine keeps its arguments: %w; run 'ros service restart docker', which restarts containers", err)
	}
	return atomicfile.WriteFile(r.file, text, 0o600)
}

// carryOut returns when the new dockerd answers.
func (r renewal) carryOut(ctx context.Context, u unit.Unit) error {
	before := r.dockerd()
	if err := r.tell(ctx, u); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, u.Ready.Timeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond) // a file of somebody else's
	defer tick.Stop()
	err := errors.New("the one before has not ended")
	for {
		if now := r.dockerd(); now != before && now != "" {
			if err = r.check(ctx, u.Ready); err == nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("dockerd with the new configuration does not answer: %w; run 'ros logs docker'", err)
		}
	}
}

// dockerd is the process number of dockerd, as the engine sees it. Containers
// may write there.
func (r renewal) dockerd() string {
	text, err := beneath.ReadFile(r.run, "docker.pid", 64)
	if err != nil { // between two of them
		return ""
	}
	return string(text)
}
