package vmtest

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// aggregated waits until a machine's bond has so many ports in use, all of
// which lead to the partner with this address.
func (g *guest) aggregated(t *testing.T, ports int, partner string) {
	t.Helper()
	t.Logf("waiting for a bond of %d ports with %s", ports, partner)
	active := regexp.MustCompile(`Active Aggregator Info:\s+Aggregator ID: (\d+)\s+Number of ports: (\d+)\s[^:]*: \d+\s+[^:]*: \d+\s+Partner Mac Address: (\S+)`)
	g.eventually(t, stepDeadline, "sudo cat /proc/net/bonding/bond0", func(r Result) bool {
		m := active.FindStringSubmatch(r.Stdout)
		if m == nil || m[2] != itoa(ports) || m[3] != partner {
			return false
		}
		_, legs, _ := strings.Cut(r.Stdout, "\nSlave Interface: ")
		return strings.Count(legs, "\nAggregator ID: "+m[1]+"\n") >= ports // one without a carrier keeps its place
	})
}

// testLACP cuts each cable in turn, at one end: the other machine does not
// see that by the carrier. What goes through the bond goes on.
func testLACP(t *testing.T, machines map[int]*guest) {
	both := func() {
		t.Helper()
		for n, g := range machines {
			g.aggregated(t, 2, legMAC(3-n, 0)) // a bond has its first leg's address
		}
	}
	both()
	t.Logf("aggregated:\n%s", machines[1].run(t, "sudo cat /proc/net/bonding/bond0"))
	near, far := machines[1], machines[2]
	if l := linkOf(near.network(t), "bond0"); l.Mode != "802.3ad" || l.Kind != "bond" {
		t.Errorf("bond0 is %+v", l)
	}
	near.prints(t, [][2]string{{"ping -c 3 -W 5 10.50.0.2", " 0% packet loss"}})
	for leg := range 2 { // the sender chooses one for all of these packets
		near.run(t, "ping -i 0.2 -W 1 10.60.0.2 >/tmp/ping.log 2>&1 & echo $! >/tmp/ping.pid")
		near.plug(t, "card"+itoa(leg), false)
		near.aggregated(t, 1, legMAC(2, 0))
		far.aggregated(t, 1, legMAC(1, 0))
		near.prints(t, [][2]string{{"ping -c 5 -i 0.2 -W 5 10.60.0.2", " 0% packet loss"}, {"ping -c 5 -i 0.2 -W 5 10.50.0.2", " 0% packet loss"}})
		near.plug(t, "card"+itoa(leg), true)
		both()
		out := near.run(t, "kill -INT $(cat /tmp/ping.pid); tail --pid=$(cat /tmp/ping.pid) -f /dev/null; grep transmitted /tmp/ping.log")
		t.Logf("leg%d cut and mended: %s", leg, out)
		count := regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`).FindStringSubmatch(out)
		if count == nil {
			t.Fatalf("no result of ping: %s", out)
		}
		sent, errSent := strconv.Atoi(count[1])
		back, errBack := strconv.Atoi(count[2])
		if errSent != nil || errBack != nil || back == 0 {
			t.Fatalf("with leg%d cut: %s", leg, out)
		}
		// The far end sends into the cut cable until LACP has missed three
		// messages, of which there is one a second.
		if lost := time.Duration(sent-back) * 200 * time.Millisecond; lost > slack(t, 10*time.Second) {
			t.Errorf("with leg%d cut nothing got through for %s", leg, lost)
		}
	}
	near.asConfigured(t)
}
