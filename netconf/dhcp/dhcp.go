// Package dhcp is netconf.DHCP: the client side of DHCPv4 (RFC 2131) on one
// link at a time, over a packet socket, so that the link needs no address. It
// refuses to configure anything: it reports leases, netconf applies them.
//
// It is built for a fast start. The first message leaves as soon as Run is
// called, unanswered ones are repeated after 100 ms, 200 ms, 400 ms …, the first
// offer is taken, rapid commit (RFC 4039) is offered, and an address is probed
// by ARP while it is used already, not before (see guard).
//
// What servers send is not trusted: a message or an option that cannot be
// costs a line in the log, once.
package dhcp

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/arp"
)

// Timing. RFC 2131, section 4.1, starts at 4 s; servers are faster today.
const (
	// firstWait is so short because the kernel drops what is sent in the
	// moment between a carrier and its queue (dev_activate), mostly without
	// a word.
	firstWait = 100 * time.Millisecond
	// firstQueueWait doubles to lastQueueWait, while the kernel refuses to
	// send because of that: 75 ms in all.
	firstQueueWait = 5 * time.Millisecond
	lastQueueWait  = 40 * time.Millisecond
	longestWait    = 16 * time.Second // between DISCOVERs
	requestTries   = 6                // REQUESTs for one offer: 6.3 s
	rebootTries    = 4                // REQUESTs for the previous address: 1.5 s
	// passOver is how many DISCOVERs of one attempt a server is passed over
	// that has offered in vain: 6.3 s. Some look for three seconds whether an
	// address is free before they offer it.
	passOver    = 6
	mostShunned = 16
	// broadcastAfter is how many unanswered messages it takes to ask for
	// answers by broadcast, which some servers and switches need.
	broadcastAfter = 3
	// shortestRenewal bounds the halving of the rest of a lease; the RFC's
	// 60 s are too long for leases of a few minutes.
	shortestRenewal = 10 * time.Second
	quickRenewals   = 3 // repetitions after 1, 2 and 4 s
)

// Conn carries DHCP messages on one link.
type Conn interface {
	// Broadcast sends a message from 0.0.0.0 to everyone.
	Broadcast(message []byte) error
	// Unicast sends a message from an address of the link to a server.
	Unicast(message []byte, from, to netip.Addr) error
	// Read receives one message. It is called from one goroutine; Close makes
	// it return an error.
	Read(buffer []byte) (int, error)
	Close() error
}

// Options of a Client. Zero fields take what is right for a real machine.
type Options struct {
	Log     *slog.Logger                           // nil discards
	Open    func(netconf.Link) (Conn, error)       // nil opens a packet socket
	OpenARP func(netconf.LinkID) (arp.Conn, error) // nil is arp.Open
	Random  func() uint32                          // for transaction ids and jitter
}

// Client obtains leases. It holds no state between Runs and may run on any
// number of links at once.
type Client struct{ opts Options }

var _ netconf.DHCP = (*Client)(nil)

// New returns a Client.
func New(opts Options) *Client {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Open == nil {
		opts.Open = openPacket
	}
	if opts.OpenARP == nil {
		opts.OpenARP = arp.Open
	}
	if opts.Random == nil {
		opts.Random = rand.Uint32
	}
	return &Client{opts: opts}
}

// Run implements netconf.DHCP. It returns ctx's error, or says that the link
// has no usable hardware address.
func (c *Client) Run(ctx context.Context, request netconf.LeaseRequest, report func(netconf.LeaseStatus)) error {
	hardware, err := net.ParseMAC(request.Link.MAC)
	if err != nil || len(hardware) > 16 {
		text := fmt.Sprintf("no usable hardware address: %q", request.Link.MAC)
		report(netconf.LeaseStatus{State: netconf.LeaseInit, Message: text})
		return fmt.Errorf("%s: %s", request.Link.Name, text)
	}
	m := &machine{
		opts: c.opts, request: request, hardware: hardware, report: report,
		log:     c.opts.Log.With("link", request.Link.Name),
		started: time.Now(), complained: make(map[string]bool),
	}
	defer m.closeConn()
	return m.run(ctx)
}
