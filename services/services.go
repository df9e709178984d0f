// Package services describes the machine's own services, one file each: what
// image, command, mounts, namespaces, capabilities and limits they get, and
// the catalogue of those that a configuration turns on. It also owns the two
// halves of a device coldplug that only make sense beside udev: triggering it
// and knowing when it has settled. It refuses to run anything: system/ctrd
// does, when system/supervise says so.
package services

import (
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/unit"
)

// Machine is what a definition may depend on besides its configuration.
type Machine struct {
	RAM  int64 // bytes
	CPUs int
	// TZ is the time zone as POSIX writes it, "CET-1CEST,M3.5.0,M10.5.0/3":
	// the services' images have no table of zones. Empty is UTC.
	TZ string
	// Tree is the console's, which is the engine's, too: what its root is bound
	// from, and the mount whose peers it joins.
	Tree, TreePeers string
	// Wifi says whether the image for it is there.
	Wifi bool
	// InSwarm says whether dockerd has the state of a swarm on disk.
	InSwarm bool
	// DataRoot is dockerd's, without links.
	DataRoot string
}

func (m Machine) zone() []string {
	if m.TZ == "" {
		return nil
	}
	return []string{"TZ=" + m.TZ}
}

// Names of conditions of the boot graph that units here wait for.
const (
	NeedsNetwork = "network"
	NeedsSyslog  = "syslog"
	NeedsState   = "state"
	NeedsModules = "modules"
	NeedsSettled = "udev-settled"
)

// The ladder of out-of-memory scores: the lower, the later the kernel picks
// it. The manager and containerd stand below all of these (-1000 and -999).
const (
	oomUdev   = -950
	oomSyslog = -900
	oomNTP    = -900
	oomWifi   = -900
)

const mib = 1 << 20

// shutdownTimeout is rancher.shutdown_timeout's default.
const shutdownTimeout = 60 * time.Second

// Core lists the services that cfg leaves on, in start order. The console is
// not among them: package console describes it. services_include turns a core
// service off with "name: false"; udev cannot be turned off.
func Core(cfg osconfig.Config, m Machine) []unit.Unit {
	units := []unit.Unit{Udev(m)}
	if included(cfg, "syslog") {
		units = append(units, Syslog(m))
	}
	if on := cfg.NTP.Enabled; (on == nil || *on) && included(cfg, "ntp") {
		units = append(units, NTP(m))
	}
	if m.Wifi && WantsWifi(cfg.Rancher.Network) && included(cfg, "wifi") {
		units = append(units, Wifi(cfg.Rancher.Network))
	}
	if on := cfg.Rancher.Docker.Enabled; (on == nil || *on) && included(cfg, engine.Name) {
		stop := shutdownTimeout
		if s := cfg.Rancher.ShutdownTimeout; s > 0 {
			stop = time.Duration(s) * time.Second
		}
		units = append(units, engine.Unit(engine.Options{
			Engine:      cfg.Rancher.Docker,
			Network:     cfg.Rancher.Network,
			Environment: cfg.Rancher.Environment,
			StopTimeout: stop,
			Root:        m.Tree,
			RootPeers:   m.TreePeers,
			InSwarm:     m.InSwarm,
			DataRoot:    m.DataRoot,
		}))
	}
	return units
}

func included(cfg osconfig.Config, name string) bool {
	on, named := cfg.Rancher.ServicesInclude[name]
	return on || !named
}

// etcMount gives a unit the machine's hosts, resolv.conf and hostname: the
// images hold symlinks into this directory, so that a file that the manager
// replaces is the new one at once.
func etcMount() unit.Mount {
	return unit.Mount{Source: "/run/pharos/etc", Target: "/run/pharos/etc", Options: []string{"ro"}, Mkdir: 0o755}
}

// logSocketMount lets a unit's /dev/log (a symlink) reach rsyslogd.
func logSocketMount() unit.Mount {
	return unit.Mount{Source: "/run/pharos/syslog", Target: "/run/pharos/syslog", Options: []string{"ro"}, Mkdir: 0o755}
}
