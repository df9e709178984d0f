package netconf_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
)

// TestCommands: commands run once, where they belong, and one link's do not
// delay another.
func TestCommands(t *testing.T) {
	h := &hands{}
	inBox(t, func(t *testing.T, b *box) {
		h.stuck = map[string]chan error{"before": make(chan error), "slow eth0": make(chan error)}
		ran := func(want ...string) {
			t.Helper()
			if d := cmp.Diff(want, h.commands()); d != "" {
				t.Errorf("commands (-want +got):\n%s", d)
			}
		}
		synctest.Wait()
		b.kernel.Calls()
		spec := netconf.Spec{
			PreCmds: [][]string{{"before"}, {"then"}}, PostCmds: [][]string{{"after"}},
			Links: []netconf.LinkSpec{
				byName("eth0", at("10.0.0.2/24"), func(s *netconf.LinkSpec) {
					s.PreUp, s.PostUp = [][]string{{"slow", "$iface"}}, [][]string{{"up", "$iface"}}
				}),
				byName("eth1", withDHCP, func(s *netconf.LinkSpec) { s.PostUp = [][]string{{"up", "$iface"}} }),
			},
		}
		b.Apply(spec)
		synctest.Wait()
		ran("before")
		b.calls()
		if d := cmp.Diff([]string{"the commands of pre_cmds"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		h.stuck["before"] <- errors.New("before: not found")
		synctest.Wait()
		ran("slow eth0", "then")
		b.problems("pre_cmds: before: not found")
		b.calls("ipv6 eth1 accept-ra on privacy off", "link set eth1 up")
		b.lease("eth1", "192.0.2.5/24")
		ran("up eth1")
		b.online(false)
		if d := cmp.Diff([]string{"the commands of pre_up on eth0"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		b.kernel.Calls()
		h.stuck["slow eth0"] <- nil
		synctest.Wait()
		b.calls("ipv6 eth0 accept-ra on privacy off", "link set eth0 up", "addr add 10.0.0.2/24 dev eth0")
		ran("after", "up eth0")
		b.online(true)
		b.same(spec)
		ran()
		spec.Links[1].PostUp = [][]string{{"other", "$iface"}}
		b.Apply(spec)
		synctest.Wait()
		ran("other eth1")
	}, func(o *netconf.Options) { o.Runner = h })
}

// TestPostCommandsDoNotWait: when a link is never configured, they run all the
// same. Commands that still run when Run ends are ended.
func TestPostCommandsDoNotWait(t *testing.T) {
	h := &hands{stuck: map[string]chan error{"after": nil}}
	inBox(t, func(t *testing.T, b *box) {
		h.stuck["after"] = make(chan error)
		b.Apply(netconf.Spec{PostCmds: [][]string{{"after"}}, Links: []netconf.LinkSpec{byName("eth0", withDHCP)}})
		b.pass(29 * time.Second)
		if ran := h.commands(); ran != nil {
			t.Errorf("ran %q too early", ran)
		}
		b.pass(2 * time.Second)
		if got := strings.Join(h.commands(), " "); got != "after" {
			t.Errorf("ran %q", got)
		}
	}, func(o *netconf.Options) { o.Runner = h })
}

// TestCommandsOfDown: a link that is not to be up has no commands to run before
// or after, until it is.
func TestCommandsOfDown(t *testing.T) {
	h := &hands{}
	inBox(t, func(t *testing.T, b *box) {
		link := byName("eth0", func(s *netconf.LinkSpec) {
			s.PreUp, s.PostUp, s.Down = [][]string{{"pre", "$iface"}}, [][]string{{"post", "$iface"}}, true
		})
		b.apply(link)
		if ran := h.commands(); len(ran) > 0 {
			t.Errorf("eth0 is down, and %q ran", ran)
		}
		link.Down = false
		b.apply(link)
		if d := cmp.Diff([]string{"post eth0", "pre eth0"}, h.commands()); d != "" {
			t.Errorf("commands (-want +got):\n%s", d)
		}
	}, func(o *netconf.Options) { o.Runner = h })
}

// TestCommandsOfRenamed: commands are told the new name.
func TestCommandsOfRenamed(t *testing.T) {
	h := &hands{}
	inBox(t, func(t *testing.T, b *box) {
		b.apply(byName("eth0", func(s *netconf.LinkSpec) {
			s.SetName, s.PreUp = "lan0", [][]string{{"pre", "$iface"}}
		}), byName("bond0", made(netconf.Device{Kind: netconf.KindBond}), func(s *netconf.LinkSpec) { s.PreUp = [][]string{{"pre", "$iface"}} }))
		if d := cmp.Diff([]string{"pre bond0", "pre lan0"}, h.commands()); d != "" {
			t.Errorf("commands (-want +got):\n%s", d)
		}
		if !b.link("lan0").Up || !b.link("bond0").Up {
			t.Errorf("the links are not up: %s", b.Online())
		}
	}, func(o *netconf.Options) { o.Runner = h })
}
