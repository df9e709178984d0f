package netconf_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// running is what stands in for clients, by their link.
type running[C any] struct {
	mu      sync.Mutex
	clients map[string]C
}

// run has a client on a link until ctx ends.
func (r *running[C]) run(ctx context.Context, name string, client C) error {
	r.mu.Lock()
	if r.clients == nil {
		r.clients = make(map[string]C)
	}
	r.clients[name] = client
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clients, name)
	return ctx.Err()
}

// on returns the client that runs on a link; nil if none does.
func (r *running[C]) on(name string) C {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clients[name]
}

// leases stands in for DHCP: the test says what each link's client reports.
type leases struct{ running[*fakeClient] }

type fakeClient struct {
	request netconf.LeaseRequest
	report  func(netconf.LeaseStatus)
}

func (l *leases) Run(ctx context.Context, request netconf.LeaseRequest, report func(netconf.LeaseStatus)) error {
	return l.run(ctx, request.Link.Name, &fakeClient{request, report})
}

// writer remembers what was written.
type writer struct {
	mu   sync.Mutex
	last netconf.Names
	err  error
}

func (w *writer) Write(n netconf.Names) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = n
	return w.err
}

// refuse makes later writes return err.
func (w *writer) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// check compares what was written last.
func (w *writer) check(t *testing.T, want netconf.Names) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := cmp.Diff(want, w.last, comparers()); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
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
func inBox(t *testing.T, run func(*testing.T, *box), modify ...func(*netconf.Options)) {
	synctest.Test(t, func(t *testing.T) {
		k := netconftest.NewKernel()
		k.AddHardware("eth0", "", "02:00:00:00:00:01")
		k.AddHardware("eth1", "", "02:00:00:00:00:02")
		b := newBox(t, k, modify...)
		defer b.stop()
		run(t, b)
	})
}

func newBox(t *testing.T, k *netconftest.Kernel, modify ...func(*netconf.Options)) *box {
	b := &box{t: t, kernel: k, leases: &leases{}, names: &writer{}}
	var opts netconf.Options
	for _, m := range modify {
		m(&opts)
	}
	b.Manager = netconf.New(k, b.leases, b.names, opts)
	b.stop = netconftest.Go(t, b.Run)
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
func (b *box) pass(d time.Duration) { netconftest.Pass(b.t, d) }

// link is the state of a link; the zero value if there is none.
func (b *box) link(name string) netconf.LinkState {
	for _, l := range b.State().Links {
		if l.Name == name {
			return l
		}
	}
	return netconf.LinkState{}
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
