package manager

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pharos-os/pharos/console/setup"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/ctrd"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
	"github.com/pharos-os/pharos/system/view"
)

// consoleTree is the console's image: it has what the machine itself and the
// other images do without, as zones and certificates.
func consoleTree() string { return filepath.Join(ctrd.DefaultPaths().Images, "console/rootfs") }

// tree is the root of console and engine.
func tree() view.View { return view.View{Lower: consoleTree(), Dir: view.Dir} }

// stepTree mounts the tree that console and engine share.
func (m *Manager) stepTree(context.Context) error {
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	if err := tree().Make(); err != nil {
		return err
	}
	return errors.Join(m.furnish(), bindDirectories(m.cfg()))
}

// bindDirectories lets the directories of rancher.state.directories last.
func bindDirectories(c osconfig.Config) error {
	var errs []error
	for _, dir := range c.Rancher.State.Directories {
		if err := tree().Bind(state.Extra(dir), dir); err != nil {
			errs = append(errs, fmt.Errorf("rancher.state.directories: %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// lendTree gives the tree to a console that starts; see view.Lend.
func (m *Manager) lendTree() error {
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	if err := tree().Lend(); err != nil {
		return err
	}
	return m.furnish()
}

// handTree moves a running engine over to the tree of a console that has
// started again and has put its files in place.
func (m *Manager) handTree() error {
	i, err := m.sup.Get("docker")
	if err != nil || i.PID == 0 || i.State != supervise.Running {
		return nil
	}
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	stale, err := tree().Stale(i.PID)
	if errors.Is(err, fs.ErrNotExist) { // it has ended
		return nil
	}
	if err != nil || !stale {
		return err
	}
	if err := tree().Hand(i.PID); err != nil {
		return fmt.Errorf("the engine keeps the tree of the console before: %w; run 'ros service restart docker'", err)
	}
	m.log.Info("the engine has the console's new tree")
	return nil
}

// furnish writes what the machine itself knows into the tree: its ID.
func (m *Manager) furnish() error {
	m.mu.Lock()
	instance := m.config.InstanceID
	m.mu.Unlock()
	id, err := machineID(machineIDFile, instance)
	if err != nil {
		return err
	}
	for _, path := range []string{filepath.Join(view.Root, "etc/machine-id"), "/etc/machine-id"} {
		if err := atomicfile.WriteFile(path, []byte(id+"\n"), 0o444); err != nil {
			return fmt.Errorf("machine ID: %w", err)
		}
	}
	return nil
}

const machineIDFile = "/var/lib/pharos/machine-id.json"

// machineID is the ID of machine-id(5), made at the first boot. Another
// instance of a machine, made from a snapshot of its disk, has another one.
func machineID(path, instance string) (string, error) {
	var kept struct {
		ID       string `json:"id"`
		Instance string `json:"instance,omitempty"`
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("machine ID: %w", err)
	}
	other := kept.Instance != "" && instance != "" && kept.Instance != instance
	if kept.ID != "" && !other && (instance == "" || kept.Instance == instance) {
		return kept.ID, nil
	}
	if kept.ID == "" || other {
		raw := make([]byte, 16)
		rand.Read(raw) // never fails
		kept.ID = hex.EncodeToString(raw)
	}
	if instance != "" {
		kept.Instance = instance
	}
	if text, err = json.Marshal(kept); err != nil {
		return "", fmt.Errorf("machine ID: %w", err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), atomicfile.WriteFile(path, append(text, '\n'), 0o600)); err != nil {
		return "", fmt.Errorf("machine ID: %w", err)
	}
	return kept.ID, nil
}

// stepFiles lets the engine's containers start: at once, or when the console
// has put in place what they may bind.
func (m *Manager) stepFiles(ctx context.Context) error {
	var err error
	if bindable(m.cfg(), m.storage() != state.RAM) {
		err = waitFiles(ctx, setup.PlanPath, setup.StatusPath)
	}
	return errors.Join(err, atomicfile.WriteFile(engine.Go, nil, 0o644))
}

func (m *Manager) storage() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mounted.Device
}

// bindable reports whether a configuration makes something that a container of
// an earlier boot may have bound and that is not there by itself. Without
// state there are no such containers, unless a mount brings them.
func bindable(c osconfig.Config, hasState bool) bool {
	if len(c.Mounts) > 0 {
		return true
	}
	if !hasState {
		return false
	}
	for _, f := range c.WriteFiles {
		if !f.Defer && !osconfig.Lasts(f.Path) {
			return true
		}
	}
	return len(c.Users) > 0 || len(c.Groups) > 0 || c.Timezone != "" || len(c.CACerts.Trusted) > 0 || c.CACerts.RemoveDefaults
}

// waitFiles waits until the console has said that the files and local mounts
// of the plan as it stands are in place.
func waitFiles(ctx context.Context, plan, status string) error {
	tick := time.NewTicker(100 * time.Millisecond) // a file that is replaced
	defer tick.Stop()
	for {
		if st, ok := aboutPlan(plan, status); ok && st.Files {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// onTree gives console and engine their root.
type onTree struct {
	runner
	lend func() error
}

func (r onTree) Start(ctx context.Context, u unit.Unit) (supervise.Process, error) {
	if u.Name == "console" {
		if err := r.lend(); err != nil {
			return nil, err
		}
	}
	return r.runner.Start(ctx, u)
}
