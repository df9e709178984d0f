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
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

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

// tree is the root of console and engine. On its mount points both have
// directories of the machine, the kernel's file systems and the engine's programs.
func tree() view.View {
	points := append(osconfig.LastingDirectories(), "/dev", "/proc", "/run", "/sys", "/tmp", "/usr/lib/modules", engine.Home)
	return view.View{Lower: consoleTree(), Dir: view.Dir, MountPoints: points}
}

// stepTree mounts the tree that console and engine share.
func (m *Manager) stepTree(context.Context) error {
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	if err := tree().Make(); err != nil {
		return err
	}
	m.furnish()
	return bindDirectories(m.cfg())
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

// lendTree gives the tree to a console that starts; see view.Lend. What the
// console before has said about its files is not about this tree.
func (m *Manager) lendTree() error {
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	if err := os.Remove(setup.StatusPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bindable(m.cfg(), m.storage() != state.RAM) {
		err := os.Remove(engine.Go)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			m.withdrawn = time.Now()
		}
	}
	err := tree().Lend()
	lost, ok := errors.AsType[*view.LostError](err)
	if err != nil && !ok {
		return err
	}
	if ok {
		m.note("mounts of the console before", "the console's tree: "+lost.Error())
	} else {
		m.note("mounts of the console before")
	}
	m.furnish()
	return bindDirectories(m.cfg())
}

// handAgain is how long an engine that could not be moved to the console's tree
// keeps the one before until it is tried again.
const handAgain = time.Minute

// handTree moves an engine over to the tree of a console that has started again
// and has put its files in place.
func (m *Manager) handTree() error {
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	return m.hand()
}

// hand is handTree with treeMu held. An engine that waits for the file Go has a
// tree, too.
func (m *Manager) hand() error {
	// Not before: a number that is as old as the wait may be another process's.
	i, err := m.sup.Get(engine.Name)
	if err != nil || i.PID == 0 {
		return nil
	}
	stale, err := tree().Stale(i.PID)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) { // it has ended
		return nil
	}
	if err != nil || !stale {
		m.handFailed = nil
		return err
	}
	if m.handFailed != nil && time.Since(m.handTried) < handAgain {
		return m.handFailed
	}
	m.handTried, m.handFailed = time.Now(), nil
	if err := tree().Hand(i.PID); err != nil {
		m.handFailed = fmt.Errorf("the engine has the tree of the console before: %w; run 'ros service restart docker'", err)
		return m.handFailed
	}
	m.log.Info("the engine has the console's new tree")
	return nil
}

// furnish writes what the machine itself knows into the tree: its ID. A machine
// whose disk is full or read-only has a console all the same.
func (m *Manager) furnish() {
	m.mu.Lock()
	instance := m.config.InstanceID
	m.mu.Unlock()
	id, err := machineID(machineIDFile, instance)
	text := []byte(id + "\n")
	err = errors.Join(err, tree().WriteFile("/etc/machine-id", text, 0o444), atomicfile.WriteFile("/etc/machine-id", text, 0o444))
	if err != nil {
		m.note("machine-id", "machine ID: "+err.Error())
		return
	}
	m.note("machine-id")
}

const machineIDFile = "/var/lib/pharos/machine-id.json"

// machineID is the ID of machine-id(5), made at the first boot. Another
// instance of a machine, made from a snapshot of its disk, has another one. With
// an error there is an ID, too; another boot may have another one.
func machineID(path, instance string) (string, error) {
	var kept struct {
		ID       string `json:"id"`
		Instance string `json:"instance,omitempty"`
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else if err == nil {
		err = json.Unmarshal(text, &kept) // a damaged one is replaced
	}
	damaged := err
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
		return kept.ID, err
	}
	err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), atomicfile.WriteFile(path, append(text, '\n'), 0o600))
	if err != nil {
		return kept.ID, fmt.Errorf("the next boot has another one: %w", errors.Join(damaged, err))
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
	// Also when ctx has ended: containers start then all the same.
	ctx = context.WithoutCancel(ctx)
	if _, errStat := os.Stat(engine.Go); errStat != nil { // else containers run since an earlier manager
		err = errors.Join(err, m.refitEngine(ctx))
	}
	m.treeMu.Lock()
	defer m.treeMu.Unlock()
	return errors.Join(err, m.admit())
}

// admit lets containers start, on the tree that the console has. treeMu is held.
func (m *Manager) admit() error {
	if err := m.hand(); err != nil { // watchSetup notes it
		m.log.Warn("containers start on the tree of the console before", "error", err)
	}
	if err := atomicfile.WriteFile(engine.Go, nil, 0o644); err != nil {
		return err
	}
	m.withdrawn = time.Time{}
	return nil
}

func (m *Manager) storage() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mounted.Device
}

// bindable reports whether a configuration makes something that a container of
// an earlier boot may have bound and that is not there by itself. Without
// state there are no such containers, unless a mount brings them. The engine
// also waits for its own configuration file.
func bindable(c osconfig.Config, hasState bool) bool {
	if len(c.Mounts) > 0 {
		return true
	}
	for _, f := range c.WriteFiles {
		if !f.Defer && (hasState && !osconfig.Lasts(f.Path) || path.Clean(f.Path) == path.Clean(c.Rancher.Docker.ConfigFile)) {
			return true
		}
	}
	if !hasState {
		return false
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

// awaitFiles is the wait of stepFiles for an engine that starts again. What is
// not there after it is the console's to say.
func (m *Manager) awaitFiles(ctx context.Context, c osconfig.Config) {
	if !bindable(c, m.storage() != state.RAM) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	if err := waitFiles(ctx, setup.PlanPath, setup.StatusPath); err != nil {
		m.log.Warn("the engine starts without all files of the configuration", "error", err)
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
