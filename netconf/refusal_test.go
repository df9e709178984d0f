package netconf_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestEachRefusal refuses one kind of change after the other: it is a problem,
// events are no reason to try it again, the rest is done, and when the kernel
// has thought better of it nothing is left.
func TestEachRefusal(t *testing.T) {
	before := []netconf.LinkSpec{
		byName("bond0", made(netconf.Device{Kind: netconf.KindBond, Bond: map[string]string{"mode": "active-backup"}})),
		byName("dummy1", made(netconf.Device{Kind: netconf.KindDummy})),
		byName("eth0"),
		byName("eth2", in("br0")),
		byName("br0", made(netconf.Device{Kind: netconf.KindBridge})),
	}
	stp := true
	after := []netconf.LinkSpec{
		byName("bond0", made(netconf.Device{Kind: netconf.KindBond, Bond: map[string]string{"mode": "active-backup", "miimon": "200"}})),
		byName("br0", made(netconf.Device{Kind: netconf.KindBridge, Bridge: netconf.Bridge{STP: &stp}})),
		byName("eth0", in("bond0"), func(s *netconf.LinkSpec) {
			s.Hardware = netconf.Hardware{Offloads: map[string]bool{"tso": false}}
		}),
		byName("eth1", at("10.0.0.2/24"), func(s *netconf.LinkSpec) { s.MTU, s.Gateways = 1400, addrs("10.0.0.1") }),
		byName("eth2", func(s *netconf.LinkSpec) { s.SetName, s.MAC = "lan0", "02:aa:00:00:00:01" }),
		byName("eth3", func(s *netconf.LinkSpec) { s.Down = true }),
	}
	for _, c := range []struct{ call, again string }{
		{"link del dummy1", ""},
		{"link set eth2 name lan0", "once"},
		{"link set bond0 type bond", "once"},
		{"link set br0 type bridge", "once"},
		{"link set lan0 nomaster", "once"},
		{"link set lan0 address", "once"},
		{"link set eth1 mtu 1400", "once"},
		{"link set eth0 master bond0", "once"},
		{"link set eth0 down", "once"},
		{"link set eth3 down", "once"},
		{"ethtool eth0 tso off", "once"},
		{"ipv6 eth1", "once"},
		{"link set lan0 up", ""},
		{"addr add 10.0.0.2/24", ""},
		{"route replace default", ""},
	} {
		t.Run(c.call, func(t *testing.T) {
			inBox(t, func(t *testing.T, b *box) {
				b.kernel.AddHardware("eth2", "", "02:00:00:00:00:03")
				b.kernel.AddHardware("eth3", "", "02:00:00:00:00:04")
				b.apply(before...)
				if err := b.kernel.SetUp(netconf.LinkID{Name: "eth3"}); err != nil {
					t.Fatal(err)
				}
				b.problems()
				b.kernel.Calls()
				var refused atomic.Int32
				b.kernel.Refuse(func(call string) error {
					if strings.HasPrefix(call, c.call) {
						refused.Add(1)
						return errors.New("no")
					}
					return nil
				})
				spec := b.apply(after...)
				if got := b.Problems(); len(got) == 0 || !strings.Contains(strings.Join(got, " "), c.call) {
					t.Errorf("problems: %q", got)
				}
				tried := refused.Load()
				calls := len(b.kernel.Calls())
				for range 3 { // somebody else's events
					b.kernel.Plug("eth3", false)
					b.kernel.Plug("eth3", true)
					synctest.Wait()
				}
				again := b.kernel.Calls()
				if c.again == "once" && (refused.Load() != tried || len(again) > 0) {
					t.Errorf("events lead to %q, after %d calls", again, calls)
				}
				if len(again) > 12 { // two for each
					t.Errorf("events lead to %d calls: %q", len(again), again)
				}
				b.pass(6 * time.Second)
				if refused.Load() == tried {
					t.Error("it is not tried again")
				}
				b.kernel.Refuse(nil)
				b.pass(time.Minute)
				b.problems()
				b.same(spec)
			})
		})
	}
}

// forgetful is a kernel with a driver that takes any MTU and keeps its own.
type forgetful struct{ *netconftest.Kernel }

func (k forgetful) SetMTU(link netconf.LinkID, _ int) error {
	return k.Kernel.SetMTU(link, 1500)
}

// TestNotKept: what the kernel does not keep is tried now and then, not for
// ever, and nobody else's trouble.
func TestNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := forgetful{netconftest.NewKernel()}
		k.AddHardware("eth0", "", "02:00:00:00:00:01")
		k.AddHardware("eth1", "", "02:00:00:00:00:02")
		b := &box{t: t, kernel: k.Kernel, leases: &leases{}, names: &writer{}}
		b.Manager = netconf.New(k, b.leases, b.names, netconf.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		b.apply(byName("eth0", withDHCP, func(s *netconf.LinkSpec) { s.MTU = 9000 }), byName("eth1", at("10.0.0.2/24")))
		b.problems("the kernel does not keep: link set eth0 mtu 9000")
		b.kernel.Calls()
		b.lease("eth0", "192.0.2.5/24")
		b.calls("addr add 192.0.2.5/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002")
		b.online(true)
		b.pass(6 * time.Second)
		once := "link set eth0 mtu 1500"
		b.calls(once, once, once, once)
		cancel()
		<-done
	})
}

// TestUndone: somebody who takes away what is made whenever it is made, another
// manager for instance, does not keep this one busy. Others' links are not
// concerned, and when it has ended all is well again.
func TestUndone(t *testing.T) {
	j := &journal{}
	inBox(t, func(t *testing.T, b *box) {
		address := netip.MustParsePrefix("10.0.0.2/24")
		ctx, cancel := context.WithCancel(t.Context())
		events, err := b.kernel.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		undone := 0
		go func() {
			for range events {
				if links, _ := b.kernel.Links(); links[1].Has(address) {
					undone++
					_ = b.kernel.DelAddr(links[1].LinkID, address)
				}
			}
		}()
		b.apply(byName("eth0", at("10.0.0.2/24")), byName("eth1", withDHCP))
		b.problems("the kernel does not keep: addr add 10.0.0.2/24 dev eth0")
		b.lease("eth1", "192.0.2.5/24")
		b.pass(24 * time.Hour)
		if n := j.count("addr add 10.0.0.2/24"); undone == 0 || undone > 2000 || n > 4000 {
			t.Errorf("undone %d times in a day, %d lines are logged", undone, n)
		}
		if !b.link("eth1").Has(netip.MustParsePrefix("192.0.2.5/24")) {
			t.Error("another link has to suffer")
		}
		cancel()
		b.pass(81 * time.Second)
		b.problems()
		b.online(true)
	}, logged(j))
}

// blind is a kernel that cannot be asked, or has no advertisements.
type blind struct {
	*netconftest.Kernel
	what string
}

func (k blind) Links() ([]netconf.Link, error) {
	if k.what == "links" {
		return nil, errors.New("links: out of memory")
	}
	return k.Kernel.Links()
}

func (k blind) Rules() ([]netconf.Rule, error) {
	if k.what == "rules" {
		return nil, errors.New("rules: out of memory")
	}
	return k.Kernel.Rules()
}

func (k blind) Adverts(ctx context.Context) (<-chan netconf.Advert, error) {
	if k.what == "adverts" {
		return nil, errors.New("adverts: no IPv6")
	}
	return k.Kernel.Adverts(ctx)
}

func TestBlind(t *testing.T) {
	for what, problems := range map[string][]string{"links": {"links: out of memory"}, "rules": {"rules: out of memory"}, "adverts": {}} {
		synctest.Test(t, func(t *testing.T) {
			k := blind{netconftest.NewKernel(), what}
			k.AddHardware("eth0", "", "02:00:00:00:00:01")
			m := netconf.New(k, nil, &writer{}, netconf.Options{})
			netconftest.Go(t, m.Run)
			m.Apply(netconf.Spec{Links: []netconf.LinkSpec{byName("eth0", at("10.0.0.2/24"))}})
			synctest.Wait()
			if d := cmp.Diff(problems, m.Problems()); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
			if _, err := m.PlanFor(netconf.Spec{}); fmt.Sprint(err) != strings.Join(append(problems, "<nil>")[:1], "") {
				t.Errorf("%s: the plan says %v", what, err)
			}
		})
	}
}
