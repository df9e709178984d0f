// Package netconftest holds what tests of networking need: a Kernel in memory
// that behaves like Linux where netconf relies on it, fresh network
// namespaces, and one suite that holds both kernels to the same behaviour. It
// refuses to be linked into anything but tests.
package netconftest

import (
	"context"
	"fmt"
	"maps"
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
	rules       []netconf.Rule
	subscribers map[chan struct{}]bool
	readers     map[chan netconf.Advert]bool
	calls       []string
	solicited   []string
	refuse      func(call string) error
}

type link struct {
	netconf.Link
	plugged bool // a cable is in: carrier follows when the link is up
	parent  int  // index of the link that it is on
	used    bool // a bridge that has had members: without any it has no carrier
	ownMAC  bool // it was set and no longer follows members
	ownMTU  bool
	// What a member of a bond had before.
	before    string
	beforeMTU int
	primary   string           // a bond's, as asked for: it counts once that link is a member
	set       netconf.Hardware // what ethtool shows
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
		readers:     make(map[chan netconf.Advert]bool),
		links: []*link{{plugged: true, Link: netconf.Link{
			LinkID: netconf.LinkID{Index: 1, Name: "lo"}, MAC: "00:00:00:00:00:00", Loopback: true, MTU: 65536,
			IPv6: netconf.IPv6{Unset: true}}}},
	}
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
		c.Device.Bond, c.Device.Egress, c.Device.Ingress = maps.Clone(l.Device.Bond), maps.Clone(l.Device.Egress), maps.Clone(l.Device.Ingress)
		c.Device.WireGuard.Peers = slices.Clone(l.Device.WireGuard.Peers)
		if p := k.index(l.parent); p != nil {
			c.Device.Parent = p.Name
		}
		if m := k.byName(l.primary); m != nil && m.Master == l.Index {
			c.Device.Bond["primary"] = l.primary
		}
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

// Rules implements netconf.Kernel.
func (k *Kernel) Rules() ([]netconf.Rule, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.rules), nil
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

func (k *Kernel) byName(name string) *link {
	return k.first(func(l *link) bool { return l.Name == name })
}

func (k *Kernel) index(index int) *link {
	return k.first(func(l *link) bool { return l.Index == index })
}

func (k *Kernel) first(which func(*link) bool) *link {
	if i := slices.IndexFunc(k.links, which); i >= 0 {
		return k.links[i]
	}
	return nil
}

// find returns the link that an id means, nil if there is none.
func (k *Kernel) find(id netconf.LinkID) *link {
	if id.Index != 0 {
		return k.index(id.Index)
	}
	return k.byName(id.Name)
}

// record keeps an operation for Calls and asks whether it may be.
func (k *Kernel) record(op netconf.Op) error {
	k.calls = append(k.calls, op.String())
	if err := k.refused(op.String()); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// begin records an operation and finds its link. The lock is held.
func (k *Kernel) begin(op netconf.Op) (*link, error) {
	if err := k.record(op); err != nil {
		return nil, err
	}
	if l := k.find(op.Link); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%s: %w", op, unix.ENODEV)
}

// change records an operation, does it and lets what depends on it follow.
func (k *Kernel) change(op netconf.Op, do func(*link) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, err := k.begin(op)
	if err != nil {
		return err
	}
	if err := do(l); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	k.settle()
	k.notify()
	return nil
}
