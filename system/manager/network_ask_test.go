package manager

import (
	"context"
	"encoding/json"
	"errors"

	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/logging"
	"github.com/pharos-os/pharos/system/settings"
	"github.com/pharos-os/pharos/system/supervise"
)

// networkMachine is a machine that has booted with the user's file, of which
// the configuration and the network are real.
type networkMachine struct {
	*Manager
	kernel *netconftest.Kernel
	file   string
}

func newNetworkMachine(t *testing.T, text string) *networkMachine {
	t.Helper()
	m := newConfigMachine(t, text)
	m.net, m.kernel = memoryNetwork(t)
	return m
}

// newConfigMachine is one without a network.
func newConfigMachine(t *testing.T, text string) *networkMachine {
	t.Helper()
	root := t.TempDir()
	m := &networkMachine{file: filepath.Join(root, load.UserFile)}
	if err := os.MkdirAll(filepath.Dir(m.file), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write(t, text)
	m.Manager = &Manager{root: root, log: quiet(), booted: true, notes: map[string][]string{}, clock: clock{time.Now()},
		media:   func() load.Devices { return nil },
		modules: func() (*modules.Loader, error) { return nil, errors.New("none here") }}
	// What else applyDifference does is the host's.
	m.settings = settings.New(settings.Options{Root: root, Log: quiet(), Loader: m.loader, Running: m.loaded,
		Apply: func(_ context.Context, _, after load.Result, _ bool) error {
			m.adopt(after)
			m.applyNetwork(after.Config)
			return nil
		}})
	return m
}

func (m *networkMachine) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(m.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// boot reads the files as a boot does.
func (m *networkMachine) boot(t *testing.T) {
	t.Helper()
	_, r := m.reload(t.Context())
	m.applyNetwork(r.Config)
	time.Sleep(time.Minute)
}

// TestNetworkApply: a plan says what applying the files would change, FILE or
// not; applying does that and no more; then the plan is empty.
func TestNetworkApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "hostname: lake\nrancher: {network: {interfaces: {eth0: {dhcp: true}, eth1: {address: 192.0.2.7/24}}}}\n")
		m.boot(t)
		if p, err := m.NetworkPlan(""); err != nil || len(p.Keys)+len(p.Changes)+len(p.Problems) > 0 {
			t.Errorf("%+v, %v", p, err)
		}
		const more = "rancher: {network: {interfaces: {eth1: {address: 192.0.2.8/24}}}}"
		p, err := m.NetworkPlan(more)
		if err != nil || len(p.Keys) != 1 || len(p.Changes) != 2 || p.Changes[0].Text != "addr add 192.0.2.8/24 dev eth1" {
			t.Errorf("%+v, %v", p, err)
		}
		// Nothing has been written by it.
		if p, err := m.NetworkPlan(""); err != nil || len(p.Changes) > 0 {
			t.Errorf("%+v, %v", p, err)
		}
		m.kernel.Calls()
		m.write(t, "hostname: sea\nrancher: {network: {interfaces: {eth0: {dhcp: true}, eth1: {address: 192.0.2.8/24}}}}\n")
		out, err := m.NetworkApply(t.Context(), "ann")
		if err != nil || !out.Online || len(out.Problems) > 0 || len(out.Changes) != 2 || len(out.Keys) != 1 {
			t.Errorf("%+v, %v", out, err)
		}
		for _, call := range m.kernel.Calls() {
			if !strings.Contains(call, "eth1") {
				t.Errorf("a link that is the same: %s", call)
			}
		}
		if p, err := m.NetworkPlan(""); err != nil || len(p.Keys)+len(p.Changes) > 0 {
			t.Errorf("after it: %+v, %v", p, err)
		}
		if name := m.cfg().Hostname; name != "lake" {
			t.Errorf("the rest of the configuration is applied, too: hostname %s", name)
		}
		// An error changes nothing.
		m.write(t, "rancher: {network: {interfaces: {eth1: {address: 192.0.2.9}}}}\n")
		if _, err := m.NetworkApply(t.Context(), "ann"); !errdefs.IsInvalidArgument(err) {
			t.Error(err)
		}
		if calls := m.kernel.Calls(); len(calls) > 0 {
			t.Errorf("%q", calls)
		}
	})
}

// TestNetworkApplyWaits: it waits for the network to get online, and no longer
// than it says.
func TestNetworkApplyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n")
		m.boot(t)
		m.write(t, "rancher: {network: {interfaces: {eth7: {dhcp: true}}}}\n")
		start := time.Now()
		out, err := m.NetworkApply(t.Context(), "ann")
		if err != nil || out.Online || len(out.Waiting) == 0 || len(out.Problems) == 0 {
			t.Errorf("%+v, %v", out, err)
		}
		if took := time.Since(start); took != onlineWait {
			t.Errorf("it took %s", took)
		}
	})
}

// TestTrialGoesBack: a network on trial that cuts the machine off goes back.
func TestTrialGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n")
		m.boot(t)
		before := addresses(m.net.State())
		m.write(t, "rancher: {network: {interfaces: {eth0: {bond: bond0}, bond0: {address: 192.0.2.7/24}}}}\n")
		d, err := m.ConfigApply(t.Context(), time.Minute, false, "ann")
		if err != nil || d.Try == nil {
			t.Fatalf("%+v, %v", d, err)
		}
		time.Sleep(time.Second)
		if got := addresses(m.net.State()); !strings.Contains(got, "bond0 192.0.2.7/24") {
			t.Errorf("on trial: %s", got)
		}
		time.Sleep(2 * time.Minute)
		if got := addresses(m.net.State()); got != before {
			t.Errorf("after it: %s; before: %s", got, before)
		}
	})
}

// addresses lists the machine's, without those of the kernel.
func addresses(s netconf.State) string {
	var out []string
	for _, l := range s.Links {
		for _, a := range l.Addresses {
			if !a.Kernel && !l.Loopback {
				out = append(out, l.Name+" "+a.Prefix.String())
			}
		}
	}
	return strings.Join(out, ", ")
}

func TestNetworkRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}, eth1: {dhcp: true}, eth2: {address: 192.0.2.7/24}}}}\n")
		m.boot(t)
		l, err := m.NetworkRenew(t.Context(), "eth0")
		if err != nil || l.Name != "eth0" || len(l.Leases) != 1 || l.Leases[0].Acquired != 60 || l.Leases[0].State != "bound" {
			t.Errorf("%+v, %v", l, err)
		}
		start := time.Now()
		if _, err := m.NetworkRenew(t.Context(), "eth1"); !errdefs.IsUnavailable(err) || time.Since(start) != renewWait {
			t.Errorf("a silent server: %v after %s", err, time.Since(start))
		}
		if _, err := m.NetworkRenew(t.Context(), "eth2"); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("a link without DHCP: %v", err)
		}
		if _, err := m.NetworkRenew(t.Context(), "eth9"); !errdefs.IsNotFound(err) {
			t.Errorf("no link: %v", err)
		}
	})
}

// TestNoSecrets: no plan, no status and no answer shows a key.
func TestNoSecrets(t *testing.T) {
	const private, shared = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "bZWhxfYAyZO9gO7hyjRAxohW8Yi0v3EiZDPfKayYnLA="
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n")
		m.boot(t)
		m.write(t, `rancher:
  network:
    interfaces:
      eth0: {dhcp: true}
      wg0:
        type: wireguard
        private_key: `+private+`
        address: 10.8.0.2/24
        peers: [{public_key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=, preshared_key: `+shared+`, allowed_ips: [10.8.0.0/24]}]
    wifi_networks: {home: {ssid: Home, psk: correct horse}}
`)
		plan, err := m.NetworkPlan("")
		if err != nil || len(plan.Changes) == 0 {
			t.Errorf("%+v, %v", plan, err)
		}
		applied, err := m.NetworkApply(t.Context(), "ann")
		if err != nil {
			t.Error(err)
		}
		text, err := json.Marshal([]any{plan, applied, m.Network()})
		if err != nil || !strings.Contains(string(text), "wg0") {
			t.Errorf("%s, %v", text, err)
		}
		for _, secret := range []string{private, shared, "correct horse"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("it shows %s", secret)
			}
		}
	})
}

// terminal gives the machine a console that is a file, and returns what is
// written there.
func (m *networkMachine) terminal(t *testing.T) func() string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"active": "tty", "tty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.console = logging.NewConsole(filepath.Join(dir, "active"), dir)
	return func() string {
		text, err := os.ReadFile(filepath.Join(dir, "tty"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// TestNoCard: a boot without any network card does not wait for one, one with
// a card waits for it until its deadline, and says so.
func TestNoCard(t *testing.T) {
	for _, card := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newNetworkMachine(t, "")
			if !card {
				for _, name := range []string{"eth0", "eth1", "eth2", "wlan0"} {
					m.kernel.Remove(name)
				}
			} else {
				m.kernel.Plug("eth0", false)
				m.kernel.Plug("eth1", false)
				m.kernel.Plug("eth2", false)
			}
			m.reload(t.Context())
			nothing := func(context.Context) error { return nil }
			var err error
			m.graph, err = supervise.NewGraph(quiet(), []supervise.Step{
				{Name: "drivers", Run: nothing}, {Name: "udev-settled", Run: nothing},
				{Name: "network", Run: m.stepNetwork, Deadline: networkDeadline},
			})
			if err != nil {
				t.Fatal(err)
			}
			m.booted = false
			said := m.terminal(t)
			start := time.Now()
			m.graph.Run(t.Context())
			i := slices.IndexFunc(m.graph.Info(), func(i supervise.StepInfo) bool { return i.Name == "network" })
			failed := m.graph.Info()[i].Err
			if took := time.Since(start); !card && took > time.Second || card && took != networkDeadline || failed == nil {
				t.Errorf("card %v: it took %s: %v", card, took, failed)
			}
			want := ""
			if card {
				want = "pharos: network: waits for a carrier on eth0, a carrier on eth1, a carrier on eth2, 35s left\r\n"
			}
			if got := said(); got != want {
				t.Errorf("card %v: the console says %q, want %q", card, got, want)
			}
		})
	}
}
