package manager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestOwnBridges(t *testing.T) {
	c := configured(t, `rancher:
  docker: {bridge: br-docker}
  network:
    interfaces:
      eth0: {bridge: br-lan}
      br-lan: {address: 192.0.2.1/24}
      inner: {type: bridge, set_name: br0}
      br-docker: {type: bridge, address: 172.30.0.1/16}
      bond0: {type: bond}
`)
	if d := cmp.Diff([]string{"br-lan", "br0"}, ownBridges(c.Config)); d != "" {
		t.Error(d)
	}
}

func TestAsksForwarding(t *testing.T) {
	for _, tt := range []struct {
		sysctl map[string]string
		value  string
		asks   bool
	}{
		{map[string]string{"net.ipv6.conf.all.forwarding": "1"}, "1", true},
		{map[string]string{"net/ipv6/conf/all/forwarding": "0", "vm.swappiness": "10"}, "0", true},
		{map[string]string{"/net/ipv6/conf/all/forwarding": "1"}, "1", true},
		{map[string]string{"/net/ipv6/conf/all/forwarding": "1", "net.ipv6.conf.all.forwarding": "0"}, "0", true},
		{map[string]string{"net.ipv6.conf.eth0.forwarding": "1", "net.ipv4.ip_forward": "1"}, "", false},
	} {
		if value, asks := asksForwarding(tt.sysctl); value != tt.value || asks != tt.asks {
			t.Errorf("%v: %q, %v", tt.sysctl, value, asks)
		}
	}
}

// TestRootForwarding: the machine forwards for its engine alone, and as
// rancher.sysctl says when that says anything.
func TestRootForwarding(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	m := &Manager{log: quiet(), notes: map[string][]string{}, root: t.TempDir()}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(m.root, guarded)), 0o755); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		b, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/forwarding")
		if err != nil {
			t.Fatal(err)
		}
		s := "forwarding " + strings.TrimSpace(string(b))
		if m.isGuarded() {
			s += ", guarded"
		}
		return s
	}
	off := false
	withoutEngine := osconfig.Rancher{Docker: osconfig.Engine{Enabled: &off}}
	asks := func(value string) osconfig.Rancher {
		return osconfig.Rancher{Sysctl: map[string]string{"net.ipv6.conf.all.forwarding": value}}
	}
	for _, step := range []struct {
		what    string
		rancher osconfig.Rancher
		want    string
	}{
		{"no engine", withoutEngine, "forwarding 0"},
		{"a router", asks("1"), "forwarding 1"},
		{"not any longer", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"again", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"what the kernel refuses", asks("false"), "forwarding 1, guarded"},
		{"what the kernel takes for 1", asks("2"), "forwarding 2, guarded"}, // validation refuses both
		{"no forwarding", asks("0"), "forwarding 0, guarded"},
		{"an engine", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"a router again", asks("1"), "forwarding 1"},
		{"an engine again", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"the engine is turned off, and may have networks still", withoutEngine, "forwarding 1, guarded"},
	} {
		errSysctl := applySysctl(step.rancher.Sysctl)
		if (errSysctl != nil) != (step.what == "what the kernel refuses") {
			t.Errorf("%s: sysctl: %v", step.what, errSysctl)
		}
		if err := m.forward(osconfig.Config{Rancher: step.rancher}); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := state(); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
}

// TestRootForwardingOrder: the guard stands until the kernel has the value that
// replaces it, also when the network changes in the same step.
func TestRootForwardingOrder(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	m := &Manager{log: quiet(), notes: map[string][]string{}, root: t.TempDir()}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(m.root, guarded)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.forward(osconfig.Config{}); err != nil {
		t.Fatal(err)
	}
	// The network comes before rancher.sysctl has been written.
	if err := m.forward(osconfig.Config{Rancher: osconfig.Rancher{Sysctl: map[string]string{"net.ipv6.conf.all.forwarding": "0"}}}); err != nil {
		t.Fatal(err)
	}
	if !m.isGuarded() {
		t.Error("the machine forwards without a guard")
	}
}
