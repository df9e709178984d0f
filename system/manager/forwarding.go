package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// forwardingFile is the kernel's switch below /proc/sys.
const forwardingFile = "net/ipv6/conf/all/forwarding"

// stepForwarding lets the engine have IPv6 networks. With its nftables backend
// dockerd refuses to make one, and at its start to restore one, while the
// machine does not forward.
func (m *Manager) stepForwarding(context.Context) error { return m.forward(m.cfg()) }

// forward turns forwarding of IPv6 on if the engine needs it, behind a guard
// that keeps the machine from being a router for anybody else. A configuration
// that says itself whether the machine forwards is carried out by
// rancher.sysctl; forward only takes the guard away.
func (m *Manager) forward(c osconfig.Config) error {
	if value, ok := asksForwarding(c.Rancher.Sysctl); ok {
		return m.unguard(value)
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

// unguard takes the guard away from a machine that was told to be a router. It
// does so only when the kernel has the value that was asked for: the kernel may
// have refused it, or it is not written yet. A machine that was told to forward
// nothing keeps its guard, which then has nothing to do.
func (m *Manager) unguard(asked string) error {
	if asked != "1" || !m.isGuarded() {
		return nil
	}
	now, err := os.ReadFile(filepath.Join("/proc/sys", forwardingFile))
	if err != nil {
		return fmt.Errorf("IPv6 forwarding: %w", err)
	}
	if strings.TrimSpace(string(now)) != asked {
		return nil // setting the sysctl has failed and said why
	}
	if err := firewall.Unguard(); err != nil {
		return err
	}
	return os.Remove(filepath.Join(m.root, guarded))
}

func (m *Manager) isGuarded() bool {
	_, err := os.Stat(filepath.Join(m.root, guarded))
	return err == nil
}

func hasEngine(units []unit.Unit) bool {
	return slices.ContainsFunc(units, func(u unit.Unit) bool { return u.Name == engine.Name })
}

// asksForwarding returns the value that rancher.sysctl has for the kernel's
// switch; of several spellings "1" counts only when all have it.
func asksForwarding(sysctl map[string]string) (value string, asks bool) {
	for key, v := range sysctl {
		if osconfig.SysctlPath(key) == forwardingFile && (!asks || v != "1") {
			value, asks = v, true
		}
	}
	return value, asks
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
