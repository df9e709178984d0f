package rtnl_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// open opens the kernel of the namespace that the test is in.
func open(t *testing.T) *rtnl.Conn {
	t.Helper()
	conn, err := rtnl.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestRootKernel(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn := open(t)
	world := netconftest.Real(t)
	world.Kernel = conn
	netconftest.TestKernel(t, world)
}

// discard is a NameWriter for tests of links.
type discard struct{}

func (discard) Write(netconf.Names) error { return nil }

// TestRootStatic: the manager on a real kernel, with static addresses of both
// families, an MTU, and somebody else's addresses: those that were there go when
// the link is taken over, those that come later stay.
func TestRootStatic(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn := open(t)
	world := netconftest.Real(t)
	world.AddLink("eth0")
	world.AddForeignAddr("eth0", netip.MustParsePrefix("10.77.0.5/24"))
	m := netconf.New(conn, nil, discard{}, netconf.Options{})
	netconftest.Go(t, m.Run)
	apply := func(i osconfig.Interface) {
		t.Helper()
		spec, errs := netconf.FromConfig(osconfig.Network{Interfaces: map[string]osconfig.Interface{"eth0": i}})
		if errs != nil {
			t.Fatal(errs)
		}
		m.Apply(spec)
	}
	// until waits for what ip(8) prints about addresses, routes and the link.
	until := func(want, absent []string) {
		t.Helper()
		var text string
		defer func() {
			if t.Failed() {
				t.Logf("ip prints\n%s", text)
			}
		}()
		netconftest.Within(t, 10*time.Second, "ip prints what it should", func() (bool, <-chan struct{}) {
			_, changed := m.Watch()
			text = netconftest.Run(t, "ip", "addr") + netconftest.Run(t, "ip", "route") + netconftest.Run(t, "ip", "-6", "route")
			for _, s := range want {
				if !strings.Contains(text, s) {
					return false, changed
				}
			}
			for _, s := range absent {
				if strings.Contains(text, s) {
					return false, changed
				}
			}
			return true, changed
		})
	}
	own := "link/ether " + netconftest.Link(t, "eth0").MAC
	apply(osconfig.Interface{Addresses: []string{"10.0.0.2/24", "fd00::2/64"}, Gateway: "10.0.0.1", GatewayIPv6: "fd00::1", MTU: 1400, MACAddress: "02:00:00:00:00:77"})
	until([]string{"inet 10.0.0.2/24 brd 10.0.0.255", "inet6 fd00::2/64", "mtu 1400", "link/ether 02:00:00:00:00:77", "127.0.0.1/8",
		"default via 10.0.0.1 dev eth0 proto 80", "default via fd00::1 dev eth0 proto 80"}, []string{"10.77.0.5/24"})
	if !m.State().Online || len(m.Problems()) > 0 {
		t.Errorf("state: %+v", m.State())
	}
	apply(osconfig.Interface{Address: "10.0.0.3/24", Gateway: "10.0.0.9"}) // same subnet: the old address is the new one's primary
	until([]string{"inet 10.0.0.3/24", "default via 10.0.0.9 dev eth0 proto 80", "inet6 fe80::", own},
		[]string{"mtu 1400", "10.0.0.2/24", "fd00::2", "default via fd00::1"})
	world.AddForeignAddr("eth0", netip.MustParsePrefix("10.78.0.5/24"))
	netconftest.Run(t, "ip", "addr", "del", "10.0.0.3/24", "dev", "eth0")
	until([]string{"inet 10.0.0.3/24", "default via 10.0.0.9 dev eth0 proto 80", "10.78.0.5/24"}, nil)
	netconftest.Run(t, "ip", "route", "del", "default")
	until([]string{"default via 10.0.0.9 dev eth0 proto 80"}, nil)
	netconftest.Run(t, "ip", "link", "set", "eth0", "down") // takes the routes along
	until([]string{"inet 10.0.0.3/24", "default via 10.0.0.9 dev eth0 proto 80"}, []string{"state DOWN"})
}

// TestRootTooSmall: a link whose MTU is too small for IPv6 has no settings of
// it. That is no error, and nothing that would be to do for ever.
func TestRootTooSmall(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn := open(t)
	netconftest.Real(t).AddLink("eth0")
	id := netconf.LinkID{Name: "eth0"}
	if err := conn.SetMTU(id, 1000); err != nil {
		t.Fatal(err)
	}
	want := netconf.IPv6{AcceptRA: true}
	if err := conn.SetIPv6(id, want); err != nil {
		t.Fatal(err)
	}
	get := func() netconf.IPv6 {
		links, err := conn.Links()
		if err != nil {
			t.Fatal(err)
		}
		return links[len(links)-1].IPv6
	}
	if got := get(); got != want {
		t.Errorf("without IPv6: %+v, want %+v", got, want)
	}
	if err := conn.SetMTU(id, 1500); err != nil {
		t.Fatal(err)
	}
	netconftest.Run(t, "ip", "link", "set", "eth0", "up") // IPv6 begins again
	if got := get(); !got.Unset {
		t.Errorf("with IPv6 again: %+v, want the kernel's own", got)
	}
}
