package manager

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestRootNetworkApply: on a real kernel what is applied is what was planned,
// firewall and made links included; afterwards nothing is left to do.
func TestRootNetworkApply(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	world := netconftest.Real(t)
	world.AddLink("eth0")
	kernel, err := rtnl.Open(quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	m := newConfigMachine(t, "rancher: {network: {interfaces: {eth0: {address: 192.0.2.7/24, accept_ra: false}}}}\n")
	if err := os.MkdirAll(filepath.Dir(filepath.Join(m.root, filtered)), 0o755); err != nil {
		t.Fatal(err)
	}
	m.net = netconf.New(kernel, silentDHCP{}, noNames{}, netconf.Options{Log: quiet()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.net.Run(ctx) }()
	defer func() { cancel(); <-done }()
	_, r := m.reload(ctx)
	m.applyNetwork(r.Config)
	if err := m.net.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}

	m.write(t, `rancher:
  network:
    interfaces:
      eth0: {addresses: [192.0.2.8/24, "2001:db8::7/64"], gateway: 192.0.2.1, accept_ra: false}
      wan: {type: macvlan, link: eth0, mode: bridge, address: 203.0.113.7/24}
    firewall: {policy: drop, allow: [{ports: [22]}]}
`)
	p, err := m.NetworkPlan("")
	if err != nil || len(p.Problems) > 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	var plan []string
	for _, c := range p.Changes {
		plan = append(plan, c.Text)
	}
	for _, want := range []string{"firewall policy drop", "firewall allow tcp 22", "link add wan type macvlan link eth0",
		"addr add 192.0.2.8/24 dev eth0", "route replace default via 192.0.2.1 dev eth0", "addr del 192.0.2.7/24 dev eth0"} {
		if !strings.Contains(strings.Join(plan, "\n"), want) {
			t.Errorf("no %q in the plan:\n%s", want, strings.Join(plan, "\n"))
		}
	}
	out, err := m.NetworkApply(ctx, "ann")
	if err != nil || !out.Online || len(out.Problems) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if p, err := m.NetworkPlan(""); err != nil || len(p.Keys)+len(p.Changes)+len(p.Problems) > 0 {
		t.Errorf("after it: %+v, %v", p, err)
	}
	state := netconftest.Run(t, "ip", "addr")
	for want, there := range map[string]bool{"192.0.2.8/24": true, "2001:db8::7/64": true, "203.0.113.7/24": true, "192.0.2.7/24": false} {
		if strings.Contains(state, want) != there {
			t.Errorf("%s: want %v:\n%s", want, there, state)
		}
	}
	// The firewall goes with its key.
	m.write(t, "rancher: {network: {interfaces: {eth0: {address: 192.0.2.8/24, accept_ra: false}}}}\n")
	if p, err := m.NetworkPlan(""); err != nil || len(p.Changes) == 0 || p.Changes[0].Text != "firewall off" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := m.NetworkApply(ctx, "ann"); err != nil {
		t.Error(err)
	}
	if p, err := m.NetworkPlan(""); err != nil || len(p.Changes) > 0 {
		t.Errorf("after it: %+v, %v", p, err)
	}
}

// TestRootPulledCable: of two ways out the one with a cable is taken.
func TestRootPulledCable(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	values := baseSysctl(1 << 30)
	for key := range values { // the others are the whole machine's
		if !strings.HasSuffix(key, "/ignore_routes_with_linkdown") {
			delete(values, key)
		}
	}
	if err := applySysctl(values); err != nil || len(values) != 2 {
		t.Fatalf("%v: %v", values, err)
	}
	world := netconftest.Real(t)
	world.AddLink("eth0")
	world.AddLink("eth1")
	kernel, err := rtnl.Open(quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	m := netconf.New(kernel, silentDHCP{}, noNames{}, netconf.Options{Log: quiet()})
	netconftest.Go(t, m.Run)
	spec, errs := netconf.FromConfig(osconfig.Network{Interfaces: map[string]osconfig.Interface{
		"eth0": {Addresses: []string{"192.0.2.7/24", "2001:db8::7/64"}, Gateway: "192.0.2.1", GatewayIPv6: "2001:db8::1"},
		"eth1": {Addresses: []string{"198.51.100.7/24", "2001:db8:1::7/64"}, Gateway: "198.51.100.1", GatewayIPv6: "2001:db8:1::1"},
	}})
	if errs != nil {
		t.Fatal(errs)
	}
	m.Apply(spec)
	out := func(link string) {
		t.Helper()
		netconftest.Within(t, 10*time.Second, "packets leave by "+link, func() (bool, <-chan struct{}) {
			_, changed := m.Watch()
			for _, to := range []string{"203.0.113.9", "2001:db8:9::9"} {
				got, err := exec.Command("ip", "route", "get", to).CombinedOutput()
				if err != nil || !strings.Contains(string(got), " dev "+link+" ") {
					return false, changed
				}
			}
			return true, changed
		})
	}
	out("eth0")
	world.Plug("eth0", false)
	out("eth1")
	world.Plug("eth0", true)
	out("eth0")
}
