package wifi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/wifi"
)

// TestRootSupplicant: the real program takes every configuration, and a link
// that appears gets one. There is no radio: a cable's driver stands in.
func TestRootSupplicant(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	const program = "/usr/sbin/wpa_supplicant"
	cell := netconftest.NewCell(t, program)
	dir := cell.Dir
	log := cell.Start(t, program, "-g", filepath.Join(dir, "global"))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; <-tick.C {
		if _, err := os.Stat(filepath.Join(dir, "global")); err == nil {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("no socket: %s", log.String())
		}
	}

	d := wifi.New(dir, "wired", func(string, string) {})
	defer d.Close()
	home := osconfig.WifiNetwork{SSID: "home", PSK: `se"cret # phrase`, KeyMgmt: "WPA-PSK SAE"}
	work := osconfig.WifiNetwork{
		SSID: "w\"#", ScanSSID: 1, Priority: 1, KeyMgmt: "WPA-EAP", EAP: "PEAP TTLS", Identity: "me", AnonymousIdentity: "a#", Password: `p"w # x`,
		CACerts: []string{"/opt/wifi/a.pem", "/opt/wifi/b.pem"}, ClientCerts: []string{"/opt/wifi/a.pem", "/opt/wifi/b.pem"},
		PrivateKeys: []string{"/opt/wifi/a.pem", "/opt/wifi/b.pem"}, PrivateKeyPasswds: []string{"a", "b\""},
		Phases: []string{"peaplabel=0", "auth=MSCHAPV2"}, EAPOLFlags: "0", Pairwise: "CCMP TKIP", Group: "CCMP TKIP",
	}
	open := osconfig.WifiNetwork{SSID: "open"}
	links := map[string]osconfig.WifiNetwork{"w0": home, "w1": work, "w2": open}
	if err := d.Set(links); err == nil || strings.Count(err.Error(), "wifi: link ") != 3 {
		t.Errorf("links that are not there: %v", err)
	}
	for name := range links {
		netconftest.Run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", "far-"+name)
	}
	if err := d.Set(links); err != nil {
		t.Errorf("all three: %v\n%s", err, log.String())
	}
	delete(links, "w1")
	links["w0"] = open
	if err := d.Set(links); err != nil {
		t.Errorf("a change: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{filepath.Join(dir, "w0.conf"), filepath.Join(dir, "w2.conf")}, left); d != "" {
		t.Error(d)
	}
	for _, secret := range []string{"cret", "p\"w"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells a secret:\n%s", log.String())
		}
	}
}
