// Package netconftest holds what tests of networking need: a Kernel in memory
// that behaves like Linux where netconf relies on it, fresh network
// namespaces, and one suite that holds both kernels to the same behaviour. It
// refuses to be linked into anything but tests.
package netconftest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Kernel is a network namespace in memory, with a loopback link that is down.
type Kernel struct {
	mu          sync.Mutex
	next        int
	links       []*link
	routes      []route
	subscribers map[chan struct{}]bool
	calls       []string
	refuse      func(call string) error
}

type link struct {
	netconf.Link
	plugged bool // a cable is in: carrier follows when the link is up
}

// route is a route and whether it carries netconf.Protocol.
type route struct {
	netconf.Route
	own bool
}

var _ netconf.Kernel = (*Kernel)(nil)

// NewKernel returns a namespace as the kernel makes it.
func NewKernel() *Kernel {
	return &Kernel{
		next:        2,
		subscribers: make(map[chan struct{}]bool),
		links: []*link{{plugged: true, Link: netconf.Link{
			LinkID: netconf.LinkID{Index: 1, Name: "lo"}, MAC: "00:00:00:00:00:00", Loopback: true, MTU: 65536}}},
	}
}

// AddHardware adds a link that is down, with its cable plugged in, and returns
// its index. The MAC address is its permanent one too if kind is empty.
func (k *Kernel) AddHardware(name, kind, mac string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := &link{plugged: true, Link: netconf.Link{
		LinkID: netconf.LinkID{Index: k.next, Name: name}, Kind: kind, MAC: mac, MTU: 1500}}
	if kind == "" {
		l.PermMAC = mac
	}
	k.next++
	k.links = append(k.links, l)
	k.notify()
	return l.Index
}

// Remove removes a link with all that is on it.
func (k *Kernel) Remove(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.named(name)
	k.links = slices.DeleteFunc(k.links, func(o *link) bool { return o == l })
	k.dropRoutes(func(r route) bool { return r.Link.Index == l.Index })
	k.notify()
}

// Plug puts the cable in, or pulls it.
func (k *Kernel) Plug(name string, in bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.named(name)
	l.plugged = in
	l.Carrier = in && l.Up
	k.notify()
}

// TakeDown sets a link administratively down; its routes go.
func (k *Kernel) TakeDown(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.named(name)
	l.Up, l.Carrier = false, false
	k.dropRoutes(func(r route) bool { return r.Link.Index == l.Index })
	k.notify()
}

// AddForeignAddr adds an address that somebody else owns.
func (k *Kernel) AddForeignAddr(name string, prefix netip.Prefix) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.named(name)
	l.Addresses = append(l.Addresses, netconf.Address{Prefix: prefix})
	k.notify()
}

// Refuse makes operations fail for which f returns an error; nil ends that.
// An operation is named as in Calls.
func (k *Kernel) Refuse(f func(call string) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = f
}

// Calls returns the operations that changed or should have changed something
// since the last time, as netconf.Op prints them.
func (k *Kernel) Calls() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	calls := k.calls
	k.calls = nil
	return calls
}

// Links implements netconf.Kernel.
func (k *Kernel) Links() ([]netconf.Link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refused("links"); err != nil {
		return nil, err
	}
	var out []netconf.Link
	for _, l := range k.links {
		c := l.Link
		c.Addresses = slices.Clone(l.Addresses)
		out = append(out, c)
	}
	return out, nil
}

// Routes implements netconf.Kernel.
func (k *Kernel) Routes() ([]netconf.Route, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []netconf.Route
	for _, r := range k.routes {
		if r.own {
			out = append(out, r.Route)
		}
	}
	return out, nil
}

// Subscribe implements netconf.Kernel.
func (k *Kernel) Subscribe(ctx context.Context) (<-chan struct{}, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	signal := make(chan struct{}, 1)
	k.subscribers[signal] = true
	context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.subscribers, signal)
		close(signal)
	})
	return signal, nil
}

func (k *Kernel) notify() {
	for s := range k.subscribers {
		select {
		case s <- struct{}{}:
		default:
		}
	}
}

// refused asks the test whether an operation is to fail. The lock is held.
func (k *Kernel) refused(call string) error {
	if k.refuse == nil {
		return nil
	}
	return k.refuse(call)
}

// named finds a link; a name that no test has added is a mistake in the test
// and ends it.
func (k *Kernel) named(name string) *link {
	return k.links[slices.IndexFunc(k.links, func(l *link) bool { return l.Name == name })]
}

// begin records an operation and finds its link. The lock is held.
func (k *Kernel) begin(op netconf.Op) (*link, error) {
	k.calls = append(k.calls, op.String())
	if err := k.refused(op.String()); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	for _, l := range k.links {
		if l.Index == op.Link.Index {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", op, unix.ENODEV)
}
