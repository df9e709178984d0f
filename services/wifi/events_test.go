package wifi

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestEvents: what wpa_supplicant 2.10 says of links becomes why they have not
// joined, and is asked for anew from a program that has been started again.
func TestEvents(t *testing.T) {
	dir, err := os.MkdirTemp("", "wif") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	type report struct{ Link, Why string }
	reports := make(chan report, 10)
	d := New(dir, Driver, func(link, why string) { reports <- report{link, why} })
	defer d.Close()
	s := &stand{}
	stop := s.listen(t, dir)
	want := map[string]osconfig.WifiNetwork{"wlan0": networks()["home"]}
	set := func() {
		t.Helper()
		if err := d.Set(want); err != nil {
			t.Fatal(err)
		}
	}
	set()
	set() // once is enough
	check := func(wanted ...report) {
		t.Helper()
		for _, w := range wanted {
			if d := cmp.Diff(w, <-reports); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		}
	}
	const absent, wrong = "not in range", "its access point refuses the key"
	for _, event := range []string{
		"IFNAME=wlan0 <3>CTRL-EVENT-SCAN-RESULTS ",
		"IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ",
		"IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ",
		`IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="a=b" auth_failures=1 duration=10 reason=WRONG_KEY`,
		"IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ", // it leaves it alone
		`IFNAME=wlan0 <3>CTRL-EVENT-SSID-REENABLED id=0 ssid="a=b"`,
		"", "x", "<3>CTRL-EVENT-CONNECTED", "IFNAME=wlan0 CTRL-EVENT-CONNECTED", "IFNAME=wlan0 <3CTRL-EVENT-CONNECTED",
		"IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ",
		"IFNAME=wlan0 <3>CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:01:00 completed [id=0 id_str=]",
		`IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="home" auth_failures=1 duration=10 reason=AUTH_FAILED`,
		`IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="home" auth_failures=2 duration=20 reason=CONN_FAILED`,
	} {
		s.says(t, event)
	}
	check(report{"wlan0", absent}, report{"wlan0", wrong}, report{"wlan0", absent}, report{"wlan0", ""},
		report{"wlan0", "its access point refuses who asks"}, report{"wlan0", "its access point does not let in"})

	want["wlan0"] = networks()["work"]
	set()
	check(report{"wlan0", ""}) // it was about another network
	stop()
	s.has = nil
	stop = s.listen(t, dir)
	set()
	s.says(t, "IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ")
	s.says(t, `IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="work" auth_failures=1 duration=10 reason=WRONG_KEY`)
	check(report{"wlan0", absent}, report{"wlan0", wrong})
	stop()
	s.has = nil
	stop = s.listen(t, dir)
	set()
	check(report{"wlan0", ""}) // nor does another program leave the network alone
	s.says(t, "IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ")
	check(report{"wlan0", absent})
	stop()
	select {
	case r := <-reports:
		t.Errorf("there is more: %v", r)
	default:
	}
}

// FuzzEvent: whatever is on the air, people get to read our words only.
func FuzzEvent(f *testing.F) {
	f.Add("IFNAME=wlan0 <3>CTRL-EVENT-NETWORK-NOT-FOUND ", "IFNAME=wlan0 <3>CTRL-EVENT-CONNECTED - x")
	f.Add(`IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="reason=" reason=WRONG_KEY`, "IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED")
	f.Add("IFNAME=wlan0 <3>CTRL-EVENT-SSID-TEMP-DISABLED =AUTH_FAILED", "IFNAME= <>")
	words := []string{"", "not in range", "its access point refuses the key", "its access point refuses who asks", "its access point does not let in"}
	f.Fuzz(func(t *testing.T, one, two string) {
		last := map[string]string{}
		s := stations{byLink: map[string]station{}, report: func(link, why string) {
			if !slices.Contains(words, why) || last[link] == why {
				t.Errorf("%q: %q after %q", link, why, last[link])
			}
			last[link] = why
		}}
		for _, message := range []string{one, two, one} {
			s.take(message)
		}
	})
}
