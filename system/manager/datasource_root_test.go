package manager

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
)

// serving is set in the environment of the process that is the service.
const serving = "PHAROS_TEST_METADATA"

// TestServeMetadata is a droplet's metadata service at its real address, in
// the namespace at the far end. Without being asked it does nothing.
func TestServeMetadata(t *testing.T) {
	if os.Getenv(serving) == "" {
		return
	}
	l, err := net.Listen("tcp", "169.254.169.254:80")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metadata/v1.json" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `{"droplet_id": 7, "hostname": "droplet", "interfaces": {
			"public": [{"mac": "04:01:2a:0f:2a:01", "ipv4": {"ip_address": "192.0.2.7", "netmask": "255.255.255.0", "gateway": "192.0.2.1"}}],
			"private": [{"mac": "04:01:2a:0f:2a:02", "ipv4": {"ip_address": "10.132.0.7", "netmask": "255.255.0.0", "gateway": "10.132.0.1"}}]}}`)
	})}
	t.Log(s.Serve(l))
}

// silentDHCP never hears of a server.
type silentDHCP struct{}

func (silentDHCP) Run(ctx context.Context, _ netconf.LeaseRequest, _ func(netconf.LeaseStatus)) error {
	<-ctx.Done()
	return ctx.Err()
}

type noNames struct{}

func (noNames) Write(netconf.Names) error { return nil }

// TestRootDroplet boots a droplet's network without DHCP: the private link is
// the first one, the service is at the end of the second.
func TestRootDroplet(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "private")
	peer.Cable(t, "eth1", "public")
	netconftest.Run(t, "ip", "link", "set", "eth0", "address", "04:01:2a:0f:2a:02")
	netconftest.Run(t, "ip", "link", "set", "eth1", "address", "04:01:2a:0f:2a:01")
	peer.Run(t, "ip", "addr", "add", "169.254.169.254/16", "dev", "public")
	// A data centre's private network does not answer for the other one.
	peer.Run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore")
	server := peer.Command(os.Args[0], "-test.run=^TestServeMetadata$")
	server.Env = append(os.Environ(), serving+"=1")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill() //nolint:errcheck // it may have ended
		server.Wait()         //nolint:errcheck // it was killed
	})

	kernel, err := rtnl.Open(quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	m := (&service{}).machine(t.TempDir())
	m.cmdline = "rancher.cloud_init.datasources=[digitalocean]"
	m.net = netconf.New(kernel, silentDHCP{}, noNames{}, netconf.Options{Log: quiet()})
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	go m.net.Run(ctx) //nolint:errcheck // ctx ends it

	m.firstPass(t)
	m.applyNetwork(m.cfg())
	begin := time.Now()
	if err := m.stepDatasource(ctx); err != nil {
		t.Fatalf("%v\n%+v", err, m.net.State())
	}
	t.Logf("answered after %s", time.Since(begin))
	if m.cfg().Hostname != "droplet" {
		t.Errorf("%+v", m.cfg())
	}
	if err := m.net.WaitOnline(ctx); err != nil {
		t.Error(err)
	}
	netconftest.Within(t, 10*time.Second, "the link-local addresses to go", func() (bool, <-chan struct{}) {
		_, changed := m.net.Watch()
		return !strings.Contains(netconftest.Run(t, "ip", "-4", "addr"), "169.254."), changed
	})
	routes := netconftest.Run(t, "ip", "-4", "route", "show", "default")
	if strings.Count(routes, "default") != 1 || !strings.Contains(routes, "via 192.0.2.1 dev eth1") {
		t.Errorf("default routes:\n%s", routes)
	}
}
