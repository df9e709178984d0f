package vmtest

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/system/control/api"
)

// dhcpd is ISC's server for DHCPv6 on a bridge. It gives addresses of the
// bridge's network, fd73::/64, and prefixes of 56 bits.
func (l lab) dhcpd(t *testing.T, bridge string) *daemon {
	t.Helper()
	const conf = `default-lease-time 600;
subnet6 fd73::/64 {
	range6 fd73::100 fd73::1ff;
	prefix6 fd73:0:1:: fd73:0:1:ff00:: /56;
}
`
	for name, text := range map[string]string{"dhcpd6.conf": conf, "dhcpd6.leases": ""} {
		if err := os.WriteFile(l.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := daemonise(t, l.tools.Command("dhcpd", "-6", "-d", "-f", "-cf", l.path("dhcpd6.conf"), "-lf", l.path("dhcpd6.leases"), "-pf", l.path("dhcpd6.pid"), bridge))
	d.says(t, stepDeadline, 1, "Server starting service")
	return d
}

// testDelegated: a link has the first address of a prefix that was delegated
// to another one, and the lab reaches it there.
func testDelegated(t *testing.T, g *guest, server *daemon) {
	uplink := g.has(t, "leased0", "fd73::1", api.SourceDHCP6)
	if x := lease(uplink, "dhcp6"); x.State != "bound" || x.Valid <= 0 || x.Valid > 600 {
		t.Errorf("lease %+v", x)
	}
	var home netip.Prefix
	for _, a := range g.has(t, "home", "fd73:0:1:", api.SourceDelegated).Addresses {
		if a.Source != api.SourceDelegated {
			continue
		}
		if home.IsValid() {
			t.Errorf("a second delegated address %s", a.Address)
		}
		home = netip.MustParsePrefix(a.Address)
	}
	if first := home.Masked().Addr().Next(); home.Bits() != 64 || home.Addr() != first {
		t.Errorf("home has %s, want the first address of a /64", home)
	}
	delegated, err := home.Addr().Prefix(56)
	if err != nil {
		t.Fatal(err)
	}
	given := "address " + delegated.String() + " to client"
	server.says(t, stepDeadline, 1, given)
	t.Logf("home has %s of %s", home, delegated)
	// A router that delegates knows the way.
	ip(t, "-6 route add "+delegated.String()+" via "+linkLocal(t, uplink)+" dev br-leased")
	g.prints(t, [][2]string{{"ping -6 -c 2 -W 5 -I " + home.Addr().String() + " fd73::1", " 0% packet loss"}})
	n := strings.Count(server.text(), given)
	g.run(t, "ros network renew leased0")
	server.says(t, stepDeadline, n+1, given)
	if after := g.network(t); !hasAddress(linkOf(after, "home"), home.String(), api.SourceDelegated) || len(after.Problems)+len(after.Waiting) != 0 {
		t.Errorf("after a renewal: %+v", after)
	}
}

// linkLocal is a link's address of fe80::/10.
func linkLocal(t *testing.T, l api.NetworkLink) string {
	t.Helper()
	for _, a := range l.Addresses {
		if address, _, _ := strings.Cut(a.Address, "/"); strings.HasPrefix(address, "fe80:") {
			return address
		}
	}
	t.Fatalf("%s has no link-local address: %+v", l.Name, l.Addresses)
	return ""
}
