package manager

import (
	"os"
	"path/filepath"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
)

// hasSwarm reports whether dockerd has the state of a swarm on disk.
func hasSwarm(c osconfig.Config) bool {
	_, err := os.Stat(filepath.Join(engine.SwarmDir(c.Rancher.Docker), engine.SwarmState))
	return err == nil
}

// loadSwarmModules loads what the engine needs in a swarm, before it starts.
func (m *Manager) loadSwarmModules(c osconfig.Config) error {
	if !c.Rancher.Docker.Swarm.On() && !hasSwarm(c) {
		return nil
	}
	return m.loadModules(engine.SwarmModules())
}
