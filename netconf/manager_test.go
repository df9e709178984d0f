package netconf_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// leases stands in for DHCP: the test says what each link's client reports.
type leases struct {
	mu      sync.Mutex
	clients map[string]*fakeClient
}

type fakeClient struct {
	request netconf.LeaseRequest
	report  func(netconf.LeaseStatus)
}

func (l *leases) Run(ctx context.Context, request netconf.LeaseRequest, report func(netconf.LeaseStatus)) error {
	l.mu.Lock()
	l.clients[request.Link.Name] = &fakeClient{request, report}
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.clients, request.Link.Name)
	return ctx.Err()
}

// on returns the client that runs on a link; nil if none does.
func (l *leases) on(name string) *fakeClient {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clients[name]
}

// writer remembers what was written.
type writer struct {
	last netconf.Names
	err  error
}

func (w *writer) Write(n netconf.Names) error {
	w.last = n
	return w.err
}

// box is a machine in memory and in virtual time.
type box struct {
	*netconf.Manager
	t      *testing.T
	kernel *netconftest.Kernel
	leases *leases
	names  *writer
	stop   func()
}

// inBox runs a test in virtual time on a machine with eth0 and eth1.
func inBox(t *testing.T, run func(*testing.T, *box)) {
	synctest.Test(t, func(t *testing.T) {
		k := netconftest.NewKernel()
		k.AddLink("eth0", "", "02:00:00:00:00:01")
		k.AddLink("eth1", "", "02:00:00:00:00:02")
		b := newBox(t, k)
		defer b.stop()
		run(t, b)
	})
}

func newBox(t *testing.T, k *netconftest.Kernel) *box {
	b := &box{t: t, kernel: k, leases: &leases{clients: make(map[string]*fakeClient)}, names: &writer{}}
	b.Manager = netconf.New(k, b.leases, b.names, netconf.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	return b
}

// configure applies a configuration and lets everything come to rest.
func (b *box) configure(c osconfig.Network) {
	b.t.Helper()
	spec, errs := netconf.FromConfig(c)
	if errs != nil {
		b.t.Fatal(errs)
	}
	b.Apply(spec)
	synctest.Wait()
}

// lease lets a link's DHCP client report a lease of address, gateway .1.
func (b *box) lease(name, address string, modify ...func(*netconf.Lease)) {
	b.t.Helper()
	p := netip.MustParsePrefix(address)
	l := &netconf.Lease{Address: p, Routers: []netip.Addr{p.Masked().Addr().Next()}, Acquired: time.Now(), Duration: time.Hour}
	for _, m := range modify {
		m(l)
	}
	b.tell(name, netconf.LeaseStatus{State: netconf.LeaseBound, Lease: l})
}

func (b *box) tell(name string, s netconf.LeaseStatus) {
	b.t.Helper()
	c := b.leases.on(name)
	if c == nil {
		b.t.Fatalf("no DHCP client runs on %s", name)
	}
	c.report(s)
	synctest.Wait()
}

// pass lets virtual time go by.
func (b *box) pass(d time.Duration) {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	<-ctx.Done()
	synctest.Wait()
}

func (b *box) calls(want ...string) {
	b.t.Helper()
	if d := cmp.Diff(want, b.kernel.Calls()); d != "" {
		b.t.Errorf("changes (-want +got):\n%s", d)
	}
}

func (b *box) problems(want ...string) {
	b.t.Helper()
	if d := cmp.Diff(append([]string{}, want...), b.Problems()); d != "" {
		b.t.Errorf("problems (-want +got):\n%s", d)
	}
}

func (b *box) online(want bool) {
	b.t.Helper()
	if got := b.State().Online; got != want {
		b.t.Errorf("online is %v, want %v: %s", got, want, b.Online())
	}
}

func static(address, gateway string) osconfig.Interface {
	return osconfig.Interface{Address: address, Gateway: gateway}
}

func dynamic() osconfig.Interface {
	yes := true
	return osconfig.Interface{DHCP: &yes}
}

func network(interfaces map[string]osconfig.Interface) osconfig.Network {
	return osconfig.Network{Interfaces: interfaces}
}

type links = map[string]osconfig.Interface

func TestStatic(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		synctest.Wait()
		b.calls("link set lo up") // and nothing else before the first Apply
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		b.calls("link set eth0 up", "addr add 10.0.0.2/24 dev eth0", "route replace default via 10.0.0.1 dev eth0 metric 102")
		b.online(true)
		b.problems()
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		b.calls()
		b.configure(network(links{"eth0": static("10.0.1.2/24", "10.0.1.1")}))
		b.calls("addr add 10.0.1.2/24 dev eth0", "route replace default via 10.0.1.1 dev eth0 metric 102",
			"addr del 10.0.0.2/24 dev eth0")
	})
}

// TestStaticBesideDHCP: static addresses are there although DHCP is silent.
func TestStaticBesideDHCP(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic(), "eth1": static("10.0.0.2/24", "")}))
		b.online(true)
		b.pass(31 * time.Second)
		b.online(true)
		b.problems("eth0: no DHCP lease after 30 s, still trying")
		b.lease("eth0", "192.0.2.5/24")
		b.problems()
	})
}

func TestLease(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth*": dynamic()}))
		b.calls("link set lo up", "link set eth0 up", "link set eth1 up")
		b.online(false)
		if got, want := b.Online().String(), "network: waiting for a lease on eth0, a lease on eth1 (0 s)"; got != want {
			t.Errorf("condition says %q, want %q", got, want)
		}
		b.lease("eth0", "192.0.2.5/24")
		b.calls("addr add 192.0.2.5/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002")
		b.online(true)
		b.lease("eth0", "192.0.2.5/24") // renewed
		b.calls()
		b.lease("eth0", "192.0.2.6/24") // the first of a subnet takes the second along: it comes again
		b.calls("addr add 192.0.2.6/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002",
			"addr del 192.0.2.5/24 dev eth0",
			"addr add 192.0.2.6/24 dev eth0", "route replace default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002")
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true, Message: "a server refused the address"})
		b.calls("route del default via 192.0.2.1 dev eth0 src 192.0.2.6 metric 1002", "addr del 192.0.2.6/24 dev eth0")
		b.online(false)
		b.pass(31 * time.Second)
		b.problems("eth0: no DHCP lease after 30 s, still trying: a server refused the address",
			"eth1: no DHCP lease after 30 s, still trying")
	})
}

func TestLeaseOptions(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.kernel.Calls()
		b.lease("eth0", "192.0.2.5/32", func(l *netconf.Lease) {
			l.MTU = 1450
			l.Routers = addrs("192.0.2.77") // to be ignored: there are classless routes
			l.Routes = []netconf.LeaseRoute{
				{Dst: netip.MustParsePrefix("192.0.2.1/32")},
				{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1")}}
			l.DNS, l.Hostname, l.Domain = addrs("192.0.2.53"), "given", "example.org"
		})
		b.calls("link set eth0 mtu 1450", "addr add 192.0.2.5/32 dev eth0",
			"route replace 192.0.2.1/32 dev eth0 src 192.0.2.5 metric 1002",
			"route replace default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002")
		want := netconf.Names{Hostname: "given", Nameservers: addrs("192.0.2.53"), Search: []string{"example.org"}}
		if d := cmp.Diff(want, b.names.last, comparers()); d != "" {
			t.Errorf("names (-want +got):\n%s", d)
		}
		b.Apply(netconf.Spec{Hostname: "mine", Nameservers: addrs("10.0.0.53"), Search: []string{"mine.example"},
			Links: []netconf.LinkSpec{{Key: "eth0", Match: netconf.Match{Name: "eth0"}, DHCP: true, MTU: 1400}}})
		synctest.Wait()
		b.calls("link set eth0 mtu 1400")
		want = netconf.Names{Hostname: "mine", Nameservers: addrs("10.0.0.53"), Search: []string{"mine.example"}}
		if d := cmp.Diff(want, b.names.last, comparers()); d != "" {
			t.Errorf("names (-want +got):\n%s", d)
		}
	})
}

// TestHostileNames: what a lease says does not get into files unless it is a name.
func TestHostileNames(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.lease("eth0", "192.0.2.5/24", func(l *netconf.Lease) {
			l.Hostname, l.Domain = "box\n6.6.6.6 bank", "x\nnameserver 6.6.6.6"
			l.Search = []string{"good.example", "bad;", "-x", ""}
		})
		want := netconf.Names{Hostname: netconf.DefaultHostname, Search: []string{"good.example"}}
		if d := cmp.Diff(want, b.names.last, comparers()); d != "" {
			t.Errorf("names (-want +got):\n%s", d)
		}
	})
}

func TestCarrier(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.Plug("eth0", false)
		b.configure(network(links{"eth0": dynamic()}))
		if b.leases.on("eth0") != nil {
			t.Error("a DHCP client runs without a carrier")
		}
		b.pass(11 * time.Second)
		b.problems("eth0: no carrier; is a cable plugged in?")
		b.kernel.Plug("eth0", true)
		synctest.Wait()
		b.problems()
		b.lease("eth0", "192.0.2.5/24")
		b.online(true)
		b.kernel.Calls()
		b.kernel.Plug("eth0", false)
		synctest.Wait()
		b.online(false)
		b.calls() // the address stays: it may still be good
		b.kernel.Plug("eth0", true)
		synctest.Wait()
		b.online(true)
		if p := b.leases.on("eth0").request.Previous; p == nil || p.Address.String() != "192.0.2.5/24" || p.Acquired.IsZero() {
			t.Errorf("the next client does not know the lease: %+v", p)
		}
	})
}

func TestMissingLink(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth7": static("10.0.0.2/24", ""), "mac=02:00:00:00:00:02": dynamic(), "wlan*": dynamic()}))
		b.lease("eth1", "192.0.2.5/24")
		b.online(true)
		b.problems()
		b.pass(11 * time.Second)
		b.problems("interfaces.eth7: no link is named eth7")
		b.kernel.AddLink("eth7", "", "02:00:00:00:00:07")
		synctest.Wait()
		b.problems()
		b.kernel.DelLink("eth7")
		synctest.Wait()
		b.problems("interfaces.eth7: no link is named eth7")
	})
}

func TestNoLinkAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, netconftest.NewKernel())
		defer b.stop()
		b.configure(osconfig.Network{})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		err := b.WaitOnline(ctx)
		if !errors.Is(err, context.DeadlineExceeded) ||
			!strings.HasPrefix(err.Error(), "network: waiting for a link that matches eth*, a link that matches en* (12 s)") {
			t.Errorf("got %v", err)
		}
		b.problems("interfaces.eth*: no link matches eth*", "interfaces.en*: no link matches en*")
	})
}

// TestRefusal: what the kernel refuses is a problem, is tried again, and does
// not keep other links from coming up.
func TestRefusal(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.Refuse(func(call string) error {
			if strings.HasPrefix(call, "addr add 10.0.0.2/24") {
				return errors.New("out of memory")
			}
			return nil
		})
		b.configure(network(links{"eth0": static("10.0.0.2/24", ""), "eth1": static("10.0.1.2/24", "")}))
		b.online(false)
		b.problems("addr add 10.0.0.2/24 dev eth0: out of memory")
		b.kernel.Refuse(nil)
		b.pass(6 * time.Second)
		b.online(true)
		b.problems()
	})
}

func TestNamesRefused(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.names.err = errors.New("read-only file system")
		b.configure(network(links{"eth0": static("10.0.0.2/24", "")}))
		b.problems("names: read-only file system")
		b.names.err = nil
		b.pass(6 * time.Second)
		b.problems()
	})
}

// TestRestart: a new manager adopts what the old one left, asks for the same
// address, and removes it only when it is refused.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := netconftest.NewKernel()
		k.AddLink("eth0", "", "02:00:00:00:00:01")
		k.AddLink("eth1", "", "02:00:00:00:00:02")
		config := network(links{"eth0": dynamic(), "eth1": static("10.0.0.2/24", "10.0.0.1")})
		b := newBox(t, k)
		b.configure(config)
		b.lease("eth0", "192.0.2.5/24")
		b.stop()
		k.Calls()
		b = newBox(t, k)
		defer b.stop()
		synctest.Wait()
		b.calls()
		b.configure(config)
		b.calls()
		b.online(true)
		if p := b.leases.on("eth0").request.Previous; p == nil || p.Address.String() != "192.0.2.5/24" {
			t.Errorf("the client is to ask for %+v", p)
		}
		b.tell("eth0", netconf.LeaseStatus{State: netconf.LeaseInit, Lost: true})
		b.calls("route del default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002", "addr del 192.0.2.5/24 dev eth0")
	})
}

// TestForeign: what Docker has made is left alone, and not shown.
func TestForeign(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.kernel.AddLink("docker0", "bridge", "02:00:00:00:00:0a")
		b.kernel.AddForeignAddr("docker0", netip.MustParsePrefix("172.17.0.1/16"))
		b.kernel.AddForeignAddr("eth0", netip.MustParsePrefix("10.9.9.9/24"))
		b.configure(network(links{"*": dynamic()}))
		b.calls("link set lo up", "link set eth0 up", "link set eth1 up")
		for _, l := range b.State().Links {
			if l.Name == "docker0" {
				t.Error("docker0 is shown")
			}
		}
		b.configure(network(links{"eth5": dynamic()}))
		b.calls()
	})
}

// TestDHCPOff: when the configuration no longer asks for DHCP, the client
// stops and the lease's address goes.
func TestDHCPOff(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": dynamic()}))
		b.lease("eth0", "192.0.2.5/24")
		b.kernel.Calls()
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		if b.leases.on("eth0") != nil {
			t.Error("the DHCP client still runs")
		}
		b.calls("addr add 10.0.0.2/24 dev eth0", "route replace default via 10.0.0.1 dev eth0 metric 102",
			"route del default via 192.0.2.1 dev eth0 src 192.0.2.5 metric 1002", "addr del 192.0.2.5/24 dev eth0")
	})
}

// TestHandMade: our addresses come back when somebody removes them; a link
// that is only to be up is usable once somebody has given it an address.
func TestHandMade(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.configure(network(links{"eth0": {}}))
		b.online(false)
		if d := cmp.Diff([]string{"an address on eth0 from somebody else"}, b.State().Waiting); d != "" {
			t.Errorf("waiting (-want +got):\n%s", d)
		}
		b.kernel.AddForeignAddr("eth0", netip.MustParsePrefix("fd00::5/64"))
		synctest.Wait()
		b.online(true)
		b.configure(network(links{"eth0": static("10.0.0.2/24", "10.0.0.1")}))
		b.kernel.Calls()
		if err := b.kernel.DelAddr(id(2, "eth0"), netip.MustParsePrefix("10.0.0.2/24")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.calls("addr del 10.0.0.2/24 dev eth0", "addr add 10.0.0.2/24 dev eth0",
			"route replace default via 10.0.0.1 dev eth0 metric 102")
	})
}
