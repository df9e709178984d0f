package dhcp_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootOptions: dnsmasq knows this client by its id, its vendor class and
// its name, and tells it things that depend on them.
func TestRootOptions(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	s := newServer(t, peer, "srv0", "192.0.2.1/24")
	s.start(t, "--dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,1h",
		"--dhcp-host=id:ff:01:02:03,192.0.2.77",
		"--dhcp-vendorclass=set:ours,pharos-test", "--dhcp-option=tag:ours,option:ntp-server,192.0.2.123,192.0.2.124",
		"--dhcp-option=249,18:c6:33:64:c0:00:02:07", "--dhcp-option=option:router,192.0.2.9",
		"--dhcp-option=option:dns-server,192.0.2.53,192.0.2.54", "--dhcp-option=option:domain-name,example.org",
		"--dhcp-option=option:domain-search,one.example.org,two.example.org,three.two.example.org",
		"--dhcp-option=option:mtu,1400", "--dhcp-option=option:T1,1000", "--dhcp-option=option:T2,2000")
	f := follow(t, netconf.LeaseRequest{Hostname: "machine", Options: netconf.DHCPOptions{
		ClientID: []byte{0xff, 1, 2, 3}, VendorClass: "pharos-test", Hostname: "testbox"}})
	got := f.bound(t)
	addrs := func(list ...string) (out []netip.Addr) {
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	want := &netconf.Lease{
		Address: netip.MustParsePrefix("192.0.2.77/24"), Server: netip.MustParseAddr("192.0.2.1"),
		Routers: addrs("192.0.2.9"), DNS: addrs("192.0.2.53", "192.0.2.54"), NTP: addrs("192.0.2.123", "192.0.2.124"),
		Routes: []netconf.LeaseRoute{{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: netip.MustParseAddr("192.0.2.7")}},
		Domain: "example.org", Search: []string{"one.example.org", "two.example.org", "three.two.example.org"},
		Hostname: got.Hostname, // dnsmasq sends the client's own back, or not
		MTU:      1400, Acquired: got.Acquired, Duration: time.Hour, T1: 1000 * time.Second, T2: 2000 * time.Second,
	}
	netconftest.Compare(t, "lease", want, got)
	text, err := os.ReadFile(filepath.Join(s.dir, "leases"))
	if err != nil || !strings.Contains(string(text), " 192.0.2.77 testbox ff:01:02:03\n") {
		t.Errorf("dnsmasq's leases: %v\n%s", err, text)
	}
}
