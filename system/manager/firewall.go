package manager

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/pharos-os/pharos/netconf/firewall"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// filtered marks that rules have been made since the boot: a manager that
// starts anew has to take them away when nobody wants them any more. Without
// it, and without a policy, nobody asks the kernel: that alone would load the
// filter's modules.
const filtered = runDir + "/firewall"

// stepFirewall comes before the units: nothing listens yet.
func (m *Manager) stepFirewall(context.Context) error { return m.filter(m.cfg()) }

// filter makes the kernel filter as a configuration says. What is wrong is a
// reason to be degraded.
func (m *Manager) filter(c osconfig.Config) error {
	spec, errs := firewall.FromConfig(c.Rancher.Network.Firewall)
	if spec.Policy != firewall.Off || m.hasFiltered() {
		errs = append(errs, m.applyFilter(spec))
	}
	err := errors.Join(errs...)
	if err == nil {
		m.note("firewall")
		return nil
	}
	m.note("firewall", strings.Split(err.Error(), "\n")...)
	return err
}

func (m *Manager) applyFilter(spec firewall.Spec) error {
	if spec.Policy != firewall.Off {
		if err := errors.Join(m.loadModules(firewall.Modules()), atomicfile.WriteFile(filepath.Join(m.root, filtered), nil, 0o644)); err != nil {
			m.log.Warn("cannot load modules of the firewall", "error", err) // the kernel may have them built in
		}
	}
	return firewall.Apply(spec)
}

// filterPlan says what filter would change.
func (m *Manager) filterPlan(c osconfig.Config) ([]string, error) {
	spec, _ := firewall.FromConfig(c.Rancher.Network.Firewall) // what is wrong with it is a problem of the file already
	if spec.Policy == firewall.Off && !m.hasFiltered() {
		return nil, nil
	}
	return firewall.Plan(spec)
}

func (m *Manager) hasFiltered() bool {
	_, err := os.Stat(filepath.Join(m.root, filtered))
	return err == nil
}
