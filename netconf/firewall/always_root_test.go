package firewall_test

import (
	"os"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/firewall"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootAlways: what no policy may forbid. Neighbours are asked for and
// answered after the rules are there: nothing of IPv6 works without.
func TestRootAlways(t *testing.T) {
	if !netconftest.InNamespaceFor(t, 2*time.Minute) {
		return
	}
	netconftest.Run(t, "ip", "link", "set", "lo", "up") // package net looks there for IPv6
	peer := netconftest.NewPeer(t)
	cable(t, peer, "eth0", 1)
	apply(t, firewall.Spec{Policy: firewall.Drop, Allow: []firewall.Rule{{Protocol: "icmp", From: prefixes("10.1.0.2/32", "fd00:1::/64")}}})
	serve(t, "udp", "10.1.0.1:68")
	serve(t, "udp", "10.1.0.1:69")
	serve(t, "udp", ":546")
	answerFrom(t, peer, "[fd00:1::2]:80")

	netconftest.Run(t, "ip", "neigh", "flush", "all")
	peer.Run(t, "ip", "neigh", "flush", "all")
	// What the machine itself asks is answered; what it is asked is not.
	if got := askPatiently("tcp![fd00:1::2]:80"); got != "answer" {
		t.Errorf("asked by the machine: %s", got)
	}
	netconftest.Run(t, "ip", "addr", "add", "fe80::1/64", "dev", "eth0", "nodad")
	peer.Run(t, "ip", "addr", "add", "fe80::2/64", "dev", "fareth0", "nodad")
	want := map[string]string{
		"udp!10.1.0.1:68<67":        "answer", // a DHCP server's
		"udp!10.1.0.1:68":           "silent", // somebody else's
		"udp!10.1.0.1:69<67":        "silent",
		"udp![fe80::1%fareth0]:546": "answer", // a DHCPv6 server's
		"udp![fd00:1::1]:546":       "silent", // not from the link itself
	}
	check(t, "policy drop", peer, want)
	// ICMP by the rule, for both families.
	peer.Run(t, os.Args[0], "-test.run=^TestHelper$", "-test.v", "-ping=10.1.0.1")
	peer.Run(t, os.Args[0], "-test.run=^TestHelper$", "-test.v", "-ping=fd00:1::1")
	apply(t, firewall.Spec{Policy: firewall.Drop})
	if out, err := peer.Command(os.Args[0], "-test.run=^TestHelper$", "-ping=10.1.0.1").CombinedOutput(); err == nil {
		t.Errorf("without a rule there is an answer to ping\n%s", out)
	}
}
