package vmtest

import (
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// plug puts the cable of a card in, or pulls it.
func (g *guest) plug(t *testing.T, card string, in bool) {
	t.Helper()
	ctx, cancel := Within(t.Context(), stepDeadline, "set_link")
	defer cancel()
	if err := g.QMP.SetLink(ctx, card, in); err != nil {
		t.Fatal(err)
	}
}

// testFlap pulls a cable and puts it in where another server is, with another
// network. What the old one gave is refused by the new one.
func testFlap(t *testing.T, g *guest, l lab, first *daemon) (second *daemon) {
	before := g.has(t, "flap0", "10.23.0.", api.SourceDHCP)
	g.plug(t, "card2", false)
	g.link(t, stepDeadline, "flap0", "has no carrier", func(l api.NetworkLink) bool { return l.State == api.LinkNoCarrier })
	first.stop()
	second = l.dnsmasq(t, "br-flap", "flap-second", "--dhcp-range=10.24.0.10,10.24.0.99,255.255.255.0,2m",
		"--dhcp-option-force=249,10.88.0.0/16,10.24.0.2,0.0.0.0/0,10.24.0.1")
	g.plug(t, "card2", true)
	after := g.has(t, "flap0", "10.24.0.", api.SourceDHCP)
	second.says(t, stepDeadline, 1, "DHCPNAK(br-flap)") // INIT-REBOOT: the old address was asked for first
	if hasAddress(after, "10.23.0.", api.SourceDHCP) || !hasAddress(after, "10.29.0.2/24", api.SourceStatic) {
		t.Errorf("flap0 was %+v\nand is  %+v", before.Addresses, after.Addresses)
	}
	g.eventuallyPrints(t, stepDeadline, "ip route show 10.88.0.0/16", "via 10.24.0.2 dev flap0")
	return second
}

// testNothingToDo: what is configured is there, and applying it again touches
// nothing. Advertisements are the kernel's own events.
func testNothingToDo(t *testing.T, g *guest) {
	g.asConfigured(t)
	if out := g.quietly(t, "{ ros network apply && ros network apply; }", "slaac0|six0"); out != "" {
		t.Errorf("applying twice what is there makes events:\n%s", out)
	}
	t.Logf("ros network apply says:\n%s", g.run(t, "sudo cat /tmp/command.out"))
	g.asConfigured(t)
	t.Logf("status:\n%s", g.run(t, "ros network status"))
}

// testExpiry: a lease is renewed at half of its time, when asked, and its
// address goes when nobody renews it.
func testExpiry(t *testing.T, g *guest, server *daemon) {
	const ack = "DHCPACK(br-flap)"
	n := strings.Count(server.text(), ack)
	g.run(t, "ros network renew flap0")
	server.says(t, stepDeadline, n+1, ack)
	renewed := time.Now()
	server.says(t, leaseTime+stepDeadline, n+2, ack)
	if took := time.Since(renewed); took < leaseTime/2-10*time.Second || took > slack(t, leaseTime/2+10*time.Second) {
		t.Errorf("renewed after %s, want %s", took, leaseTime/2)
	}
	if strings.Count(server.text(), "DHCPDISCOVER(br-flap)") > 1 {
		t.Errorf("renewed by discovery:\n%s", lastLines(server.text(), 30))
	}
	server.stop()
	gone := time.Now()
	g.link(t, leaseTime+stepDeadline, "flap0", "asks everybody", func(l api.NetworkLink) bool { return lease(l, "dhcp").State == "rebinding" })
	after := g.link(t, leaseTime+stepDeadline, "flap0", "has no address by DHCP", func(l api.NetworkLink) bool {
		return !hasAddress(l, "10.24.0.", api.SourceDHCP)
	})
	took := time.Since(gone)
	t.Logf("the lease ended %s after its server: %+v", took.Round(time.Second), after)
	if took < leaseTime/2 || took > slack(t, leaseTime+10*time.Second) {
		t.Errorf("the address went %s after the server, want at most %s", took, leaseTime)
	}
	if out := g.run(t, "ip -o addr show dev flap0; ip route"); strings.Contains(out, "10.24.0.") || !strings.Contains(out, "10.29.0.2/24") {
		t.Errorf("after the end of the lease:\n%s", out)
	}
	if n := g.network(t); n.Online || len(n.Waiting) != 1 || !strings.Contains(n.Waiting[0], "flap0") {
		t.Errorf("online %t, waiting for %q; want only flap0", n.Online, n.Waiting)
	}
}
