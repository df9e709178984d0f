package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
	"github.com/pharos-os/pharos/system/view"
)

// inConsole is a directory by its path in the console and the engine: on their
// tree, or on one of the machine's directories that are mounted there.
func inConsole(name string) beneath.Place {
	mounts := map[string]string{}
	for _, dir := range append(osconfig.LastingDirectories(), "/run", "/tmp") {
		mounts[dir] = dir
	}
	return beneath.Place{Root: beneath.Root{Tree: view.Root, Mounts: mounts}, Path: name}
}

// maxUserFile bounds the file that rancher.docker.config_file names, in bytes.
const maxUserFile = 1 << 20

// engineRoot is the data root with which the engine starts. The file that
// rancher.docker.config_file names may move it; containers can write there.
func (m *Manager) engineRoot(e osconfig.Engine) string {
	configured := engine.DataRoot(e, nil)
	if e.ConfigFile == "" {
		return configured
	}
	// Without the file, or with one that cannot be read, the engine starts
	// with the configuration, and says so.
	return look(&m.looks, rootName(e), configured, func() string {
		text, _ := inConsole("/").Root.ReadFile(e.ConfigFile, maxUserFile)
		return engine.DataRoot(e, text)
	})
}

// rootName names the look at the data root: what it depends on.
func rootName(e osconfig.Engine) string {
	return "data root " + engine.DataRoot(e, nil) + " with " + e.ConfigFile
}

// withoutLinks is where a path leads in the console and the engine, as far as
// that exists by now.
func (m *Manager) withoutLinks(name string) string {
	return look(&m.looks, "links in "+name, name, func() string {
		at, err := inConsole("/").Root.Resolve(name)
		if err != nil {
			return name
		}
		return at
	})
}

// swarmDir is where dockerd keeps the state of its swarm below a data root.
func swarmDir(root string) beneath.Place { return inConsole(path.Join(root, engine.SwarmDir)) }

// hasSwarm reports whether dockerd has the state of a swarm on disk.
func (m *Manager) hasSwarm(c osconfig.Config) bool {
	return m.hasSwarmIn(m.engineRoot(c.Rancher.Docker))
}

// hasSwarmIn is hasSwarm for a data root. A state that cannot be read counts as
// one: dockerd without a swarm starts with the options for a swarm, but dockerd
// in a swarm does not start without them.
func (m *Manager) hasSwarmIn(root string) bool {
	return look(&m.looks, "swarm in "+root, true, func() bool {
		has, err := swarmDir(root).Has(engine.SwarmState)
		return has || err != nil
	})
}

// lookDeadline bounds a look at the engine's files. It takes milliseconds; a
// file system that does not answer must not hold up the services.
const lookDeadline = 3 * time.Second

// looks are the looks at the engine's files that are on the way, and what was
// last seen.
type looks struct {
	flights singleflight.Group
	// file keeps what was seen for the next rosd: the container that it finds was
	// made with that. Empty is none.
	file string

	mu   sync.Mutex
	seen map[string]any // by the name of the look; nil before the file is read
}

// last is what was last seen, nil if nothing was.
func (l *looks) last(name string) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	return l.seen[name]
}

// remember keeps an answer. Without the file the next rosd has to look itself.
func (l *looks) remember(name string, answer any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	if was, ok := l.seen[name]; ok && was == answer {
		return
	}
	l.seen[name] = answer
	if text, err := json.Marshal(l.seen); err == nil && l.file != "" {
		_ = atomicfile.WriteFile(l.file, text, 0o600)
	}
}

// load reads the file once. l.mu is held.
func (l *looks) load() {
	if l.seen != nil {
		return
	}
	if text, err := os.ReadFile(l.file); err != nil || json.Unmarshal(text, &l.seen) != nil || l.seen == nil {
		l.seen = map[string]any{}
	}
}

// look returns what f says about something. If that takes too long it returns
// what was last seen, or late if nothing was: another answer would define the
// running engine anew, and end its containers. Each f may hold a thread for as
// long as a file system does not answer, so whoever asks the same again waits for
// the one that is on the way. What has one name has answers of one type.
func look[T bool | string](on *looks, name string, late T, f func() T) T {
	deadline := time.NewTimer(lookDeadline)
	defer deadline.Stop()
	seen := func() (any, error) {
		answer := f()
		on.remember(name, answer)
		return answer, nil
	}
	select {
	case res := <-on.flights.DoChan(name, seen):
		answer, _ := res.Val.(T) // T by the name
		return answer
	case <-deadline.C:
		if last, ok := on.last(name).(T); ok {
			return last
		}
		return late
	}
}

// found is what the engine's definition depends on besides the configuration.
type found struct {
	swarm bool   // dockerd has the state of a swarm on disk
	root  string // the data root, without links
}

func (m *Manager) find(e osconfig.Engine) found {
	root := m.engineRoot(e)
	return found{swarm: m.hasSwarmIn(root), root: m.withoutLinks(root)}
}

// needs is what the engine's data root requires of its start.
type needs struct {
	swarm   bool   // the options for a swarm
	devices bool   // udev first: containers name devices that do not exist yet
	root    string // without links: what is mounted there stays in the engine
}

// engineNeeds is what was found when the engine's unit was defined.
func (m *Manager) engineNeeds() needs {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.needs
}

// lookAtDataRoot finds out what the engine needs, and reports whether that is
// another thing or more than before. A device that has come meanwhile changes nothing.
func (m *Manager) lookAtDataRoot(c osconfig.Config) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookDeadline)
	defer cancel()
	root := m.engineRoot(c.Rancher.Docker)
	missing, err := engine.MissingDevices(ctx, inConsole(root), "/dev")
	if err != nil {
		m.log.Warn("the engine does not wait for devices of containers", "error", err)
	}
	if len(missing) > 0 {
		m.log.Info("the engine waits for devices of containers", "missing", missing)
	}
	now := needs{swarm: m.hasSwarmIn(root), devices: len(missing) > 0, root: m.withoutLinks(root)}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.needs
	now.swarm, now.devices = before.swarm || now.swarm, before.devices || now.devices
	m.needs = now
	return m.needs != before
}

// refitDeadline bounds the end of the engine's first process, which only waits.
const refitDeadline = 20 * time.Second

// refitEngine defines the engine anew if its data root needs something else
// than when the units were defined: the root may be on a disk that the console
// has mounted since. It returns when the engine's first process, which waits for
// the file Go and has no containers, has made room for another one.
func (m *Manager) refitEngine(ctx context.Context) error {
	c := m.cfg()
	i, err := m.sup.Get(engine.Name)
	if err != nil || i.State == supervise.Running { // it is off, or does not wait
		return nil
	}
	if !m.lookAtDataRoot(c) {
		return nil
	}
	units := m.definitions(c)
	at := slices.IndexFunc(units, func(u unit.Unit) bool { return u.Name == engine.Name })
	if at < 0 {
		return nil
	}
	m.log.Info("the engine is defined anew: its data root has been mounted")
	if err := m.loadSwarmModules(c); err != nil {
		m.log.Warn("kernel modules of the swarm", "error", err)
	}
	if m.engineNeeds().devices {
		m.launched.Open() // udev, for which the engine waits now, waits for the engine otherwise
	}
	if err := m.sup.Replace(units[at]); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, refitDeadline)
	defer cancel()
	if err := m.sup.Renew(ctx, engine.Name); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}
