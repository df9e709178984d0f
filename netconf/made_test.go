package netconf_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
)

// byName is a specification of the link of that name.
func byName(name string, modify ...func(*netconf.LinkSpec)) netconf.LinkSpec {
	s := netconf.LinkSpec{Key: name, Match: netconf.Match{Name: name}}
	for _, m := range modify {
		m(&s)
	}
	return s
}

func made(d netconf.Device) func(*netconf.LinkSpec) {
	return func(s *netconf.LinkSpec) { s.Make = &d }
}

func in(master string) func(*netconf.LinkSpec) {
	return func(s *netconf.LinkSpec) { s.Master = master }
}

func withDHCP(s *netconf.LinkSpec) { s.DHCP = true }

func at(address string) func(*netconf.LinkSpec) {
	return func(s *netconf.LinkSpec) { s.Addresses = append(s.Addresses, netip.MustParsePrefix(address)) }
}

// apply applies a specification and lets everything come to rest.
func (b *box) apply(links ...netconf.LinkSpec) netconf.Spec {
	b.t.Helper()
	spec := netconf.Spec{Links: links}
	b.Apply(spec)
	synctest.Wait()
	return spec
}

// same checks that spec is in force: nothing is to be done for it, and it is
// no reason to do anything.
func (b *box) same(spec netconf.Spec) {
	b.t.Helper()
	if plan, err := b.PlanFor(spec); len(plan) > 0 || err != nil {
		b.t.Errorf("the plan is not empty (%v):\n%s", err, plan)
	}
	b.kernel.Calls()
	b.Apply(spec)
	synctest.Wait()
	b.calls()
}

// stack is a bond of eth0 and eth1 with a VLAN on it and a bridge on that.
func stack() []netconf.LinkSpec {
	return []netconf.LinkSpec{
		byName("bond0", made(netconf.Device{Kind: netconf.KindBond, Bond: map[string]string{"mode": "active-backup"}}),
			func(s *netconf.LinkSpec) { s.MTU = 9000 }),
		byName("bond0.100", made(netconf.Device{Kind: netconf.KindVLAN, Parent: "bond0", ID: 100}), in("br0"),
			func(s *netconf.LinkSpec) { s.MTU = 9000 }),
		byName("br0", made(netconf.Device{Kind: netconf.KindBridge}), withDHCP),
		byName("eth0", in("bond0")),
		byName("eth1", in("bond0")),
	}
}

func TestStack(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.Plug("eth0", false)
		b.kernel.Plug("eth1", false)
		synctest.Wait()
		b.kernel.Calls()
		plan, err := b.PlanFor(netconf.Spec{Links: stack()})
		if err != nil {
			t.Error(err)
		}
		b.calls()
		spec := b.apply(stack()...)
		b.calls(strings.Split(strings.TrimSpace(plan.String()), "\n")...)
		golden(t, "plan-stack", plan.String())
		b.problems()
		if b.leases.on("br0") != nil {
			t.Error("a DHCP client runs although the bond has no carrier")
		}
		if d := cmp.Diff([]string{"a carrier on br0"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		b.pass(time.Hour)
		b.kernel.Plug("eth1", true)
		synctest.Wait()
		b.lease("br0", "192.0.2.5/24")
		b.online(true)
		b.problems()
		b.same(spec)

		spec.Links = spec.Links[1:] // without the bond: what needs it says so, the rest goes on
		b.Apply(spec)
		synctest.Wait()
		b.calls("link del bond0.100", "link del bond0", "link set eth0 up", "link set eth1 up")
		b.pass(11 * time.Second)
		b.problems("br0: no carrier; is a cable plugged in?",
			"interfaces.eth0: there is no link bond0, which it needs", "interfaces.eth1: there is no link bond0, which it needs",
			"interfaces.bond0.100: there is no link bond0, which it needs")
	})
}

// TestRecreate: what the kernel cannot change is made again, with what is on
// it; the rest is not touched.
func TestRecreate(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		b.apply(append(stack(), byName("dummy0", made(netconf.Device{Kind: netconf.KindDummy}), at("10.1.0.1/24")))...)
		b.kernel.Calls()
		links := stack()
		links[0].Make.Bond["mode"] = "802.3ad"
		spec := b.apply(append(links, byName("dummy0", made(netconf.Device{Kind: netconf.KindDummy}), at("10.1.0.1/24")))...)
		b.calls("link del bond0.100", "link del bond0",
			"link add bond0 type bond mode 802.3ad", "link add bond0.100 type vlan link bond0 id 100",
			"link set bond0 mtu 9000", "link set bond0.100 mtu 9000",
			"link set eth0 master bond0", "link set eth1 master bond0", "link set bond0.100 master br0",
			"ipv6 bond0 accept-ra on privacy off", "ipv6 bond0.100 accept-ra off privacy off",
			"link set bond0 up", "link set eth0 up", "link set eth1 up", "link set bond0.100 up")
		b.same(spec)
		links[0].Make.Bond["miimon"] = "200"
		b.apply(append(links, byName("dummy0", made(netconf.Device{Kind: netconf.KindDummy}), at("10.1.0.1/24")))...)
		b.calls("link set bond0 type bond miimon 200 mode 802.3ad")
	})
}

// TestNotOurs: a link that somebody else has made is used when it fits and
// never deleted.
func TestNotOurs(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.AddHardware("br0", netconf.KindBridge, "02:00:00:00:00:0b")
		b.kernel.AddHardware("dummy0", netconf.KindBridge, "02:00:00:00:00:0c")
		b.kernel.AddHardware("vlan0", netconf.KindVLAN, "02:00:00:00:00:0d")
		spec := b.apply(byName("br0", made(netconf.Device{Kind: netconf.KindBridge}), at("10.0.0.1/24")),
			byName("dummy0", made(netconf.Device{Kind: netconf.KindDummy}), at("10.1.0.1/24")),
			byName("eth1", made(netconf.Device{Kind: netconf.KindDummy})),
			byName("vlan0", made(netconf.Device{Kind: netconf.KindVLAN, Parent: "eth0", ID: 7})))
		problems := []string{"interfaces.eth1: eth1 is there and is not a dummy but hardware; rename one of them",
			"interfaces.dummy0: dummy0 is there and is not a dummy but bridge; rename one of them",
			"interfaces.vlan0: vlan0 is there, made by somebody else, and cannot become type vlan link eth0 id 7; delete it"}
		b.problems(problems...)
		if _, err := b.PlanFor(spec); err == nil || err.Error() != strings.Join(problems, "\n") {
			t.Errorf("the plan says %v", err)
		}
		if !b.link("br0").Has(netip.MustParsePrefix("10.0.0.1/24")) {
			t.Error("the bridge that is there is not used")
		}
		b.kernel.Calls()
		b.apply()
		b.calls("addr del 10.0.0.1/24 dev br0")
	})
}

// TestCannotBeMade: a link that cannot be made is one sentence, which further
// tries cure, and nobody else's trouble.
func TestCannotBeMade(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		b.kernel.Refuse(func(call string) error {
			if strings.HasPrefix(call, "link add bond0 ") {
				return errors.New("operation not supported")
			}
			return nil
		})
		spec := b.apply(byName("bond0", made(netconf.Device{Kind: netconf.KindBond})),
			byName("bond0.5", made(netconf.Device{Kind: netconf.KindVLAN, Parent: "bond0", ID: 5}), at("10.5.0.1/24")),
			byName("eth0", in("bond0")), byName("eth1", at("10.0.0.2/24")))
		trouble := "interfaces.bond0: cannot be made: link add bond0 type bond: operation not supported"
		b.problems(trouble)
		b.kernel.Calls()
		b.kernel.Plug("eth1", false) // events are no reason to try again
		b.kernel.Plug("eth1", true)
		synctest.Wait()
		b.calls()
		b.problems(trouble)
		b.pass(6 * time.Second)
		b.calls("link add bond0 type bond")
		b.kernel.Refuse(nil)
		b.pass(11 * time.Second)
		b.problems()
		b.online(true)
		b.same(spec)
	})
}

// TestRenames: also in a circle, and what refers to a link by its key follows.
func TestRenames(t *testing.T) {
	inBox(t, func(_ *testing.T, b *box) {
		named := func(mac, name string, more ...func(*netconf.LinkSpec)) netconf.LinkSpec {
			s := netconf.LinkSpec{Key: "port" + mac[len(mac)-1:], Match: netconf.Match{MAC: mac}, SetName: name}
			for _, m := range more {
				m(&s)
			}
			return s
		}
		synctest.Wait()
		b.kernel.Calls()
		spec := b.apply(named("02:00:00:00:00:01", "eth1", at("10.0.0.1/24")), named("02:00:00:00:00:02", "eth0", at("10.0.0.2/24")),
			byName("lan", made(netconf.Device{Kind: netconf.KindVLAN, Parent: "port1", ID: 7}), at("10.7.0.1/24")))
		b.calls("link set eth1 name rename3", "link set eth0 name eth1", "link set rename3 name eth0",
			"link add lan type vlan link eth1 id 7",
			"ipv6 eth1 accept-ra on privacy off", "ipv6 eth0 accept-ra on privacy off", "ipv6 lan accept-ra on privacy off",
			"link set eth1 up", "link set eth0 up", "link set lan up",
			"addr add 10.0.0.1/24 dev eth1", "addr add 10.0.0.2/24 dev eth0", "addr add 10.7.0.1/24 dev lan")
		b.problems()
		b.same(spec)
		b.apply(named("02:00:00:00:00:01", "lan0"), named("02:00:00:00:00:02", "lan0"))
		b.problems("interfaces.port2: eth0 cannot be named lan0, there is a link of that name")
	})
}
