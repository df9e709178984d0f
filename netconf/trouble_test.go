package netconf_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestMissingLink(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth7": static("10.0.0.2/24", ""), "mac=02:00:00:00:00:02": dynamic(), "wlan*": dynamic()}))
		b.lease("eth1", "192.0.2.5/24")
		b.online(false)
		b.problems()
		b.pass(11 * time.Second)
		b.problems("interfaces.eth7: no link is named eth7")
		b.kernel.AddHardware("eth7", "", "02:00:00:00:00:07")
		synctest.Wait()
		b.problems()
		b.kernel.Remove("eth7")
		synctest.Wait()
		b.problems("interfaces.eth7: no link is named eth7")
	})
}

func TestNoLinkAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, netconftest.NewKernel())
		defer b.stop()
		b.configure(osconfig.Network{})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		err := b.WaitOnline(ctx)
		if !errors.Is(err, context.DeadlineExceeded) ||
			!strings.HasPrefix(err.Error(), "network: waiting for a link that matches eth*, a link that matches en* (12 s)") {
			t.Errorf("got %v", err)
		}
		b.problems("interfaces.eth*: no link matches eth*", "interfaces.en*: no link matches en*")
	})
}

// TestRefusal: what the kernel refuses is a problem, is tried again, and does
// not keep other links from coming up.
func TestRefusal(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.Refuse(func(call string) error {
			if strings.HasPrefix(call, "addr add 10.0.0.2/24") {
				return errors.New("out of memory")
			}
			return nil
		})
		b.configure(network(links{"eth0": static("10.0.0.2/24", ""), "eth1": static("10.0.1.2/24", "")}))
		b.online(false)
		b.problems("addr add 10.0.0.2/24 dev eth0: out of memory")
		b.kernel.Calls()
		b.pass(2 * time.Minute) // after 5, 15, 35 and 75 s
		again := "addr add 10.0.0.2/24 dev eth0"
		b.calls(again, again, again, again)
		b.kernel.Refuse(nil)
		b.pass(80 * time.Second)
		b.online(true)
		b.problems()
	})
}

func TestNamesRefused(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.names.refuse(errors.New("read-only file system"))
		b.configure(network(links{"eth0": static("10.0.0.2/24", "")}))
		b.problems("names: read-only file system")
		b.names.refuse(nil)
		b.pass(6 * time.Second)
		b.problems()
	})
}

// heard is a kernel of which the test says what routers advertise.
type heard struct {
	*netconftest.Kernel
	adverts chan netconf.Advert
}

func (k heard) Adverts(context.Context) (<-chan netconf.Advert, error) { return k.adverts, nil }

// TestNamesRefusedOfAdvert: names that only an advertisement brings, with no
// event beside it, are written again too.
func TestNamesRefusedOfAdvert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, w := heard{netconftest.NewKernel(), make(chan netconf.Advert)}, &writer{}
		index := k.AddHardware("eth0", "", "02:00:00:00:00:01")
		m := netconf.New(k, nil, w, netconf.Options{})
		netconftest.Go(t, m.Run)
		m.Apply(netconf.Spec{Links: []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24"))}})
		synctest.Wait()
		w.refuse(errors.New("read-only file system"))
		k.adverts <- netconf.Advert{Link: index, Options: option(100, "2001:db8::53")}
		synctest.Wait()
		if d := cmp.Diff([]string{"names: read-only file system"}, m.Problems()); d != "" {
			t.Errorf("problems (-want +got):\n%s", d)
		}
		w.refuse(nil)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := m.Problems(); len(got) > 0 {
			t.Errorf("nobody has tried again: %q", got)
		}
	})
}

// TestBlindExpiry: a lease that is over while the kernel does not answer waits
// for the next attempt, and nothing spins until then.
func TestBlindExpiry(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.lease("eth0", "192.0.2.5/24")
		b.kernel.Plug("eth0", false)
		synctest.Wait()
		asked := 0
		b.kernel.Refuse(func(call string) error {
			if call == "links" {
				asked++
			}
			return errors.New("out of memory")
		})
		b.pass(61 * time.Minute)
		b.problems("eth0: no carrier; is a cable plugged in?", "out of memory")
		if asked > 100 {
			t.Errorf("the kernel is asked %d times within an hour", asked)
		}
		b.kernel.Refuse(nil)
		b.pass(80 * time.Second)
		if l := b.link("eth0"); len(l.Addresses) > 0 {
			t.Errorf("the lease is over, and eth0 has %v", l.Addresses)
		}
	})
}

// TestRestart: a new manager adopts what the old one left, asks for the same
// address, and removes it only when it is refused.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := netconftest.NewKernel()
		k.AddHardware("eth0", "", "02:00:00:00:00:01")
		k.AddHardware("eth1", "", "02:00:00:00:00:02")
		config := network(links{"eth0": dynamic(), "eth1": static("10.0.0.2/24", "10.0.0.1")})
		b := newBox(t, k)
		b.configure(config)
		b.lease("eth0", "192.0.2.5/24")
		b.stop()
		k.AddForeignAddr("eth1", netip.MustParsePrefix("10.9.9.9/24")) // by hand: it is to stay
		k.Calls()
		b = newBox(t, k)
		defer b.stop()
		synctest.Wait()
		b.calls()
		b.configure(config)
		b.calls()
		b.online(true)
		if p := b.leases.on("eth0").request.Previous; p == nil || p.Address.String() != "192.0.2.5/24" {
			t.Errorf("the client is to ask for %+v", p)
		}
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true})
		b.calls("route del default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002", "addr del 192.0.2.5/24 dev eth0")
	})
}

// TestForeign: what Docker has made is left alone, and not shown. Addresses
// that others gave a link before it was ours go.
func TestForeign(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.AddHardware("docker0", "bridge", "02:00:00:00:00:0a")
		b.kernel.AddForeignAddr("docker0", netip.MustParsePrefix("172.17.0.1/16"))
		b.kernel.AddForeignAddr("eth0", netip.MustParsePrefix("10.9.9.9/24"))
		synctest.Wait()
		b.configure(network(links{"*": dynamic()}))
		b.calls("link set lo up", "ipv6 eth0 accept-ra on privacy off", "ipv6 eth1 accept-ra on privacy off",
			"link set eth0 up", "link set eth1 up", "addr del 10.9.9.9/24 dev eth0")
		for _, l := range b.State().Links {
			if l.Name == "docker0" {
				t.Error("docker0 is shown")
			}
		}
		b.kernel.AddForeignAddr("eth0", netip.MustParsePrefix("10.9.9.8/24"))
		synctest.Wait()
		b.calls() // added by hand since
		b.configure(network(links{"eth5": dynamic()}))
		b.calls()
	})
}

// TestDHCPOff: when the configuration no longer asks for DHCP, the client
// stops and the lease's address goes.
func TestDHCPOff(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.lease("eth0", "192.0.2.5/24")
		b.kernel.Calls()
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		if b.leases.on("eth0") != nil {
			t.Error("the DHCP client still runs")
		}
		b.calls("addr add 10.0.0.2/24 dev eth0", "route replace default via 10.0.0.1 dev eth0 metric 102",
			"route del default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002", "addr del 192.0.2.5/24 dev eth0")
	})
}

// TestHandMade: our addresses come back when somebody removes them; a link
// that is only to be up is usable once somebody has given it an address.
func TestHandMade(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": {}}))
		b.online(false)
		if d := cmp.Diff([]string{"an address on eth0 from somebody else"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		b.kernel.AddForeignAddr("eth0", netip.MustParsePrefix("fd00::5/64"))
		synctest.Wait()
		b.online(true)
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		b.kernel.Calls()
		if err := b.kernel.DelAddr(id(2, "eth0"), netip.MustParsePrefix("10.0.0.2/24")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.calls("addr del 10.0.0.2/24 dev eth0", "addr add 10.0.0.2/24 dev eth0",
			"route replace default via 10.0.0.1 dev eth0 metric 102")
		b.kernel.TakeDown("eth0")
		synctest.Wait()
		b.calls("link set eth0 up", "route replace default via 10.0.0.1 dev eth0 metric 102")
	})
}
