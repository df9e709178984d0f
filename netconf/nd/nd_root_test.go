package nd_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/nd"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
)

// TestRootAdverts: what a real router advertises comes through the kernel as
// Parse expects it.
func TestRootAdverts(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	kernel, err := rtnl.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	adverts, err := kernel.Adverts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	peer.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", "srv0", "nodad")
	cmd := peer.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
		"--bind-interfaces", "--log-facility=-", "--interface=srv0", "--except-interface=lo", "--enable-ra", "--ra-param=srv0,5,600",
		"--dhcp-range=2001:db8::,ra-stateless,64", "--dhcp-leasefile="+t.TempDir()+"/leases",
		"--dhcp-option=option6:dns-server,[2001:db8::53],[2001:db8::54]", "--dhcp-option=option6:domain-search,a.example,b.example")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	var servers []netip.Addr
	var domains []string
	deadline := time.NewTimer(20 * time.Second)
	for len(servers) < 2 || len(domains) < 2 {
		select {
		case a := <-adverts:
			t.Logf("%v: %x", a.Router, a.Options)
			info, err := nd.Parse(a.Options)
			if err != nil {
				t.Errorf("%v: %x", err, a.Options)
			}
			if !a.Router.IsLinkLocalUnicast() || a.Link == 0 {
				t.Errorf("advert %+v", a)
			}
			for _, s := range info.Servers {
				servers = append(servers, s.Addr)
				if s.Lifetime != nd.Forever { // so dnsmasq
					t.Errorf("server %+v", s)
				}
			}
			for _, d := range info.Domains {
				domains = append(domains, d.Name)
				if d.Lifetime != nd.Forever {
					t.Errorf("domain %+v", d)
				}
			}
		case <-deadline.C:
			t.Fatalf("not within 20 s: servers %v, domains %v", servers, domains)
		}
	}
	if !slices.Equal(servers, []netip.Addr{addr("2001:db8::53"), addr("2001:db8::54")}) || !slices.Equal(domains, []string{"a.example", "b.example"}) {
		t.Errorf("servers %v, domains %v", servers, domains)
	}
	for quiet := false; !quiet; { // what is still on its way
		select {
		case <-adverts:
		case <-time.After(300 * time.Millisecond):
			quiet = true
		}
	}
	// A router that is asked answers at once.
	began := time.Now()
	if err := kernel.Solicit(netconftest.Link(t, "eth0").LinkID); err != nil {
		t.Fatal(err)
	}
	select {
	case <-adverts:
		t.Logf("an answer after %v", time.Since(began))
	case <-time.After(4 * time.Second): // it repeats itself every 5 s
		t.Error("no answer to a solicitation")
	}
}
