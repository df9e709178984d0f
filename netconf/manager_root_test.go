package netconf_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
)

// TestRootAnySpec is TestAnySpec on the real kernel, with the kinds of links
// that it has.
func TestRootAnySpec(t *testing.T) {
	if !netconftest.InNamespaceFor(t, 3*time.Minute) {
		return
	}
	conn, err := rtnl.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	world := netconftest.Real(t)
	for i := range 4 {
		world.AddLink(fmt.Sprintf("eth%d", i))
	}
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2)), lacks: lacking(t, conn)}
	j := &journal{}
	m := netconf.New(conn, &leases{}, &writer{},
		netconf.Options{Log: slog.New(slog.NewTextHandler(j, nil))})
	defer netconftest.Go(t, m.Run)()
	for i := range 30 {
		spec := g.spec()
		for k := range spec.Links {
			spec.Links[k].Hardware = netconf.Hardware{} // a veth has none
		}
		for k := range spec.Rules {
			spec.Rules[k].Priority = 100 + k
		}
		var plan netconf.Plan
		var state netconf.State
		m.Apply(spec)
		deadline := time.Now().Add(10 * time.Second)
		for {
			s, changed := m.Watch()
			if plan, err = m.PlanFor(spec); len(plan) == 0 && err == nil && len(s.Problems) == 0 {
				break
			}
			state = s
			select {
			case <-changed:
				continue
			case <-time.After(time.Until(deadline)):
			}
			t.Fatalf("step %d: %v, %q, to do is still:\n%s\nof\n%s%s", i, err, state.Problems, plan, show(spec), j.String())
		}
		before := j.count("msg=apply")
		_, changed := m.Watch()
		m.Apply(spec)
		<-changed
		if after := j.count("msg=apply"); after != before {
			t.Fatalf("step %d: to do it again does %d things:\n%s", i, after-before, j.String())
		}
	}
}

// lacking tries which kinds of links the kernel cannot make.
func lacking(t *testing.T, conn *rtnl.Conn) map[string]bool {
	lacks := make(map[string]bool)
	for _, d := range []netconf.Device{
		{Kind: netconf.KindBond}, {Kind: netconf.KindBridge}, {Kind: netconf.KindDummy}, {Kind: netconf.KindVRF, Table: 9},
		{Kind: netconf.KindWireGuard}, {Kind: netconf.KindVLAN, Parent: "eth0", ID: 9}, {Kind: netconf.KindMacvlan, Parent: "eth0"},
	} {
		if err := conn.AddLink("probe", "probe", d); err != nil {
			lacks[d.Kind] = true
			t.Logf("not tested with links of kind %s: %v", d.Kind, err)
			if os.Getenv(netconftest.All) != "" {
				t.Error("but everything is to be tested")
			}
			continue
		}
		if err := conn.DelLink(netconf.LinkID{Name: "probe"}); err != nil {
			t.Fatal(err)
		}
	}
	return lacks
}
