package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/services"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/supervise"
)

// bootSteps is the boot graph. Each step starts as soon as the ones it names
// have ended, well or not; what fails makes the machine degraded and is named
// in its status. Units are not steps: they start when what they require holds.
func (m *Manager) bootSteps() []supervise.Step {
	return []supervise.Step{
		{Name: "cgroups", Lane: "manager", Run: m.stepCgroups,
			For: "the control groups"},
		{Name: "etc", Lane: "manager", Run: m.stepEtc,
			For: "the generated /etc"},
		{Name: "devices", Lane: "manager", Run: m.stepDevices,
			For: "the device nodes of kernel modules"},
		{Name: "containerd", Lane: "manager", After: []string{"cgroups"}, Run: m.stepContainerd,
			For: "the system containerd to answer"},
		{Name: "overlay", Lane: "manager", Run: m.stepOverlay,
			For: "the file system of the containers' roots"},
		{Name: "modules", Lane: "manager", After: []string{"overlay"}, Run: m.stepModules,
			For: "the kernel modules of the user engine"},
		{Name: "state", Lane: "manager", Run: m.stepState,
			For: "the state file system"},
		{Name: "config", Lane: "manager", After: []string{"etc", "state"}, Run: m.stepConfig,
			For: "the configuration"},
		{Name: "sysctl", Lane: "manager", After: []string{"config"}, Run: m.stepSysctl,
			For: "rancher.sysctl"},
		{Name: "firewall", Lane: "network", After: []string{"config"}, Run: m.stepFirewall,
			For: "the rules of rancher.network.firewall"},
		{Name: "forwarding", Lane: "network", After: []string{"firewall"}, Run: m.stepForwarding,
			For: "IPv6 forwarding for the engine's networks"},
		{Name: "tree", Lane: "manager", After: []string{"config", "overlay"}, Run: m.stepTree,
			For: "the tree that the console and the engine share"},
		{Name: "units", Lane: "manager", After: []string{"config", "containerd", "devices", "tree", "firewall"}, Run: m.stepUnits,
			For: "the definitions of the services"},
		{Name: "drivers", Lane: "network", Run: m.stepDrivers,
			For: "the drivers of the network links"},
		{Name: "network", Lane: "network", After: []string{"firewall"}, Run: m.stepNetwork,
			For: "an address", Deadline: networkDeadline},
		{Name: "datasource", Lane: "network", After: []string{"config", "drivers"}, Run: m.stepDatasource,
			For: "the answer of the datasource", Deadline: datasourceDeadline + fetchMargin},
		{Name: "apply-datasource", Lane: "manager", After: []string{"datasource", "units"}, Run: m.stepApplyDatasource,
			For: "what the datasource changed", Deadline: servicesDeadline},
		{Name: "config-modules", Lane: "manager", After: []string{"config", "drivers"}, Run: m.stepConfigModules,
			For: "rancher.modules"},
		{Name: "coldplug", Lane: "manager", After: []string{"units"}, Run: m.stepColdplug,
			For: "udev to take the devices that are there", Deadline: udevDeadline},
		{Name: "udev-settled", Lane: "manager", After: []string{"coldplug"}, Run: m.stepSettled,
			For: "udev to have handled all devices", Deadline: udevDeadline},
		{Name: "late-config", Lane: "manager", After: []string{"udev-settled"}, Run: m.stepLateConfig,
			For: "configuration on disks that show up late"},
		// dockerd starts then. It restores its networks, IPv6 ones only where
		// the machine forwards.
		{Name: "files", Lane: "manager", After: []string{"units", "forwarding"}, Run: m.stepFiles,
			For: "the console to put files and local mounts in place", Deadline: filesDeadline},
		{Name: "services", Lane: "manager", After: []string{"units"}, Run: m.stepServices,
			For: "all services to run", Deadline: servicesDeadline},
		{Name: "ready", Lane: "manager", After: []string{"services", "late-config", "apply-datasource", "network", "sysctl", "config-modules"}, Run: m.stepReady,
			For: "the end of the boot"},
	}
}

const (
	// networkDeadline ends the boot's wait for an address; the network goes
	// on trying.
	networkDeadline = 40 * time.Second
	// udevDeadline ends the boot's wait for the coldplug, which gets the CPU
	// that the engine's start leaves.
	udevDeadline = 2 * time.Minute
	// filesDeadline ends the containers' wait for files and mounts; the
	// console's own for devices ends before.
	filesDeadline = 100 * time.Second
	// servicesDeadline ends the boot's wait for the services. The engine is
	// the slowest; on the slowest machine seen it took 25 s.
	servicesDeadline = 3 * time.Minute
)

// stepDevices makes the nodes of modules that are loaded when they are opened,
// before a container can name one: --device /dev/net/tun.
func (m *Manager) stepDevices(context.Context) error {
	if _, err := os.Stat(coldplugged); err == nil {
		return nil
	}
	return modules.StaticNodes("/dev")
}

func (m *Manager) stepCgroups(context.Context) error { return makeCgroups(m.machine.RAM) }

func (m *Manager) stepContainerd(ctx context.Context) error {
	if err := m.containerd.up.Wait(ctx); err != nil {
		return err
	}
	m.reach("containerd")
	return nil
}

// coldplugged marks that udev has been shown the devices: a manager that
// starts anew must not have all of them handled again.
const coldplugged = runDir + "/coldplugged"

func (m *Manager) stepColdplug(ctx context.Context) error {
	if _, err := os.Stat(coldplugged); err == nil {
		return nil
	}
	if err := services.Coldplug(ctx, "/sys"); err != nil {
		return err
	}
	return atomicfile.WriteFile(coldplugged, nil, 0o644)
}

func (m *Manager) stepSettled(ctx context.Context) error {
	return services.UdevSettled{}.Wait(ctx)
}

func (m *Manager) stepServices(ctx context.Context) error {
	for _, i := range m.sup.List() {
		g := m.condition(i.Unit.Name)
		if g == nil { // turned off meanwhile
			continue
		}
		if err := g.Wait(ctx); err != nil {
			return fmt.Errorf("service %s did not get ready: %w", i.Unit.Name, context.Cause(ctx))
		}
	}
	return nil
}

// bootFinished is cloud-init's mark, which provisioners wait for.
const bootFinished = "/var/lib/cloud/instance/boot-finished"

func (m *Manager) stepReady(ctx context.Context) error {
	m.mu.Lock()
	m.booted = true
	m.mu.Unlock()
	if err := errors.Join(settleCgroups(m.machine.RAM), hurryRCU(false)); err != nil {
		m.log.Warn("end of the boot", "error", err)
	}
	quietGC()
	text := fmt.Sprintf("%.2f - pharos %s\n", m.clock.now(), m.version)
	if err := m.enterInstance(m.loaded().InstanceID); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(bootFinished, []byte(text), 0o644); err != nil {
		return err
	}
	go m.tellCloud(context.WithoutCancel(ctx))
	if st := m.state(); st.State == "ready" {
		m.reach("ready")
	} else {
		m.log.Warn("boot done, but not all is well", "state", st.State, "reasons", st.Reasons)
		for _, r := range st.Reasons {
			if err := m.console.Print("pharos: "+st.State+": "+r, true); err != nil {
				m.log.Warn("cannot write to the console", "error", err)
			}
		}
	}
	return nil
}

func (m *Manager) stepUnits(context.Context) error { return m.addUnits() }

func (m *Manager) stepOverlay(context.Context) error { return m.loadModules([]string{"overlay"}) }

func (m *Manager) stepModules(context.Context) error { return m.loadModules(engine.Modules()) }
