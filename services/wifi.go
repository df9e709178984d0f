package services

import (
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/wifi"
	"github.com/pharos-os/pharos/system/unit"
)

// WantsWifi tells whether a link is to join a Wi-Fi network.
func WantsWifi(n osconfig.Network) bool {
	for _, link := range n.Interfaces {
		if _, known := n.WifiNetworks[link.WifiNetwork]; known {
			return true
		}
	}
	return false
}

// Wifi is wpa_supplicant, without any link: package wifi tells it which there
// are. It waits for nothing, since the network may wait for it.
func Wifi(n osconfig.Network) unit.Unit {
	u := unit.Unit{
		Name:  "wifi",
		Image: "wifi",
		Args:  []string{"/usr/sbin/wpa_supplicant", "-g", wifi.Socket},
		Mounts: []unit.Mount{
			// Its configurations, which have secrets, and its sockets.
			{Source: wifi.Dir, Target: wifi.Dir, Options: []string{"rw"}, Mkdir: 0o700},
		},
		HostDev: true, // /dev/rfkill says when a radio is switched off
		Devices: []unit.Device{{Type: "c", Major: 10, Minor: 242, Access: "rw"}},
		HostNet: true, // the radios are links of this network namespace
		Capabilities: []string{
			"CAP_NET_ADMIN", // scan, associate, keys, link state
			"CAP_NET_RAW",   // EAPOL frames
		},
		NoNewPrivileges: true,
		Limits: unit.Limits{
			MemoryMax:   64 * mib,
			PidsMax:     16,
			OOMScoreAdj: oomWifi,
		},
		Cgroup:      "system",
		Group:       unit.CoreGroup,
		Ready:       unit.Probe{File: wifi.Socket, Timeout: 30 * time.Second},
		Restart:     unit.RestartAlways,
		StopTimeout: 5 * time.Second,
	}
	for _, dir := range wifi.Directories(n.WifiNetworks) {
		u.Mounts = append(u.Mounts, unit.Mount{Source: dir, Target: dir, Options: []string{"ro"}, Mkdir: 0o700})
	}
	if len(u.Mounts) > 1 { // they are on the state file system
		u.Requires = []string{NeedsState}
	}
	return u
}
