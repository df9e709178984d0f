package rtnl_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
)

// TestRootForward: links that follow router advertisements go on to do so when
// the machine becomes a router, those that do not stay so, and default routes
// are there all the time.
func TestRootForward(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	const conf = "/proc/sys/net/ipv6/conf/"
	get := func(file string) string {
		t.Helper()
		b, err := os.ReadFile(conf + file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	set := func(file, value string) {
		t.Helper()
		if err := os.WriteFile(conf+file, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	set("default/accept_ra", "1")
	world := netconftest.Real(t)
	add := func(name, accept string) {
		t.Helper()
		world.AddLink(name)
		if accept != "" {
			set(name+"/accept_ra", accept)
		}
		netconftest.Run(t, "ip", "link", "set", name, "up")
	}
	routes := func() string { return netconftest.Run(t, "ip", "-6", "route", "show", "default", "proto", "ra") }
	// advertise repeats advertisements on links until each has a default route.
	advertise := func(prefix string, links ...string) {
		t.Helper()
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(30 * time.Second); ; <-tick.C {
			missing := 0
			for _, l := range links {
				if !strings.Contains(routes(), " dev "+l+" ") {
					missing++
				}
				world.Advertise(l, false, false, netip.MustParsePrefix(prefix), nil)
			}
			if missing == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("no default routes by %q:\n%s", links, routes())
			}
		}
	}
	add("free0", "1") // as the kernel makes links: nobody has said anything
	add("ours0", "2") // as netconf sets them
	add("deaf0", "0")
	advertise("2001:db8:1::/64", "free0", "ours0")
	before := strings.Count(routes(), "default")

	for range 2 {
		if err := rtnl.ForwardIPv6(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(routes(), "default"); n != before {
			t.Errorf("of %d default routes there are\n%s", before, routes())
		}
	}
	for file, want := range map[string]string{
		"all/forwarding": "1", "default/forwarding": "1", "default/accept_ra": "2",
		"free0/accept_ra": "2", "ours0/accept_ra": "2", "deaf0/accept_ra": "0", "free0/forwarding": "1",
	} {
		if got := get(file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
	add("late0", "")
	advertise("2001:db8:2::/64", "late0")
	netconftest.Run(t, "ip", "-6", "route", "flush", "proto", "ra")
	advertise("2001:db8:1::/64", "free0", "ours0", "late0")
	world.Advertise("deaf0", false, false, netip.MustParsePrefix("2001:db8:3::/64"), nil)
	if strings.Contains(routes(), "deaf0") {
		t.Errorf("a link that does not follow advertisements does:\n%s", routes())
	}
}
