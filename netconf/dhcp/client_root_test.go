package dhcp_test

import (
	"context"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp"
	"github.com/pharos-os/pharos/netconf/leasefile"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// follower is a client on eth0 that configures what it is told, as little as
// that takes: the addresses.
type follower struct {
	link   netconf.Link
	events chan netconf.LeaseStatus
	stop   func()
}

func follow(t *testing.T, r netconf.LeaseRequest) *follower {
	t.Helper()
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	r.Link = netconftest.Link(t, "eth0")
	f := &follower{link: r.Link, events: make(chan netconf.LeaseStatus, 1000)}
	client := dhcp.New(dhcp.Options{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	f.stop = netconftest.Go(t, func(ctx context.Context) error {
		return client.Run(ctx, r, func(s netconf.LeaseStatus) {
			if s.Lost {
				ip(t, "-4", "addr", "flush", "dev", "eth0")
			}
			if s.State == netconf.LeaseBound {
				ip(t, "addr", "replace", s.Lease.Address.String(), "dev", "eth0")
			}
			f.events <- s
		})
	})
	return f
}

// ip runs ip(8) outside the test's goroutine.
func ip(t *testing.T, args ...string) {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// until waits for a report.
func (f *follower) until(t *testing.T, what string, holds func(netconf.LeaseStatus) bool) netconf.LeaseStatus {
	t.Helper()
	limit := time.NewTimer(25 * time.Second)
	defer limit.Stop()
	for {
		select {
		case s := <-f.events:
			if holds(s) {
				return s
			}
		case <-limit.C:
			t.Fatalf("not within 25 s: %s", what)
		}
	}
}

func (f *follower) bound(t *testing.T) *netconf.Lease {
	t.Helper()
	return f.until(t, "bound", func(s netconf.LeaseStatus) bool { return s.State == netconf.LeaseBound }).Lease
}

// has tells whether the kernel has the address.
func (f *follower) has(t *testing.T, p netip.Prefix) bool {
	t.Helper()
	return strings.Contains(netconftest.Run(t, "ip", "-4", "addr", "show", "dev", "eth0"), " "+p.String()+" ")
}

// serverOn makes a cable with a server of short leases at its other end.
func serverOn(t *testing.T) (*netconftest.Peer, *short) {
	t.Helper()
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	return peer, startShort(t, peer, "srv0", netip.MustParsePrefix("192.0.2.1/24"))
}

// TestRootShortLease: a lease of eight seconds is renewed by unicast; then its
// server is gone and it ends; then the server is back.
func TestRootShortLease(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	_, s := serverOn(t)
	give := behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 8}
	s.behave(t, give)
	f := follow(t, netconf.LeaseRequest{})
	first := f.bound(t)
	again := f.bound(t)
	if d := again.Acquired.Sub(first.Acquired); d < 3900*time.Millisecond || d > 5*time.Second || !f.has(t, first.Address) {
		t.Errorf("renewed after %v", d)
	}
	heard := s.behave(t, behaviour{})
	if last := heard[len(heard)-2]; last != "REQUEST <nil> unicast" {
		t.Errorf("the server heard %q", heard)
	}
	f.until(t, "rebinding", func(s netconf.LeaseStatus) bool { return s.State == netconf.LeaseRebinding })
	if !f.has(t, first.Address) {
		t.Error("the address went before the lease was over")
	}
	s.until(t, "REQUEST <nil> broadcast")
	lost := f.until(t, "expiry", func(s netconf.LeaseStatus) bool { return s.Lost })
	if d := time.Since(again.Acquired); d < 7900*time.Millisecond || d > 9*time.Second || f.has(t, first.Address) || lost.Message != "the lease has expired" {
		t.Errorf("lost after %v: %q", d, lost.Message)
	}
	s.behave(t, give)
	f.bound(t)
	if !f.has(t, first.Address) {
		t.Error("the new lease is not configured")
	}
}

// TestRootServerChange: another server takes over; the lease outlives it. Then
// it is told to refuse: the old address goes, another comes.
func TestRootServerChange(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer, s := serverOn(t)
	s.behave(t, behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 8})
	f := follow(t, netconf.LeaseRequest{})
	first := f.bound(t)
	s.behave(t, behaviour{})
	peer.Run(t, "ip", "addr", "del", "192.0.2.1/24", "dev", "srv0")
	peer.Run(t, "ip", "addr", "add", "192.0.2.2/24", "dev", "srv0")
	s.behave(t, behaviour{Server: "192.0.2.2", Give: "192.0.2.50", Lease: 8})
	second := f.bound(t)
	if second.Server.String() != "192.0.2.2" || second.Address != first.Address {
		t.Errorf("the lease is %s from %s", second.Address, second.Server)
	}
	s.behave(t, behaviour{Server: "192.0.2.2", Give: "192.0.2.60", Lease: 3600, Refuse: true})
	f.until(t, "refused", func(s netconf.LeaseStatus) bool { return s.Lost })
	third := f.bound(t)
	if third.Address.String() != "192.0.2.60/24" || f.has(t, first.Address) || !f.has(t, third.Address) {
		t.Errorf("the lease is %s", third.Address)
	}
}

// TestRootRebootedLease: a lease that was kept on disk is asked for first.
func TestRootRebootedLease(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	_, s := serverOn(t)
	s.behave(t, behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 3600})
	f := follow(t, netconf.LeaseRequest{})
	store := leasefile.New(t.TempDir(), leasefile.Options{})
	if err := store.Save(f.link.MAC, f.bound(t)); err != nil {
		t.Fatal(err)
	}
	f.stop()
	netconftest.Run(t, "ip", "addr", "flush", "dev", "eth0")
	s.behave(t, behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 3600})
	f = follow(t, netconf.LeaseRequest{Previous: store.Load(f.link.MAC)})
	if l := f.bound(t); l.Address.String() != "192.0.2.50/24" {
		t.Errorf("the lease is %s", l.Address)
	}
	heard := s.behave(t, behaviour{Server: "192.0.2.1", Give: "192.0.2.60", Lease: 3600, Refuse: true})
	if heard[0] != "REQUEST 192.0.2.50 broadcast" || len(heard) != 2 {
		t.Errorf("the server heard %q", heard)
	}
	f.stop()
	f = follow(t, netconf.LeaseRequest{Previous: store.Load(f.link.MAC)})
	first := f.until(t, "a report", func(netconf.LeaseStatus) bool { return true })
	if first.Lease != nil || first.State != netconf.LeaseInitReboot {
		t.Errorf("before the server has spoken the lease is %+v", first)
	}
	if l := f.bound(t); l.Address.String() != "192.0.2.60/24" {
		t.Errorf("after a refusal the lease is %s", l.Address)
	}
}

// TestRootDecline: dnsmasq gives an address that another host has. It is in
// use for a moment; then dnsmasq learns of it and gives another.
func TestRootDecline(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	netconftest.Run(t, "ip", "link", "set", "eth0", "address", "02:00:00:00:00:01")
	peer.Run(t, "ip", "link", "set", "srv0", "address", "02:00:00:00:00:ee")
	peer.Run(t, "ip", "link", "set", "lo", "up")
	peer.Run(t, "ip", "addr", "add", "192.0.2.50/32", "dev", "lo") // a kernel answers for all of its addresses
	newServer(t, peer, "srv0", "192.0.2.1/24").start(t, "--dhcp-range=192.0.2.60,192.0.2.62,255.255.255.0,1h",
		"--dhcp-host=02:00:00:00:00:01,192.0.2.50", "--dhcp-option=option:router,192.0.2.9") // a gateway may answer for others
	f := follow(t, netconf.LeaseRequest{})
	began := time.Now()
	first := f.bound(t)
	if first.Address.String() != "192.0.2.50/24" || !f.has(t, first.Address) {
		t.Fatalf("the lease is %s", first.Address)
	}
	lost := f.until(t, "a conflict", func(s netconf.LeaseStatus) bool { return s.Lost })
	if lost.Message != "192.0.2.50 is in use by 02:00:00:00:00:ee" || f.has(t, first.Address) {
		t.Errorf("lost: %q", lost.Message)
	}
	second := f.bound(t)
	if !netip.MustParsePrefix("192.0.2.60/30").Contains(second.Address.Addr()) || time.Since(began) < 8*time.Second {
		t.Errorf("the lease is %s after %v", second.Address, time.Since(began))
	}
}

// TestRootRenewAsked: the server hears of it at once, by unicast.
func TestRootRenewAsked(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	_, s := serverOn(t)
	give := behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 3600}
	s.behave(t, give)
	renew := make(chan struct{}, 1)
	f := follow(t, netconf.LeaseRequest{Renew: renew})
	first := f.bound(t)
	s.behave(t, give)
	renew <- struct{}{}
	if again := f.bound(t); !again.Acquired.After(first.Acquired) {
		t.Error("the lease is the same")
	}
	if heard := s.until(t, "REQUEST"); heard[0] != "REQUEST <nil> unicast" {
		t.Errorf("the server heard %q", heard)
	}
}
