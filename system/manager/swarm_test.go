package manager

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/swarm"
	"github.com/pharos-os/pharos/system/linux"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
	"github.com/pharos-os/pharos/system/view"
)

// inSwarm is a configuration whose engine keeps its data below dir.
func inSwarm(dir string, on bool) osconfig.Config {
	return osconfig.Config{Rancher: osconfig.Rancher{Docker: osconfig.Engine{DataRoot: dir, Swarm: osconfig.Swarm{Init: on}}}}
}

// joined makes dockerd's file below dir.
func joined(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "swarm"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "swarm", engine.SwarmState), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The engine of a machine that is in a swarm starts as a swarm needs it, also
// when the key has gone without ros config apply.
func TestEngineInSwarm(t *testing.T) {
	m := &Manager{}
	docker := func(c osconfig.Config) unit.Unit {
		units := m.definitions(c)
		return units[slices.IndexFunc(units, func(u unit.Unit) bool { return u.Name == "docker" })]
	}
	dir := t.TempDir()
	without, with := docker(inSwarm(dir, false)), docker(inSwarm(dir, true))
	if slices.Contains(without.Requires, "network") || !slices.Contains(with.Requires, "network") {
		t.Errorf("requires %v and, in a swarm, %v", without.Requires, with.Requires)
	}
	joined(t, dir)
	if diff := cmp.Diff(with, docker(inSwarm(dir, false))); diff != "" {
		t.Errorf("a member without the key:\n%s", diff)
	}
}

// A data root on a tmpfs is one that a reboot empties, whether or not the
// machine has a state disk. Of an engine that has ended nothing is said.
func TestRootSwarmInRAM(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	if err := linux.Mount("tmpfs", "/srv", "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		pid  int
		root string
		want bool
	}{{os.Getpid(), "/srv/docker", true}, {os.Getpid(), "/proc/docker", false}, {0, "/srv", false}} {
		if got := inRAM(tc.pid, tc.root); got != tc.want {
			t.Errorf("%s of process %d: in RAM: %v", tc.root, tc.pid, got)
		}
	}
}

// Only who has a swarm to lose is asked, and the engine tells what it costs.
func TestSwarmCosts(t *testing.T) {
	m := &Manager{}
	dir := t.TempDir()
	on, off := inSwarm(dir, true), inSwarm(dir, false)
	if costs := m.costs(t.Context(), on, off); len(costs) > 0 {
		t.Errorf("a machine that has not joined: %q", costs)
	}
	joined(t, dir)
	for _, pair := range [][2]osconfig.Config{{off, on}, {on, on}, {off, off}} {
		if costs := m.costs(t.Context(), pair[0], pair[1]); len(costs) > 0 {
			t.Errorf("costs %q", costs)
		}
	}
	if costs := m.costs(t.Context(), on, off); len(costs) != 1 { // no engine here: that is said
		t.Errorf("costs %q", costs)
	}
	if err := m.leaveSwarm(t.Context(), on, off, true); err == nil {
		t.Error("left without an engine")
	}
}

// Without a yes the machine stays in its swarm, and that is said: a trial that
// ends takes the key away, too.
func TestSwarmStaysWithoutYes(t *testing.T) {
	m, dir := &Manager{}, t.TempDir()
	on, off := inSwarm(dir, true), inSwarm(dir, false)
	if err := m.leaveSwarm(t.Context(), on, off, false); err != nil {
		t.Errorf("without a swarm: %v", err)
	}
	joined(t, dir)
	if err := m.leaveSwarm(t.Context(), on, off, false); err == nil || !strings.Contains(err.Error(), "stays in its swarm") {
		t.Error(err)
	}
}

// An engine with another data root is in no swarm any more.
func TestSwarmCostsOfDataRoot(t *testing.T) {
	m := &Manager{}
	from, to := t.TempDir(), t.TempDir()
	joined(t, from)
	byFile := inSwarm(from, true)
	byFile.Rancher.Docker.ConfigFile = filepath.Join(t.TempDir(), "daemon.json")
	if err := os.WriteFile(byFile.Rancher.Docker.ConfigFile, []byte(`{"data-root":"`+to+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		before, after osconfig.Config
		words         []string
	}{
		"the key is set":      {inSwarm(from, true), inSwarm(to, true), []string{from + " to " + to, "drops out", "makes or joins"}},
		"the key is not set":  {inSwarm(from, false), inSwarm(to, false), []string{from + " to " + to, "drops out"}},
		"the engine's file":   {inSwarm(from, true), byFile, []string{from + " to " + to, "drops out"}},
		"without a swarm":     {inSwarm(to, true), inSwarm(t.TempDir(), true), nil},
		"the state was moved": {inSwarm(from, true), inSwarm(from+"/../"+filepath.Base(from), true), nil},
	} {
		t.Run(name, func(t *testing.T) {
			costs := m.costs(t.Context(), tc.before, tc.after)
			if len(costs) > 0 != (tc.words != nil) {
				t.Fatalf("costs %q", costs)
			}
			for _, w := range tc.words {
				if !strings.Contains(costs[0], w) {
					t.Errorf("%q does not say %q", costs[0], w)
				}
			}
		})
	}
	joined(t, to)
	if costs := m.costs(t.Context(), inSwarm(from, true), inSwarm(to, true)); len(costs) > 0 {
		t.Errorf("the state is there: %q", costs)
	}
}

// A reboot or a restart of the engine may bring another data root, about which
// nobody was asked. The machine then makes no other swarm.
func TestRootDataRootMovesAtReboot(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	for _, dir := range []string{"/run", "/srv", "/var/lib"} {
		if err := linux.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll("/var/lib/pharos", 0o755), os.MkdirAll(view.Root, 0o755)); err != nil {
		t.Fatal(err)
	}
	state, root, made := "active", "/srv/a", 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"DockerRootDir":%q,"Swarm":{"LocalNodeState":%q,"NodeID":"n1","NodeAddr":"10.0.0.1"}}`, root, state)
	})
	mux.HandleFunc("POST /swarm/init", func(http.ResponseWriter, *http.Request) { made++ })
	l, err := net.Listen("unix", engine.Socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	defer func() { server.Close(); <-done }()

	joined(t, "/srv/a")
	// boot looks once, as a manager that has just started, and returns what the status says.
	boot := func(c osconfig.Config) (*Manager, string) {
		there := supervise.NewGate("the engine")
		there.Open()
		m := &Manager{log: quiet(), sup: supervise.New(supervise.Options{}), units: map[string]*supervise.Gate{engine.Name: there}, notes: map[string][]string{}, swarmAgain: make(chan struct{}, 1),
			config: load.Result{Config: c}}
		r := m.askSwarm(c)
		r.Memory = swarmMemory
		m.reconcileSwarm(t.Context(), r, nil)
		return m, strings.Join(m.swarm.reasons, "; ")
	}
	if _, said := boot(inSwarm("/srv/a", true)); said != "" {
		t.Fatalf("a member: %q", said)
	}
	state, root = "inactive", "/srv/b"
	for _, on := range []bool{true, false} {
		_, said := boot(inSwarm("/srv/b", on))
		for _, word := range []string{"/srv/a", "/srv/b", "ros config apply --yes"} {
			if !strings.Contains(said, word) {
				t.Errorf("with the key %v: %q does not say %q", on, said, word)
			}
		}
	}
	if made != 0 {
		t.Errorf("%d swarms were made", made)
	}
	// The data root moves back.
	state, root = "active", "/srv/a"
	if _, said := boot(inSwarm("/srv/a", true)); said != "" {
		t.Errorf("back: %q", said)
	}
	// Somebody says yes.
	state, root = "inactive", "/srv/b"
	m, said := boot(inSwarm("/srv/b", true))
	if err := m.forgetSwarm(m.cfg()); err != nil || said == "" {
		t.Errorf("%q, %v", said, err)
	}
	if _, said := boot(inSwarm("/srv/b", true)); said != "" || made != 1 {
		t.Errorf("after a yes: %q, %d swarms were made", said, made)
	}
	// The swarm has ended in its own data root.
	state, root = "active", "/srv/a"
	boot(inSwarm("/srv/a", true))
	state, root = "inactive", "/srv/b"
	if err := os.RemoveAll("/srv/a/swarm"); err != nil {
		t.Fatal(err)
	}
	if _, said := boot(inSwarm("/srv/b", true)); said != "" || made != 2 {
		t.Errorf("without a state there: %q, %d swarms were made", said, made)
	}
}

func TestSwarmLinks(t *testing.T) {
	link := func(name, key string, kind string, own bool, addresses ...string) netconf.LinkState {
		l := netconf.LinkState{Key: key, Link: netconf.Link{LinkID: netconf.LinkID{Name: name}, Kind: kind, Own: own, Loopback: name == "lo"}}
		for _, a := range addresses {
			l.Addresses = append(l.Addresses, netconf.Address{Prefix: netip.MustParsePrefix(a)})
		}
		return l
	}
	got := swarmLinks(netconf.State{Links: []netconf.LinkState{
		link("lo", "lo", "", false, "127.0.0.1/8", "10.0.0.9/32"), link("eth0", "eth*", "", false, "10.0.0.1/24", "fe80::1/64", "fd00::1/64"),
		link("veth1", "", "veth", false, "fe80::2/64"), link("eth1", "eth*", "", false), link("eth2", "", "", false),
		link("br-lan", "br-lan", netconf.KindBridge, true, "10.1.0.1/24"), link("mine", "mine", netconf.KindBridge, false),
		link("web0", "*", netconf.KindBridge, false, "172.20.0.1/16"), link("docker0", "", netconf.KindBridge, false, "172.17.0.1/16"),
		link("wg0", "", "wireguard", false, "10.8.0.1/24"),
	}})
	addresses := func(list ...string) []netip.Addr {
		var out []netip.Addr
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	want := []swarm.Link{
		{Name: "eth0", Addresses: addresses("10.0.0.1", "fd00::1"), Own: true}, {Name: "eth1", Own: true},
		{Name: "br-lan", Addresses: addresses("10.1.0.1"), Own: true}, {Name: "mine", Own: true},
		{Name: "web0", Addresses: addresses("172.20.0.1")}, {Name: "docker0", Addresses: addresses("172.17.0.1")}, {Name: "wg0", Addresses: addresses("10.8.0.1")},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
