package wifi

import (
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

var update = flag.Bool("update", false, "write the golden files")

// networks are examples with every key of wifi_networks.
func networks() map[string]osconfig.WifiNetwork {
	return map[string]osconfig.WifiNetwork{
		"home": {SSID: "IEEE", PSK: "password", ScanSSID: 1, Priority: 7},
		"key":  {SSID: "box", PSK: strings.Repeat("0A", 32), KeyMgmt: "wpa-psk", Pairwise: "CCMP  TKIP", Group: "CCMP"},
		"odd":  {SSID: "a\"}\nnetwork={", PSK: `se"cret # "phrase`, KeyMgmt: "SAE WPA-PSK"},
		"wpa3": {SSID: "Café", PSK: "a pass phrase", KeyMgmt: "SAE"},
		"open": {SSID: "guest"},
		"work": {
			SSID: "work", KeyMgmt: "WPA-EAP", EAP: "PEAP TTLS", Identity: "me@work.example", AnonymousIdentity: "anonymous",
			Password: `p"w # x`, CACerts: []string{"/opt/wifi/ca.pem", "/opt/wifi/ca2.pem"}, ClientCerts: []string{"/var/lib/keys/client.pem"},
			PrivateKeys: []string{"/home/rancher/keys/client.key", "/opt/wifi/2.key"}, PrivateKeyPasswds: []string{"one", "two\\"},
			Phases: []string{"peaplabel=0", `phase2="auth=MSCHAPV2"`}, EAPOLFlags: "0",
		},
	}
}

func TestConfig(t *testing.T) {
	for name, w := range networks() {
		got, err := Config(w)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden := filepath.Join("testdata", name+".conf")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	// IEEE 802.11i, H.4.1, the first test vector.
	if text, _ := Config(networks()["home"]); !strings.Contains(text, "psk=f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e\n") {
		t.Error("the key is not the standard's")
	}
	if d := cmp.Diff([]string{"/home/rancher/keys", "/opt/wifi", "/var/lib/keys"}, Directories(networks())); d != "" {
		t.Error(d)
	}
}

func TestConfigErrors(t *testing.T) {
	const secret = "s3cr3t!"
	for name, w := range map[string]osconfig.WifiNetwork{
		"no name":          {PSK: secret + secret},
		"short":            {SSID: "a", PSK: secret},
		"key for SAE":      {SSID: "a", PSK: strings.Repeat("0a", 32), KeyMgmt: "SAE"},
		"in the console":   {SSID: "a", Password: secret, EAP: "TLS", CACerts: []string{"/etc/ssl/ca.pem"}},
		"above":            {SSID: "a", Password: secret, EAP: "TLS", CACerts: []string{"/opt/../etc/ca.pem"}},
		"all of /opt":      {SSID: "a", Password: secret, EAP: "TLS", CACerts: []string{"/opt/ca.pem"}},
		"another line":     {SSID: "a", Password: secret, KeyMgmt: "NONE\n}\n"},
		"a third phase":    {SSID: "a", Password: secret, EAP: "TLS", Phases: []string{"a=1", "b=2", "c=3"}},
		"another password": {SSID: "a", Password: secret, EAP: "MD5\"" + secret},
	} {
		text, err := Config(w)
		if name == "another line" {
			if err == nil && strings.Contains(text, "\n}\n\n") {
				t.Errorf("%s: %s", name, text)
			}
			continue
		}
		if err == nil || text != "" {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

// FuzzConfig: whatever a text has, it stays in its own line of the block.
func FuzzConfig(f *testing.F) {
	f.Add("ssid", "password", "identity", "a=b", "WPA-PSK")
	f.Add("\"\n}", "\n\n\n\n\n\n\n\n", "#", "\"", "\n")
	f.Fuzz(func(t *testing.T, ssid, psk, identity, phase, keys string) {
		text, err := Config(osconfig.WifiNetwork{SSID: ssid, PSK: psk, Identity: identity, Password: identity, Phases: []string{phase}, KeyMgmt: keys})
		if err != nil {
			return
		}
		lines := strings.Split(text, "\n")
		if strings.Count(text, "{") != 1 || lines[len(lines)-2] != "}" {
			t.Fatalf("more than one block:\n%s", text)
		}
		for _, l := range lines[3 : len(lines)-2] {
			if !strings.HasPrefix(l, "\t") || !strings.Contains(l, "=") || strings.ContainsAny(l, "#\r\x00") || strings.Count(l, `"`)%2 != 0 {
				t.Fatalf("line %q", l)
			}
		}
	})
}

// stand is wpa_supplicant's half of the control interface.
type stand struct {
	mu     sync.Mutex // guards the following
	orders []string
	has    []string
	refuse string // a link that it does not take
	slow   string // a link of which it says so together with the next answer
	late   func()

	conn     *net.UnixConn
	listener *net.UnixAddr // who hears its events
}

// says sends an event.
func (s *stand) says(t *testing.T, event string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conn.WriteToUnix([]byte(event), s.listener); err != nil {
		t.Fatal(err)
	}
}

func (s *stand) answer(text string, from *net.UnixAddr) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch text {
	case "PING":
		return "PONG\n"
	case "ATTACH":
		s.listener = from
		return "OK\n"
	}
	if text == "INTERFACES" {
		return strings.Join(s.has, "\n") + "\n"
	}
	s.orders = append(s.orders, strings.ReplaceAll(text, "\t", " "))
	order, rest, _ := strings.Cut(text, " ")
	name, _, _ := strings.Cut(rest, "\t")
	switch {
	case name == s.refuse:
		return "FAIL\n"
	case order == "INTERFACE_ADD":
		s.has = append(s.has, name)
	case order == "INTERFACE_REMOVE":
		s.has = slices.DeleteFunc(s.has, func(n string) bool { return n == name })
	}
	return "OK\n"
}

// set changes what it is like.
func (s *stand) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// listen serves until the test's end, or until the returned function.
func (s *stand) listen(t *testing.T, dir string) (stop func()) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "global"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s.conn = c
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := c.ReadFromUnix(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUnix([]byte("<3>CTRL-EVENT-SCAN-STARTED "), from)
			order := string(buf[:n])
			answer := s.answer(order, from)
			if s.late != nil {
				s.late()
				s.late = nil
			}
			if s.slow != "" && strings.HasPrefix(order, "INTERFACE_ADD "+s.slow) {
				s.late = func() { _, _ = c.WriteToUnix([]byte(answer), from) }
				continue
			}
			_, _ = c.WriteToUnix([]byte(answer), from)
		}
	}()
	stop = func() { c.Close(); <-done; os.Remove(filepath.Join(dir, "global")) }
	t.Cleanup(stop)
	return stop
}

func TestSet(t *testing.T) {
	dir, err := os.MkdirTemp("", "wif") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d := New(dir, Driver, func(link, why string) { t.Errorf("nobody said anything, and of %s is said %q", link, why) })
	home, work := networks()["home"], networks()["work"]
	want := map[string]osconfig.WifiNetwork{"wlan0": home}
	if err := d.Set(want); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("nobody listens: %v", err)
	}
	s := &stand{has: []string{"wlan9"}} // somebody's before us
	stop := s.listen(t, dir)
	check := func(what string, links map[string]osconfig.WifiNetwork, orders ...string) {
		t.Helper()
		s.set(func() { s.orders = nil })
		if err := d.Set(links); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range orders {
			orders[i] = strings.ReplaceAll(orders[i], "DIR", dir)
		}
		if d := cmp.Diff(orders, s.orders); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	check("first", want, "INTERFACE_REMOVE wlan9", "INTERFACE_ADD wlan0 DIR/wlan0.conf nl80211")
	if info, err := os.Stat(filepath.Join(dir, "wlan0.conf")); err != nil || info.Mode() != 0o600 {
		t.Errorf("configuration: %v, %v", info, err)
	}
	check("the same", want)
	want["wlan1"] = work
	check("one more", want, "INTERFACE_ADD wlan1 DIR/wlan1.conf nl80211")
	want["wlan1"] = home
	check("another network", want, "INTERFACE_REMOVE wlan1", "INTERFACE_ADD wlan1 DIR/wlan1.conf nl80211")
	d.Close()
	d = New(dir, Driver, func(string, string) {})
	check("after a restart of rosd", want)
	want["wlan1"] = work
	check("another network, after a restart of rosd", want, "INTERFACE_REMOVE wlan1", "INTERFACE_ADD wlan1 DIR/wlan1.conf nl80211")
	delete(want, "wlan0")
	check("one less", want, "INTERFACE_REMOVE wlan0")
	stop()
	if err := d.Set(want); !errors.Is(err, ErrNotRunning) {
		t.Errorf("ended: %v", err)
	}
	s.has = nil
	s.listen(t, dir)
	check("another one", want, "INTERFACE_ADD wlan1 DIR/wlan1.conf nl80211")
	s.set(func() { s.refuse = "wlan2" })
	want["wlan2"], want["wlan3"] = home, home
	if err := d.Set(want); err == nil || !strings.HasPrefix(err.Error(), "wifi: link wlan2: ") {
		t.Errorf("one is refused: %v", err)
	}
	s.set(func() {
		if d := cmp.Diff([]string{"wlan1", "wlan3"}, s.has); d != "" {
			t.Error(d)
		}
	})
	d.Close()
	for _, name := range []string{"rosd-*", "events-*"} {
		if left, err := filepath.Glob(filepath.Join(dir, name)); err != nil || len(left) > 0 {
			t.Errorf("sockets left: %q, %v", left, err)
		}
	}
}

// TestLateAnswers: an answer that comes too late is nobody else's.
func TestLateAnswers(t *testing.T) {
	dir, err := os.MkdirTemp("", "wif")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d := New(dir, Driver, func(string, string) {})
	defer d.Close()
	d.wait = time.Second // the other answers come in time on a busy machine, too
	s := &stand{slow: "wlan0", refuse: "wlan1"}
	stop := s.listen(t, dir)
	home := networks()["home"]
	want := map[string]osconfig.WifiNetwork{"wlan0": home, "wlan1": home}
	if err := d.Set(want); err == nil || strings.Count(err.Error(), "no answer") != 2 {
		t.Errorf("an answer is late: %v", err)
	}
	// The link has been added. That was only said too late.
	if err := d.Set(want); err == nil || strings.Contains(err.Error(), "no answer") || !strings.HasPrefix(err.Error(), "wifi: link wlan1: ") {
		t.Errorf("then: %v", err)
	}
	stop()
	s = &stand{has: s.has, refuse: "wlan1"}
	stop = s.listen(t, dir)
	d.wait = answerTime
	if err := d.Set(want); err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.HasPrefix(err.Error(), "wifi: link wlan1: ") {
		t.Errorf("afterwards: %v", err)
	}
	stop()
	if d := cmp.Diff([]string{"wlan0"}, s.has); d != "" {
		t.Error(d)
	}
}
