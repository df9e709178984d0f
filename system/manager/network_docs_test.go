package manager

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/firewall"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// quickDHCP gives every link a lease at once, the first time: asked again,
// eth1's server is silent.
type quickDHCP struct{}

func (quickDHCP) Run(ctx context.Context, r netconf.LeaseRequest, report func(netconf.LeaseStatus)) error {
	address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r.Link.Index), 15}), 24)
	for {
		report(netconf.LeaseStatus{State: netconf.LeaseBound, Lease: &netconf.Lease{
			Address: address, Server: netip.AddrFrom4([4]byte{10, 0, byte(r.Link.Index), 1}),
			Routers:  []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(r.Link.Index), 1})},
			Acquired: time.Now(), Duration: time.Hour, T1: 30 * time.Minute,
		}})
		again := r.Renew
		if r.Link.Name == "eth1" {
			again = nil
		}
		select {
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// memoryNetwork is a machine with some cards, of which only the kernel and
// the servers are not real. It runs until the test ends.
func memoryNetwork(t *testing.T) (*netconf.Manager, *netconftest.Kernel) {
	t.Helper()
	k := netconftest.NewKernel()
	for i, name := range []string{"eth0", "eth1", "eth2", "wlan0"} {
		k.AddHardware(name, "", fmt.Sprintf("52:54:00:12:34:%02x", 0x56+i))
	}
	n := netconf.New(k, quickDHCP{}, noNames{}, netconf.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return n, k
}

// TestNetworkPages: each example of the page is carried out as it stands;
// after that nothing is left to do, and a second time changes nothing.
func TestNetworkPages(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "network.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)\n```").FindAllStringSubmatch(string(page), -1)
	if len(examples) < 12 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, example := range examples {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			c := configured(t, example[1]).Config.Rancher.Network
			spec, errs := netconf.FromConfig(c)
			if _, more := firewall.FromConfig(c.Firewall); len(errs)+len(more) > 0 {
				t.Fatalf("%s\n%v %v", example[1], errs, more)
			}
			synctest.Test(t, func(t *testing.T) {
				n, k := memoryNetwork(t)
				n.Apply(spec)
				time.Sleep(time.Minute) // of the bubble: all that is retried has been
				if calls := k.Calls(); len(calls) == 0 {
					t.Error("it does nothing")
				}
				plan, err := n.PlanFor(spec)
				if len(plan) > 0 || err != nil {
					t.Errorf("%s\nleft to do:\n%s%v", example[1], plan, err)
				}
				n.Apply(spec)
				time.Sleep(time.Minute)
				if calls := k.Calls(); len(calls) > 0 {
					t.Errorf("%s\na second time it does: %q", example[1], calls)
				}
			})
		})
	}
}
