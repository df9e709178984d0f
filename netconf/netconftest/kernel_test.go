package netconftest_test

import (
	"net/netip"
	"testing"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func TestKernelInMemory(t *testing.T) {
	k := netconftest.NewKernel()
	netconftest.TestKernel(t, netconftest.World{
		Kernel:         k,
		AddLink:        func(name string) { k.AddHardware(name, "veth", "02:00:00:00:00:01") },
		DelLink:        k.Remove,
		Plug:           k.Plug,
		AddForeignAddr: k.AddForeignAddr,
		AddForeignRoute: func(name string, dst netip.Prefix) {
			links, _ := k.Links()
			for _, l := range links {
				if l.Name == name {
					if err := k.AddForeignRoute(netconf.Route{Link: l.LinkID, Dst: dst}); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
	})
}
