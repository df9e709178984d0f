package netconf_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestRadio: what a link waits for that has not joined its Wi-Fi network, and
// why as far as that is known; a cable has nothing to do with it.
func TestRadio(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.Radio("eth0", "too early: nothing is configured") // another word replaces it
		b.kernel.Plug("eth0", false)
		b.configure(osconfig.Network{
			WifiNetworks: map[string]osconfig.WifiNetwork{"home": {SSID: "At home"}},
			Interfaces:   links{"eth0": osconfig.Interface{WifiNetwork: "home"}},
		})
		waits := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if d := cmp.Diff(want, b.State().Waiting); d != "" {
				t.Errorf("waiting (-want +got):\n%s", d)
			}
		}
		b.Radio("eth0", "not in range")
		waits("the Wi-Fi network home (not in range) on eth0")
		b.pass(11 * time.Second)
		b.problems("eth0: the Wi-Fi network home is not joined: not in range")
		b.Radio("eth0", "")
		waits("the Wi-Fi network home on eth0")
		b.problems("eth0: the Wi-Fi network home is not joined; ros logs wifi says more")
		b.kernel.Plug("eth0", true)
		waits("a lease on eth0")
		b.problems()
		b.lease("eth0", "192.0.2.5/24")
		b.online(true)
	})
}
