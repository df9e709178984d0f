package netconftest_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func TestKernelInMemory(t *testing.T) {
	k := netconftest.NewKernel()
	added := 0
	netconftest.TestKernel(t, netconftest.World{
		Kernel: k,
		AddLink: func(name string) {
			added++
			k.AddHardware(name, "veth", fmt.Sprintf("02:00:00:01:%02x:%02x", added>>8, added&255))
		},
		DelLink:     k.Remove,
		Plug:        k.Plug,
		RemoveRoute: k.RemoveRoutes,
		Advertise: func(name string, managed, other bool, prefix netip.Prefix, options []byte) {
			host := prefix.Addr().As16()
			host[15] = 7
			k.Advertise(name, managed, other, netip.MustParseAddr("fe80::1"), options, netip.PrefixFrom(netip.AddrFrom16(host), prefix.Bits()))
		},
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
