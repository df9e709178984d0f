package vmtest

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/system/control/api"
)

// newGenericLab is a lab with the artefacts of FLAVOR=generic.
func newGenericLab(t *testing.T) lab {
	t.Helper()
	l := newLab(t)
	if l.files.Flavor != "generic" {
		t.Fatalf("build/ has FLAVOR=%s; run make FLAVOR=generic build/pharos.iso first", l.files.Flavor)
	}
	return l
}

// The Wi-Fi network of the test, as far as it is no secret.
const (
	wifiSSID    = "At home #1"
	wifiRouter  = "10.31.0.1"
	wifiAbsent  = "the Wi-Fi network home (not in range)"
	wifiRefused = "the Wi-Fi network home (its access point refuses the key)"
)

// wifiRadios gives the machine two radios, of which it uses one.
const wifiRadios = `      wlan0:
        wifi_network: home
        dhcp: true
  modules: [mac80211_hwsim radios=2]
`

// wifiNetwork is what the machine is told of the network.
func wifiNetwork(phrase, protection string) string {
	return fmt.Sprintf("    wifi_networks:\n      home: {ssid: %q, psk: %s, key_mgmt: %s}\n", wifiSSID, phrase, protection)
}

// TestGenericWifi joins a network of radios that the kernel simulates
// (mac80211_hwsim): one is the machine's, the other one an access point's.
func TestGenericWifi(t *testing.T) {
	l := newGenericLab(t)
	const wrong, right = "wrong horse battery", "correct horse battery"
	spec := l.networked(t, wifiRadios, wifiNetwork(wrong, "WPA-PSK"))
	spec.Append += " rancher.autologin=ttyS0"
	g := l.start(t, spec, false)
	g.login(t)
	s := g.settled(t)
	if s.State != api.StateDegraded || !slices.ContainsFunc(s.Reasons, func(r string) bool { return strings.Contains(r, "Wi-Fi network home") }) {
		t.Errorf("without an access point the machine is %s: %q", s.State, s.Reasons)
	}
	g.waitsForWifi(t, wifiAbsent)
	testWifiService(t, g)

	ap := g.newAccessPoint(t)
	defer ap.testify(t)
	ap.start(t, right, "wpa_key_mgmt=WPA-PSK")
	ap.run(t, "docker exec -d ap busybox udhcpd -f /udhcpd.conf")
	g.waitsForWifi(t, wifiRefused)
	testConsoleLooks(t, g)
	g.setWifi(t, wifiNetwork(right, "WPA-PSK"))
	g.joined(t, ap)

	ap.stop(t)
	g.waitsForWifi(t, wifiAbsent)
	ap.start(t, right, "wpa_key_mgmt=WPA-PSK")
	g.joined(t, ap)
	n := ap.connections(t)
	g.run(t, fmt.Sprintf("sudo kill -KILL %d", g.services(t)["wifi"].PID))
	g.eventually(t, stepDeadline, "true", func(Result) bool { return ap.connections(t) > n })
	g.joined(t, ap)

	ap.stop(t)
	ap.start(t, right, "wpa_key_mgmt=SAE\nieee80211w=2") // WPA3
	g.waitsForWifi(t, wifiAbsent)
	g.setWifi(t, wifiNetwork(right, "SAE"))
	g.joined(t, ap)
	g.ready(t, stepDeadline)
	testConsoleLooks(t, g)
	if out := g.run(t, "sudo ros logs -n 5000 wifi"); strings.Contains(out, "p2p-dev") {
		t.Errorf("there was an interface for Wi-Fi Direct:\n%s", out)
	}
	testNoPhrases(t, g, wrong, right)
	testReplug(t, g)
}

// TestGenericDevices has what virtual machines of clouds have not: a graphics
// card, sound, USB, and a serial port on USB that is plugged in while
// containers run.
func TestGenericDevices(t *testing.T) {
	l := newGenericLab(t)
	spec := l.direct(l.files.SystemImg, l.keyParam())
	spec.Extra = []string{"-device", "virtio-gpu-pci", "-device", "qemu-xhci,id=usb", "-device", "usb-tablet,bus=usb.0",
		"-audiodev", "none,id=silence", "-device", "intel-hda", "-device", "hda-duplex,audiodev=silence", "-chardev", "null,id=line"}
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	g.logSteps(t, "devices", "forwarding")
	g.loadTools(t)
	g.hasAllNodes(t)
	access := func(want, files string) {
		t.Helper()
		g.eventually(t, stepDeadline, "stat -L -c '%A %U %G' "+files+" | sort -u", func(r Result) bool { return strings.TrimSpace(r.Stdout) == want })
	}
	access("crw-rw---- root video", "/dev/dri/card*")
	access("crw-rw---- root render", "/dev/dri/renderD128")
	access("crw-rw---- root audio", "/dev/snd/controlC0 /dev/snd/pcmC0D0p /dev/snd/seq /dev/snd/timer")
	access("crw-rw-r-- root root", "/dev/bus/usb/*/*")
	access("crw-rw-rw- root root", "/dev/fuse /dev/net/tun")
	g.run(t, "ls /dev/dri/by-path/*-card /dev/dri/by-path/*-render /dev/snd/by-path/*")
	g.run(t, inContainer("--cap-add NET_ADMIN --device /dev/dri --device /dev/snd --device /dev/bus/usb --device /dev/ppp",
		": </dev/dri/renderD128 && : </dev/snd/controlC0 && : </dev/snd/seq && : </dev/ppp && for d in /dev/bus/usb/*/*; do : <$d || exit 1; done"))
	g.run(t, "grep -E '^(snd_seq|ppp_generic) ' /proc/modules")
	if r := g.try(t, inContainer("--user 1000 --group-add $(getent group render | cut -d: -f3) --device /dev/dri", ": </dev/dri/renderD128")); r.Code != 0 {
		t.Errorf("a member of the group render does not open the card: %s", r.Stderr)
	}

	g.run(t, "docker run -d --init=false --name bridge -v /dev:/dev --device-cgroup-rule 'c 188:* rmw' "+toolsImage) // 188 is USB's serial ports
	ctx, cancel := Within(t.Context(), stepDeadline, "a serial port on USB")
	defer cancel()
	if err := g.QMP.Plug(ctx, "usb-serial", map[string]any{"chardev": "line", "bus": "usb.0", "id": "stick", "serial": "stick", "always-plugged": true}); err != nil {
		t.Fatal(err)
	}
	const byID = "/dev/serial/by-id/usb-*-port0"
	access("crw-rw---- root dialout", byID)
	g.prints(t, [][2]string{
		{"docker exec bridge busybox sh -c 'busybox stty -F " + byID + "'", "speed"},
		{"docker run --rm --device $(readlink -f " + byID + "):/dev/ttyZigbee " + toolsImage + " busybox stty -F /dev/ttyZigbee", "speed"},
		{"docker run --rm --device $(ls " + byID + "):/dev/ttyZigbee " + toolsImage + " busybox stty -F /dev/ttyZigbee", "speed"},
	})
	g.prints(t, [][2]string{{"sudo cat /sys/module/module/parameters/sig_enforce", "Y"}, {"cat /proc/sys/kernel/tainted", "0"}})
	g.ready(t, stepDeadline)
}

// testReplug pulls the radios and plugs one in: it is told of the network
// again, where nobody serves it any longer.
func testReplug(t *testing.T, g *guest) {
	t.Helper()
	g.run(t, "sudo modprobe -r mac80211_hwsim")
	g.eventually(t, stepDeadline, "ros network status --json", func(r Result) bool {
		var n api.Network
		return json.Unmarshal([]byte(r.Stdout), &n) == nil && slices.Equal(n.Waiting, []string{"a link that is named wlan0"})
	})
	g.run(t, "sudo modprobe mac80211_hwsim radios=1")
	g.waitsForWifi(t, wifiAbsent)
}

// setWifi tells the machine something else of the network.
func (g *guest) setWifi(t *testing.T, network string) {
	t.Helper()
	g.put(t, "/tmp/network.yml", []byte("#cloud-config\nrancher:\n  network:\n"+network))
	g.run(t, "sudo ros config merge -i /tmp/network.yml && rm /tmp/network.yml")
	g.try(t, "ros network apply") // ends with 1 when it is not online at once
}

// waitsForWifi waits until wlan0 has no carrier for a reason that people see.
func (g *guest) waitsForWifi(t *testing.T, what string) {
	t.Helper()
	g.link(t, stepDeadline, "wlan0", "waits for "+what, func(l api.NetworkLink) bool {
		return l.State == api.LinkNoCarrier && slices.Equal(l.Waiting, []string{what})
	})
	if n := g.network(t); n.Online || !slices.Contains(n.Waiting, what+" on wlan0") {
		t.Errorf("online %t, waiting for %q", n.Online, n.Waiting)
	}
	g.eventuallyPrints(t, stepDeadline, "ros network status", "wlan0: the Wi-Fi network home is not joined: ")
	t.Logf("status:\n%s", g.run(t, "ros network status"))
}

// testWifiService: what the system container of wpa_supplicant may do.
func testWifiService(t *testing.T, g *guest) {
	t.Helper()
	s := g.services(t)["wifi"]
	if s.State != "running" || s.PID <= 0 {
		t.Fatalf("service wifi is %+v", s)
	}
	sets := g.sets(t, fmt.Sprintf("/proc/%d/status", s.PID))
	if len(sets) != 1 || len(s.Capabilities) == 0 {
		t.Fatalf("%d processes %d, capabilities %q", len(sets), s.PID, s.Capabilities)
	}
	testSets(t, "wifi", sets[0], s.Capabilities)
}

// joined holds the machine to a lease that came by the air, and to being all
// that was asked for.
func (g *guest) joined(t *testing.T, ap accessPoint) {
	t.Helper()
	g.has(t, "wlan0", "10.31.0.", api.SourceDHCP)
	g.eventuallyPrints(t, stepDeadline, "ping -c 3 -W 5 -I wlan0 "+wifiRouter, " 0% packet loss")
	g.asConfigured(t)
	if out := g.run(t, "docker exec ap iw dev wlan1 station dump"); strings.Count(out, "Station ") != 1 || !regexp.MustCompile(`authorized:\s+yes`).MatchString(out) {
		t.Errorf("the access point knows\n%s", out)
	}
	if n := g.network(t); !n.Online || len(n.Waiting)+len(n.Problems) != 0 {
		t.Errorf("online %t, waiting for %q, problems %q", n.Online, n.Waiting, n.Problems)
	}
	t.Logf("status:\n%s", g.run(t, "ros network status"))
}

// accessPoint is hostapd with the machine's second radio, and a DHCP server, in
// a container whose network namespace has nothing else.
type accessPoint struct{ *guest }

func (g *guest) newAccessPoint(t *testing.T) accessPoint {
	t.Helper()
	const name = "access-point:test"
	image, err := ToolboxImage(g.lab.tools, name, []string{"/usr/sbin/hostapd", "/usr/sbin/iw", "/usr/bin/busybox"},
		[]string{"/usr/bin/busybox", "tail", "-f", "/dev/null"})
	if err != nil {
		t.Fatal(err)
	}
	ap := accessPoint{g}
	ap.feed(t, "docker load", image)
	g.run(t, "docker run -d --init=false --name ap --privileged --network none "+name)
	g.run(t, "docker run --rm --privileged --network host --pid host "+name+
		" iw phy $(cat /sys/class/net/wlan1/phy80211/name) set netns $(docker inspect -f {{.State.Pid}} ap)")
	ap.feed(t, "docker exec -i ap busybox dd of=/udhcpd.conf", fmt.Appendf(nil, `interface wlan1
start 10.31.0.10
end 10.31.0.99
option subnet 255.255.255.0
option router %s
option lease 600
lease_file /leases
pidfile /udhcpd.pid
`, wifiRouter))
	g.run(t, "docker exec ap busybox touch /leases && docker exec ap busybox ip addr add "+wifiRouter+"/24 dev wlan1")
	return ap
}

// start serves the network to those who know a pass phrase.
func (ap accessPoint) start(t *testing.T, phrase, protection string) {
	t.Helper()
	ap.feed(t, "docker exec -i ap busybox dd of=/hostapd.conf", fmt.Appendf(nil, `interface=wlan1
driver=nl80211
ssid=%s
hw_mode=g
channel=1
wpa=2
rsn_pairwise=CCMP
wpa_passphrase=%s
%s
`, wifiSSID, phrase, protection))
	ap.run(t, "docker exec -d ap hostapd -f /hostapd.log /hostapd.conf")
}

func (ap accessPoint) stop(t *testing.T) {
	t.Helper()
	ap.run(t, "docker exec ap busybox killall hostapd")
	ap.eventuallyPrints(t, stepDeadline, "docker exec ap busybox pidof hostapd || echo gone", "gone")
}

// connections is how often somebody has joined.
func (ap accessPoint) connections(t *testing.T) int {
	t.Helper()
	return ap.number(t, "docker exec ap busybox grep -c AP-STA-CONNECTED /hostapd.log")
}

// testify prints what hostapd has logged, after a failure.
func (ap accessPoint) testify(t *testing.T) {
	t.Helper()
	if t.Failed() {
		t.Logf("hostapd said:\n%s", ap.try(t, "docker exec ap busybox tail -n 60 /hostapd.log").Stdout)
		t.Logf("wpa_supplicant said:\n%s", ap.try(t, "sudo ros logs -n 60 wifi").Stdout)
	}
}

// testConsoleLooks prints, on the serial console, what somebody there looks at.
func testConsoleLooks(t *testing.T, g *guest) {
	t.Helper()
	for _, command := range []string{"ros status", "ros service list", "ros network status"} {
		mark := g.Console.Mark()
		if err := g.Console.Type(command + "; echo end-$((40+2))\n"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := Within(t.Context(), stepDeadline, command+" on the serial console")
		defer cancel()
		found, err := g.Console.WaitFrom(ctx, mark, regexp.MustCompile(`(?s).*end-42`))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", found[0])
	}
}

// testNoPhrases looks for pass phrases and the keys that they stand for.
func testNoPhrases(t *testing.T, g *guest, phrases ...string) {
	t.Helper()
	// It is where the program reads it, and root alone.
	const file = "/proc/1/root/run/pharos/wifi/wlan0.conf"
	if out := g.run(t, "sudo stat -c '%U %a' "+file+" && sudo cat "+file); !strings.HasPrefix(out, "root 600\n") || !strings.Contains(out, phrases[len(phrases)-1]) {
		t.Errorf("the program's file is\n%s", out)
	}
	secrets := slices.Clone(phrases)
	for _, p := range phrases {
		key, err := pbkdf2.Key(sha1.New, p, []byte(wifiSSID), 4096, 32)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, hex.EncodeToString(key))
	}
	g.tellsNone(t, secrets, "sudo ros logs -n 5000 wifi", "ros service list --json", "docker logs ap; true",
		"sudo sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr \"\\0\" \"\\n\"; true'")
}
