package manager

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/chrony"
)

func TestLeasedTimeServers(t *testing.T) {
	addr := netip.MustParseAddr
	addrs := func(list ...string) (out []netip.Addr) {
		for _, s := range list {
			out = append(out, addr(s))
		}
		return out
	}
	s := netconf.State{Links: []netconf.LinkState{
		{Key: "eth0", Lease: &netconf.Lease{NTP: addrs("10.0.0.1")}, Lease6: &netconf.Lease6{NTP: addrs("fd00::1")}},
		{Key: "eth1", Lease: &netconf.Lease{NTP: addrs("10.1.0.1")}},
		{Key: "eth2", Lease: &netconf.Lease{}},
		{Key: "eth3"},
		{Key: "eth4", Lease: &netconf.Lease{NTP: addrs("10.4.0.1", "10.4.0.2")}},
		{Key: "eth5", Adopted: &netconf.Lease{NTP: addrs("10.5.0.1")}},
	}}
	spec := netconf.Spec{Links: []netconf.LinkSpec{{Key: "eth0"}, {Key: "eth1", DHCPOptions: netconf.DHCPOptions{IgnoreNTP: true}}}}
	want := []string{"10.0.0.1", "fd00::1", "10.4.0.1", "10.4.0.2", "10.5.0.1"}
	var got []string
	for _, a := range leasedTimeServers(s, spec) {
		got = append(got, a.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestTimeServersOfRestart: what the manager before this one told chronyd
// stays until the servers of its leases have answered.
func TestTimeServersOfRestart(t *testing.T) {
	sources := filepath.Join(t.TempDir(), "sources")
	file := filepath.Join(sources, "pharos.sources")
	daemon := chrony.New(filepath.Join(sources, "none"), sources)
	want := func(when, line string) {
		t.Helper()
		if text, err := os.ReadFile(file); err != nil || string(text) != line+" iburst\n" {
			t.Errorf("%s: %q, %v", when, text, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n")
		m.chrony = daemon
		m.setTimeServers()
		want("a first start", "pool "+chrony.Pool)
		if err := daemon.Set(osconfig.NTP{}, []netip.Addr{netip.MustParseAddr("10.0.0.9")}); err != nil {
			t.Fatal(err)
		}
		m.setTimeServers()
		want("before the network is looked at", "server 10.0.0.9")
		m.boot(t) // the lease has no time server
		m.setTimeServers()
		want("with a lease", "pool "+chrony.Pool)
		m.write(t, "ntp: {servers: [10.9.0.1]}\n")
		m.reload(t.Context())
		m.setTimeServers()
		want("configured", "server 10.9.0.1")
	})
	asked := netconf.LinkState{Source: "dhcp"}
	for _, c := range []struct {
		state netconf.State
		want  bool
	}{
		{netconf.State{}, true},
		{netconf.State{Applied: time.Now()}, false},
		{netconf.State{Applied: time.Now(), Links: []netconf.LinkState{{}, asked}}, true},
		{netconf.State{Applied: time.Now().Add(-confirmWait), Links: []netconf.LinkState{{}, asked}}, false},
		{netconf.State{Applied: time.Now(), Links: []netconf.LinkState{{Source: "dhcp", Lease: &netconf.Lease{}}}}, false},
	} {
		if got := unconfirmed(c.state, time.Now()); got != c.want {
			t.Errorf("%+v: %v", c.state, got)
		}
	}
}

// TestTimeServersAgain: what could not be told is told again without a change
// of the network.
func TestTimeServersAgain(t *testing.T) {
	dir := t.TempDir()
	sources := filepath.Join(dir, "sources")
	if err := os.WriteFile(sources, nil, 0o644); err != nil { // no directory
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n")
		m.chrony, m.timesAgain = chrony.New(filepath.Join(dir, "none"), sources), make(chan struct{}, 1)
		m.boot(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.watchTimeServers(ctx) }()
		synctest.Wait()
		noted := func() int {
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.notes["time servers"])
		}
		if noted() == 0 {
			t.Error("a failure is not noted")
		}
		if err := os.Remove(sources); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * timesRetry)
		if noted() != 0 {
			t.Error("it is not tried again")
		}
		cancel()
		<-done
	})
}
