package netconf_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/pharos-os/pharos/netconf"
)

// TestLinkLocal: a link without a lease has a link-local address, which does
// not count as being online, until it has a lease or nobody wants it.
func TestLinkLocal(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		spec, _ := netconf.FromConfig(network(links{"eth0": dynamic(), "eth1": static("10.0.0.2/24", "")}))
		spec.LinkLocal = true
		local := func(name string) (found []netip.Prefix) {
			for _, l := range b.State().Links {
				for _, a := range l.Addresses {
					if l.Name == name && a.Prefix.Addr().IsLinkLocalUnicast() {
						found = append(found, a.Prefix)
					}
				}
			}
			return found
		}
		b.Apply(spec)
		synctest.Wait()
		if got := local("eth0"); len(got) != 1 || got[0].Bits() != 16 || got[0].Addr().As4()[2] == 0 || got[0].Addr().As4()[2] > 168 {
			t.Errorf("eth0 has %v", got)
		}
		if got := local("eth1"); len(got) != 0 {
			t.Errorf("a static link has %v", got)
		}
		b.lease("eth0", "192.0.2.5/24")
		if got := local("eth0"); len(got) != 0 {
			t.Errorf("with a lease eth0 has %v", got)
		}
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true})
		if got := local("eth0"); len(got) != 1 {
			t.Errorf("the lease is lost and eth0 has %v", got)
		}
		spec.LinkLocal = false
		b.Apply(spec)
		synctest.Wait()
		if got := local("eth0"); len(got) != 0 {
			t.Errorf("nobody wants it and eth0 has %v", got)
		}
	})
	inBox(t, func(_ *testing.T, b *box) {
		spec, _ := netconf.FromConfig(network(links{"eth*": dynamic()}))
		spec.LinkLocal = true
		b.Apply(spec)
		synctest.Wait()
		b.online(false)
	})
}
