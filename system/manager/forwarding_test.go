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

func TestSaysForwarding(t *testing.T) {
	for key, want := range map[string]bool{
		"net.ipv6.conf.all.forwarding": true, "net/ipv6/conf/all/forwarding": true, "/net/ipv6/conf/all/forwarding": true,
		"net.ipv6.conf.eth0.forwarding": false, "net.ipv4.ip_forward": false,
	} {
		if got := saysForwarding(map[string]string{"vm.swappiness": "10", key: "0"}); got != want {
			t.Errorf("%s: %v", key, got)
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
	router := osconfig.Rancher{Sysctl: map[string]string{"net.ipv6.conf.all.forwarding": "1"}}
	for _, step := range []struct {
		what    string
		rancher osconfig.Rancher
		want    string
	}{
		{"a router that has said so", router, "forwarding 0"}, // rancher.sysctl is written elsewhere
		{"no engine", withoutEngine, "forwarding 0"},
		{"an engine", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"again", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"a router now", router, "forwarding 1"},
		{"not any longer", osconfig.Rancher{}, "forwarding 1, guarded"},
		{"the engine is turned off, and may have networks still", withoutEngine, "forwarding 1, guarded"},
	} {
		if err := m.forward(osconfig.Config{Rancher: step.rancher}); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := state(); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
}
