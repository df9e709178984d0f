package rtnl_test

import (
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootDormant: a link that somebody speaks for, as wpa_supplicant does for
// a radio, has a carrier when that one says so.
func TestRootDormant(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	k := open(t)
	events, err := k.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// wait waits for events until the carrier is as wanted.
	wait := func(what string, want bool) {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for {
			links, err := k.Links()
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range links {
				if l.Name == "w0" && l.Up && l.Carrier == want {
					return
				}
			}
			select {
			case <-events:
			case <-deadline:
				t.Fatalf("%s: the carrier is not %v; %+v", what, want, links)
			}
		}
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "w0", "far")
	netconftest.Run(t, "ip", "link", "set", "w0", "mode", "dormant")
	netconftest.Run(t, "ip", "link", "set", "w0", "up")
	wait("associated", false)
	netconftest.Run(t, "ip", "link", "set", "w0", "state", "up")
	wait("keys are there", true)
	netconftest.Run(t, "ip", "link", "set", "w0", "state", "dormant")
	wait("keys are lost", false)
	netconftest.Run(t, "ip", "link", "set", "w0", "state", "up")
	wait("keys are there again", true)
	peer.Run(t, "ip", "link", "set", "far", "down")
	wait("out of reach", false)
}
