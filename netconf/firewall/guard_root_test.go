package firewall_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/firewall"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootGuard: a machine with two cables, a bridge of its engine with a name
// of the user's, and a bridge of its own, which forwards IPv6.
func TestRootGuard(t *testing.T) {
	if !netconftest.InNamespaceFor(t, 3*time.Minute) {
		return
	}
	netconftest.Run(t, "ip", "link", "set", "lo", "up")
	first, second, container, inside := netconftest.NewPeer(t), netconftest.NewPeer(t), netconftest.NewPeer(t), netconftest.NewPeer(t)
	cable(t, first, "eth1", 1)
	cable(t, second, "eth2", 2)
	bridged(t, container, "web", 3)
	bridged(t, inside, "br-lan", 4)
	for i, peer := range []*netconftest.Peer{first, second, container, inside} {
		peer.Run(t, "ip", "route", "add", "default", "via", fmt.Sprintf("10.%d.0.1", i+1))
		peer.Run(t, "ip", "-6", "route", "add", "default", "via", fmt.Sprintf("fd00:%d::1", i+1))
		answerFrom(t, peer, fmt.Sprintf("[fd00:%d::2]:80", i+1))
		answerFrom(t, peer, fmt.Sprintf("10.%d.0.2:80", i+1))
	}
	for _, file := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+file, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const silent, answer = "silent", "answer"
	toSecond, toContainer, toInside := "tcp![fd00:2::2]:80", "tcp![fd00:3::2]:80", "tcp![fd00:4::2]:80"
	everything := map[string]string{toSecond: answer, toContainer: answer, toInside: answer, "tcp!10.2.0.2:80": answer, "tcp!10.4.0.2:80": answer}
	check(t, "without a guard", first, everything)

	own := []string{"br-lan"}
	guard := func(own []string) {
		t.Helper()
		if err := firewall.Guard(own); err != nil {
			t.Fatal(err)
		}
	}
	guard(own)
	check(t, "from a cable", first, map[string]string{
		toSecond: silent, toContainer: answer, toInside: silent, "tcp!10.2.0.2:80": answer, "tcp!10.4.0.2:80": answer,
	})
	check(t, "from the bridge of our own", inside, map[string]string{"tcp![fd00:1::2]:80": silent, toContainer: answer})
	check(t, "from a container", container, map[string]string{"tcp![fd00:1::2]:80": answer, toSecond: answer, toInside: answer})
	before := generation(t)
	guard(own)
	if after := generation(t); after != before {
		t.Errorf("the second time changed rules:\n%s\n%s", before, after)
	}
	apply(t, firewall.Spec{Policy: firewall.Drop})
	check(t, "beside a firewall", first, map[string]string{toSecond: silent, toContainer: answer})
	apply(t, firewall.Spec{})
	check(t, "after the firewall", first, map[string]string{toSecond: silent, toContainer: answer})
	guard(nil)
	check(t, "br-lan is the engine's", first, map[string]string{toSecond: silent, toInside: answer})
	for range 2 {
		if err := firewall.Unguard(); err != nil {
			t.Fatal(err)
		}
		if got := generation(t); got != "" {
			t.Errorf("without a guard there is %s", got)
		}
	}
	check(t, "the guard has gone", first, everything)
}

// bridged is cable for a bridge, of which the cable is a port.
func bridged(t *testing.T, peer *netconftest.Peer, name string, n int) {
	t.Helper()
	port := "p-" + name
	cable(t, peer, port, n)
	netconftest.Run(t, "ip", "addr", "flush", "dev", port)
	netconftest.Run(t, "ip", "link", "add", name, "type", "bridge")
	netconftest.Run(t, "ip", "link", "set", port, "master", name)
	netconftest.Run(t, "ip", "link", "set", name, "up")
	netconftest.Run(t, "ip", "addr", "add", fmt.Sprintf("10.%d.0.1/24", n), "dev", name)
	netconftest.Run(t, "ip", "addr", "add", fmt.Sprintf("fd00:%d::1/64", n), "dev", name, "nodad")
}
