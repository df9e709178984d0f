package ipv4ll

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/arp"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// quick is the RFC's timing, ten times as fast.
func quick() arp.Timing {
	t := arp.Standard()
	for _, d := range []*time.Duration{&t.ProbeWait, &t.ProbeMin, &t.ProbeMax, &t.AnnounceWait, &t.AnnounceInterval, &t.DefendInterval} {
		*d /= 10
	}
	return t
}

// real is a client on eth0 of a namespace that configures what is reported.
type real struct{ events chan string }

func startReal(t *testing.T) *real {
	t.Helper()
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	link := netconftest.Link(t, "eth0")
	r := &real{events: make(chan string, 16)}
	netconftest.Go(t, func(ctx context.Context) error {
		return New(Options{Timing: quick()}).Run(ctx, link, func(p netip.Prefix) {
			if p.IsValid() {
				netconftest.Run(t, "ip", "addr", "add", p.String(), "dev", "eth0")
				r.events <- p.Addr().String()
				return
			}
			netconftest.Run(t, "ip", "-4", "addr", "flush", "dev", "eth0")
			r.events <- "none"
		})
	})
	return r
}

func (r *real) next(t *testing.T) string {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was reported within 20 s")
		return ""
	}
}

// TestRootClaim: two kernels, one cable. The other one has the first address
// that would be tried; the second one is claimed, and answers.
func TestRootClaim(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "far0")
	netconftest.Run(t, "ip", "link", "set", "eth0", "address", "02:00:00:00:00:01")
	next := candidates(arp.MAC{2, 0, 0, 0, 0, 1})
	taken, free := next().String(), next().String()
	peer.Run(t, "ip", "addr", "add", taken+"/16", "dev", "far0")
	r := startReal(t)
	if got := r.next(t); got != free {
		t.Fatalf("claimed %s, want %s: %s is taken", got, free, taken)
	}
	peer.Run(t, "busybox", "ping", "-c", "1", "-W", "5", free)
	table, err := peer.Command("ip", "neigh", "show", "dev", "far0").CombinedOutput()
	if err != nil || !strings.Contains(string(table), free+" lladdr 02:00:00:00:00:01") {
		t.Errorf("the peer's neighbours: %v\n%s", err, table)
	}
}

// TestRootDefend: the other kernel takes the address. It is defended once, and
// then given up for another.
func TestRootDefend(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "far0")
	r := startReal(t)
	mine := r.next(t)
	peer.Run(t, "ip", "addr", "add", mine+"/16", "dev", "far0")
	peer.Run(t, "busybox", "sysctl", "-q", "-w", "net.ipv4.conf.far0.arp_notify=1")
	for range 2 { // Linux announces its addresses when a link comes up, if it is told to
		peer.Run(t, "ip", "link", "set", "far0", "down")
		peer.Run(t, "ip", "link", "set", "far0", "up")
	}
	if got := r.next(t); got != "none" {
		t.Fatalf("after two conflicts came %s", got)
	}
	if got := r.next(t); got == mine || got == "none" {
		t.Errorf("the next address is %s, as before", got)
	}
}
