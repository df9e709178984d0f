package manager

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
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
	}}
	spec := netconf.Spec{Links: []netconf.LinkSpec{{Key: "eth0"}, {Key: "eth1", DHCPOptions: netconf.DHCPOptions{IgnoreNTP: true}}}}
	want := []string{"10.0.0.1", "fd00::1", "10.4.0.1", "10.4.0.2"}
	var got []string
	for _, a := range leasedTimeServers(s, spec) {
		got = append(got, a.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
