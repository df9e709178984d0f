package arp_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/arp"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// quick is the standard timing, ten times as fast.
func quick() arp.Timing {
	return arp.Timing{ProbeMin: 100 * time.Millisecond, ProbeMax: 200 * time.Millisecond, AnnounceWait: 200 * time.Millisecond}
}

func detector(t *testing.T, name string) *arp.Detector {
	t.Helper()
	l, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := arp.Open(netconf.LinkID{Index: l.Index, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return arp.NewDetector(conn, arp.MAC(l.HardwareAddr), quick(), rand.Uint32)
}

// TestRootDetector asks a real kernel. It is named when it has the address, also
// when this machine uses the address meanwhile; the machine's other link in the
// same network is nobody else.
func TestRootDetector(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "far0")
	peer.Run(t, "ip", "link", "set", "far0", "address", "02:00:00:00:00:ee")
	peer.Run(t, "ip", "addr", "add", "192.0.2.5/24", "dev", "far0")
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	netconftest.Run(t, "ip", "addr", "add", "192.0.2.5/24", "dev", "eth0")
	d := detector(t, "eth0")
	defer d.Close()
	for address, want := range map[string]arp.MAC{"192.0.2.5": {2, 0, 0, 0, 0, 0xee}, "192.0.2.6": {}} {
		a := addr(address)
		rival, err := d.Probe(t.Context(), a, func(p arp.Packet) bool { return p.Has(a) })
		if err != nil || rival != want {
			t.Errorf("%s is said to be %s's, want %s (%v)", address, rival, want, err)
		}
	}
	if err := d.Announce(addr("192.0.2.7")); err != nil {
		t.Error(err)
	}
}

// TestRootOwnLinks: two links of the machine in one network; the kernel answers
// on each for both.
func TestRootOwnLinks(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	netconftest.Run(t, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
	for _, l := range []string{"eth0", "eth1"} {
		netconftest.Run(t, "ip", "link", "set", l, "up")
	}
	netconftest.Run(t, "ip", "addr", "add", "192.0.2.5/24", "dev", "eth0")
	d := detector(t, "eth0")
	defer d.Close()
	a := addr("192.0.2.5")
	heard := false
	rival, err := d.Probe(t.Context(), a, func(p arp.Packet) bool {
		heard = heard || p.Has(a)
		return p.Has(a)
	})
	if err != nil || rival != (arp.MAC{}) || !heard {
		t.Errorf("rival %s, %v; an answer was heard: %v", rival, err, heard)
	}
}

// TestRootSocketEnds: a link that goes down or is deleted ends what waits on it.
func TestRootSocketEnds(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	if conn, err := arp.Open(netconf.LinkID{Index: 99, Name: "eth9"}); err == nil || !strings.HasPrefix(err.Error(), "ARP socket on eth9: ") {
		t.Errorf("a link that is not there: %v, %v", conn, err)
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "far0")
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	d := detector(t, "eth0")
	netconftest.Run(t, "ip", "link", "set", "eth0", "down")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 2 { // it stays so
		if _, err := d.Watch(ctx, -1, func(arp.Packet) bool { return true }); err == nil || ctx.Err() != nil {
			t.Errorf("the link is down and Watch returns %v", err)
		}
	}
	d.Close()
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	d = detector(t, "eth0")
	go d.Close()
	if _, err := d.Watch(ctx, -1, func(arp.Packet) bool { return true }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the socket is closed and Watch returns %v", err)
	}
}
