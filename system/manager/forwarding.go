package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/firewall"
	"github.com/pharos-os/pharos/netconf/rtnl"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/unit"
)

// guarded marks that forwarding of IPv6 has been turned on for the engine since
// the boot, with the guard of package firewall.
const guarded = runDir + "/guarded"

// stepForwarding lets the engine have IPv6 networks. With its nftables backend
// dockerd refuses to make one, and at its start to restore one, while the
// machine does not forward.
func (m *Manager) stepForwarding(context.Context) error { return m.forward(m.cfg()) }

// forward turns forwarding of IPv6 on if the engine needs it, behind a guard
// that keeps the machine from being a router for anybody else. A configuration
// that says itself whether the machine forwards has neither from here.
func (m *Manager) forward(c osconfig.Config) error {
	if saysForwarding(c.Rancher.Sysctl) {
		if !m.isGuarded() {
			return nil
		}
		if err := firewall.Unguard(); err != nil {
			return err
		}
		return os.Remove(filepath.Join(m.root, guarded))
	}
	if _, err := os.Stat("/proc/sys/net/ipv6/conf/all"); err != nil { // the kernel was told to have no IPv6
		return nil
	}
	if !m.isGuarded() && !hasEngine(services.Core(c, m.machine)) {
		return nil
	}
	if err := firewall.Guard(ownBridges(c)); err != nil {
		return fmt.Errorf("IPv6 networks of the engine: %w; they cannot be made", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(m.root, guarded), nil, 0o644); err != nil {
		return err
	}
	return rtnl.ForwardIPv6()
}

func (m *Manager) isGuarded() bool {
	_, err := os.Stat(filepath.Join(m.root, guarded))
	return err == nil
}

func hasEngine(units []unit.Unit) bool {
	return slices.ContainsFunc(units, func(u unit.Unit) bool { return u.Name == engine.Name })
}

// saysForwarding tells whether rancher.sysctl has the kernel's switch.
func saysForwarding(sysctl map[string]string) bool {
	for key := range sysctl {
		if filepath.Clean("/"+sysctlPath(key)) == "/net/ipv6/conf/all/forwarding" {
			return true
		}
	}
	return false
}

// ownBridges are the bridges that the configuration makes, without the one
// that it gives to the engine.
func ownBridges(c osconfig.Config) []string {
	spec, _ := netconf.FromConfig(c.Rancher.Network) // applyNetwork says what is wrong with it
	var names []string
	for _, l := range spec.Links {
		if l.Make != nil && l.Make.Kind == netconf.KindBridge && l.Match.Name != c.Rancher.Docker.Bridge {
			names = append(names, l.Match.Name)
		}
	}
	return names
}
