package chrony_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/chrony"
)

// TestRootChronyd: a real chronyd in a root of its own takes what Set says
// while it runs.
func TestRootChronyd(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	cell := netconftest.NewCell(t, "/usr/sbin/chronyd")
	sources, socket := filepath.Join(cell.Dir, "sources"), filepath.Join(cell.Dir, "run/chronyd.sock")
	d := chrony.New(socket, sources)
	if err := d.Set(osconfig.NTP{}, []netip.Addr{netip.MustParseAddr("192.0.2.1")}); err != nil {
		t.Fatal(err)
	}
	cell.Start(t, "/usr/sbin/chronyd", "-x", "-d", "-u", "root", "sourcedir "+sources, "cmdport 0", "bindcmdaddress "+socket, "pidfile "+cell.Dir+"/pid")
	lists := func(want string) bool {
		out, _ := cell.Command("/usr/bin/chronyc", "-h", socket, "-n", "-c", "sources", "-a").Output()
		var servers []string
		for line := range strings.Lines(string(out)) {
			if fields := strings.Split(line, ","); len(fields) > 2 {
				servers = append(servers, fields[2])
			}
		}
		return strings.Join(servers, " ") == want
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !lists("192.0.2.1"); <-tick.C {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("chronyd has not read the servers of its start")
		}
	}
	if err := d.Set(osconfig.NTP{}, []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2")}); err != nil {
		t.Fatal(err)
	}
	if !lists("192.0.2.2 2001:db8::2") {
		t.Error("a changed lease is not in effect when Set has returned")
	}
	if err := d.Set(osconfig.NTP{Servers: []string{"192.0.2.9"}}, []netip.Addr{netip.MustParseAddr("192.0.2.2")}); err != nil {
		t.Fatal(err)
	}
	if !lists("192.0.2.9") {
		t.Error("configured servers have not taken the place of the lease's")
	}
}
