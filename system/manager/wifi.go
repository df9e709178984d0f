package manager

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services"
	"github.com/pharos-os/pharos/services/wifi"
	"github.com/pharos-os/pharos/system/ctrd"
)

// wifiRetry is the time until what wpa_supplicant has refused is tried again:
// a driver may still be loading its firmware.
const wifiRetry = 5 * time.Second

// hasWifi tells whether this build has the Wi-Fi image: FLAVOR=generic does.
func hasWifi() bool {
	_, err := os.Stat(filepath.Join(ctrd.DefaultPaths().Images, "wifi/config.json"))
	return err == nil
}

// watchWifi tells wpa_supplicant which links join which network, whenever
// links, the configuration or the program change, for as long as ctx lasts.
func (m *Manager) watchWifi(ctx context.Context) error {
	defer m.wifi.Close()
	var told map[netconf.LinkID]osconfig.WifiNetwork
	var wanted bool // also without a link: a build without Wi-Fi has no driver that makes one
	for {
		s, changed := m.net.Watch()
		c := m.cfg()
		spec, _ := m.networkSpec(c) // what is wrong with it is noted by applyNetwork
		links := wifiLinks(s, spec, c.Rancher.Network.WifiNetworks)
		var retry <-chan time.Time
		if want := services.WantsWifi(c.Rancher.Network); want != wanted || !reflect.DeepEqual(links, told) {
			if told, wanted = links, want; !m.setWifi(c.Rancher.Network, links) {
				told, retry = nil, time.After(wifiRetry)
			}
		}
		select {
		case <-changed:
		case <-m.wifiUp:
			told = nil
		case <-retry:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setWifi reports whether there is nothing to try again. What is wrong is a
// reason to be degraded; that the program does not run is for its unit to say.
func (m *Manager) setWifi(n osconfig.Network, links map[netconf.LinkID]osconfig.WifiNetwork) bool {
	if !services.WantsWifi(n) {
		m.note("wifi")
		return true
	}
	if !m.machine.Wifi {
		m.note("wifi", "rancher.network.wifi_networks: this build has no Wi-Fi; one that was made with FLAVOR=generic has")
		return true
	}
	names := make(map[string]osconfig.WifiNetwork, len(links))
	for id, w := range links {
		names[id.Name] = w
	}
	err := m.wifi.Set(names)
	switch {
	case errors.Is(err, wifi.ErrNotRunning): // or it has just begun, beside a dead one's socket
		return false
	case err != nil:
		m.note("wifi", strings.Split(err.Error(), "\n")...)
		return false
	}
	m.note("wifi")
	return true
}

// wifiLinks are the links that there are and that are to join a network.
func wifiLinks(s netconf.State, spec netconf.Spec, networks map[string]osconfig.WifiNetwork) map[netconf.LinkID]osconfig.WifiNetwork {
	out := map[netconf.LinkID]osconfig.WifiNetwork{}
	for _, l := range s.Links {
		for _, want := range spec.Links {
			if w, ok := networks[want.WifiNetwork]; ok && want.Key == l.Key && l.Kind == "" {
				out[l.LinkID] = w
			}
		}
	}
	return out
}

// wifiStarted is called when the unit runs: it knows of no link yet.
func (m *Manager) wifiStarted() {
	select {
	case m.wifiUp <- struct{}{}:
	default:
	}
}
