package netconf_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// rounding is a kernel with a driver that has rings of powers of two.
type rounding struct{ *netconftest.Kernel }

func (k rounding) SetHardware(link netconf.LinkID, h netconf.Hardware) error {
	size := 1
	for size < h.RingRX {
		size *= 2
	}
	if h.RingRX > 0 {
		h.RingRX = size
	}
	return k.Kernel.SetHardware(link, h)
}

// TestHardware: rings are set once, because to set them resets the card, and
// not at all when they are as they are to be.
func TestHardware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := rounding{netconftest.NewKernel()}
		k.AddHardware("eth0", "", "02:00:00:00:00:01")
		b := &box{t: t, kernel: k.Kernel, leases: &leases{}, names: &writer{}}
		b.Manager = netconf.New(k, b.leases, b.names, netconf.Options{})
		netconftest.Go(t, b.Run)
		ring := func(size int) netconf.LinkSpec {
			return byName("eth0", func(s *netconf.LinkSpec) {
				s.Hardware = netconf.Hardware{RingRX: size, Offloads: map[string]bool{"gro": false}}
			})
		}
		set := func(want ...string) {
			t.Helper()
			var got []string
			for _, call := range k.Calls() {
				if len(call) > 7 && call[:7] == "ethtool" {
					got = append(got, call)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("calls (-want +got):\n%s", d)
			}
		}
		spec := b.apply(ring(500))
		set("ethtool eth0 gro off ring-rx 512")
		b.same(spec)
		k.Plug("eth0", false)
		k.Plug("eth0", true)
		synctest.Wait()
		set()
		b.apply(ring(300)) // the same, rounded
		set("ethtool eth0 gro off ring-rx 512")
		b.apply(ring(512)) // as it is
		set()
	})
}
