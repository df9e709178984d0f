package manager

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/wifi"
)

func TestWifiLinks(t *testing.T) {
	link := func(index int, name, key, kind string) netconf.LinkState {
		return netconf.LinkState{Link: netconf.Link{LinkID: netconf.LinkID{Index: index, Name: name}, Kind: kind}, Key: key}
	}
	s := netconf.State{Links: []netconf.LinkState{
		link(1, "lo", "", ""), link(2, "wlan0", "wl*", ""), link(3, "wlan0.5", "wl*", "vlan"), link(4, "eth0", "eth0", ""), link(5, "wlan1", "other", ""),
	}}
	spec := netconf.Spec{Links: []netconf.LinkSpec{{Key: "wl*", WifiNetwork: "home"}, {Key: "eth0"}, {Key: "other", WifiNetwork: "gone"}}}
	home := osconfig.WifiNetwork{SSID: "home"}
	got := wifiLinks(s, spec, map[string]osconfig.WifiNetwork{"home": home})
	if d := cmp.Diff(map[netconf.LinkID]osconfig.WifiNetwork{{Index: 2, Name: "wlan0"}: home}, got); d != "" {
		t.Error(d)
	}
}

// TestWifiNotBuilt: a build without the image says so, and nothing is asked.
func TestWifiNotBuilt(t *testing.T) {
	m := &Manager{notes: map[string][]string{}}
	n := osconfig.Network{
		WifiNetworks: map[string]osconfig.WifiNetwork{"home": {SSID: "home"}},
		Interfaces:   map[string]osconfig.Interface{"wlan0": {WifiNetwork: "home"}},
	}
	if !m.setWifi(n, nil) || len(m.notes["wifi"]) != 1 {
		t.Errorf("notes %q", m.notes)
	}
	n.Interfaces = nil
	if !m.setWifi(n, nil) || len(m.notes) != 0 {
		t.Errorf("turned off: notes %q", m.notes)
	}
}

// TestWifiWithoutLink: a build without Wi-Fi has no driver either; that a link
// is wanted which cannot come is said, and taken back.
func TestWifiWithoutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetworkMachine(t, "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n")
		m.boot(t)
		m.wifi = wifi.New(t.TempDir(), wifi.Driver, m.net.Radio)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.watchWifi(ctx) }()
		for _, c := range []struct {
			text string
			want int
		}{
			{"rancher: {network: {interfaces: {eth0: {dhcp: true}, wlan7: {wifi_network: home}}, wifi_networks: {home: {ssid: home}}}}\n", 1},
			{"rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n", 0},
		} {
			m.write(t, c.text)
			m.boot(t)
			m.mu.Lock()
			notes := m.notes["wifi"]
			m.mu.Unlock()
			if len(notes) != c.want {
				t.Errorf("%s: notes %q", c.text, notes)
			}
		}
		cancel()
		<-done
	})
}
