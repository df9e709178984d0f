package services

import (
	"slices"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/unit"
)

func TestWifiSwitch(t *testing.T) {
	network := osconfig.Network{
		WifiNetworks: map[string]osconfig.WifiNetwork{"home": {SSID: "home"}},
		Interfaces:   map[string]osconfig.Interface{"wl*": {WifiNetwork: "home"}, "eth0": {}},
	}
	unused := network
	unused.Interfaces = map[string]osconfig.Interface{"eth0": {}, "wlan0": {WifiNetwork: "gone"}}
	for _, c := range []struct {
		name    string
		network osconfig.Network
		built   bool
		include map[string]bool
		want    bool
	}{
		{"a link joins", network, true, nil, true},
		{"no image", network, false, nil, false},
		{"no link joins", unused, true, nil, false},
		{"nothing configured", osconfig.Network{}, true, nil, false},
		{"turned off", network, true, map[string]bool{"wifi": false}, false},
	} {
		units := Core(osconfig.Config{Rancher: osconfig.Rancher{Network: c.network, ServicesInclude: c.include}}, Machine{Wifi: c.built})
		if got := slices.ContainsFunc(units, func(u unit.Unit) bool { return u.Name == "wifi" }); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
