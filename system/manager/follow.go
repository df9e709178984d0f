package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/console/setup"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/supervise"
)

// consoleUp is called when the console is ready: its sshd has greeted, or,
// with sshd turned off, its set-up is done.
func (m *Manager) consoleUp() {
	m.reach("console")
	if on := m.cfg().Rancher.SSH.Daemon; on == nil || *on {
		m.reach("ssh")
	}
}

// engineUp is called when the engine has answered its first ping.
func (m *Manager) engineUp() {
	m.reach("engine")
	version, err := engineVersion(context.Background())
	if err != nil {
		m.log.Warn("cannot ask the engine for its version", "error", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.engine = version
}

// engineVersion asks the engine's API.
func engineVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var v struct{ Version string }
	err := dockerapi.Client{Socket: engine.Socket}.Call(ctx, http.MethodGet, "/version", nil, &v)
	return v.Version, err
}

// setupEvery is how often the console's own report is read. It is one small
// file in RAM, and the console writes it only when something changes.
const setupEvery = 2 * time.Second

// watchSetup turns what the console's set-up could not do into reasons, passes
// on which mounts have come, and keeps the banner of logins.
func (m *Manager) watchSetup(ctx context.Context) {
	tick := time.NewTicker(setupEvery)
	defer tick.Stop()
	var notes []string
	var banner string
	for {
		banner = m.writeBanner(banner)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := m.letGo(filesDeadline); err != nil {
			m.log.Error("containers may not start", "error", err)
		}
		st, err := setup.ReadStatus(setup.StatusPath)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			m.note("console", "console: "+err.Error())
			continue
		}
		var wrong []string
		for _, p := range st.Problems {
			wrong = append(wrong, "console: "+p)
		}
		m.note("console", wrong...)
		for _, n := range st.Notes {
			if !slices.Contains(notes, n) {
				m.log.Warn("the console reports", "note", n)
			}
		}
		notes = st.Notes
		m.tellArrivals(st.Arrived)
		if _, ok := aboutPlan(setup.PlanPath, setup.StatusPath); ok && st.Files {
			var wrong []string
			if err := errors.Join(m.handTree(), m.letGo(0)); err != nil {
				wrong = append(wrong, err.Error())
			}
			m.note("tree", wrong...)
		}
	}
}

// letGo lets containers start again if a restart of the console has withdrawn
// that, and so long ago.
func (m *Manager) letGo(ago time.Duration) error {
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	if m.withdrawn.IsZero() || time.Since(m.withdrawn) < ago {
		return nil
	}
	return m.admit()
}

// known gives the supervisor's errors the kinds that the API answers with.
func known(err error) error {
	switch {
	case errors.Is(err, supervise.ErrUnknown):
		return fmt.Errorf("%w: %w", err, errdefs.ErrNotFound)
	case errors.Is(err, supervise.ErrShutdown), errors.Is(err, supervise.ErrSuperseded):
		return fmt.Errorf("%w: %w", err, errdefs.ErrFailedPrecondition)
	}
	return err
}
