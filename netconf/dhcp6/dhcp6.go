// Package dhcp6 is netconf.DHCP6: the client side of DHCPv6 (RFC 8415) on one
// link at a time: addresses (IA_NA), a delegated prefix (IA_PD), or only the
// rest (INFORMATION-REQUEST). It refuses to configure anything: it reports
// leases, netconf applies them. It has no temporary addresses (IA_TA), which the
// kernel makes itself, takes no RECONFIGURE, and sends nothing by unicast.
//
// It is built for a fast start. The random delay of up to a second before the
// first message, which the RFC recommends against machines in step, is left
// out: duplicate address detection has just spread them (RFC 4862, section
// 5.4.2). Rapid commit is offered.
//
// The client's identifier (DUID) is its link's permanent hardware address
// (DUID-LL) and the identity association's (IAID) the end of it. That is
// stable without anything to store, and after an installation anew the machine
// gets the same address. Its price: two links are two clients to a server. A
// VLAN and the like have their parent's hardware address and are the same
// client; their name is part of the IAID, which has to differ then (section 12).
package dhcp6

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

// Conn carries DHCPv6 messages on one link.
type Conn interface {
	// Send sends a message to all servers and relays of the link.
	Send(message []byte) error
	// Read receives one message. It is called from one goroutine; Close makes
	// it return an error.
	Read(buffer []byte) (int, error)
	Close() error
}

// Options of a Client. Zero fields take what is right for a real machine.
type Options struct {
	Log *slog.Logger // nil discards
	// Open opens the link; it fails while the link has no address of its own
	// to send from. Nil opens a UDP socket on the link-local address.
	Open   func(netconf.Link) (Conn, error)
	Random func() uint32 // for transaction ids and jitter
}

// Client obtains leases. It holds no state between Runs and may run on any
// number of links at once.
type Client struct{ opts Options }

var _ netconf.DHCP6 = (*Client)(nil)

// New returns a Client.
func New(opts Options) *Client {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Open == nil {
		opts.Open = openUDP
	}
	if opts.Random == nil {
		opts.Random = rand.Uint32
	}
	return &Client{opts: opts}
}

// Run implements netconf.DHCP6. It returns ctx's error, or says that the link
// has no usable hardware address.
func (c *Client) Run(ctx context.Context, request netconf.Lease6Request, report func(netconf.Lease6Status)) error {
	mac := request.Link.PermMAC
	if mac == "" {
		mac = request.Link.MAC
	}
	hardware, err := net.ParseMAC(mac)
	if err != nil {
		text := fmt.Sprintf("no usable hardware address: %q", mac)
		report(netconf.Lease6Status{State: netconf.LeaseInit, Message: text})
		return fmt.Errorf("%s: %s", request.Link.Name, text)
	}
	m := &machine{
		opts: c.opts, request: request, report: report,
		log:            c.opts.Log.With("link", request.Link.Name),
		duid:           append([]byte{0, 3, 0, 1}, hardware...), // RFC 8415, section 11.4; 1 is Ethernet
		iaid:           associationID(request.Link, hardware),
		longestSolicit: solicitLongest, longestInform: informLongest,
		warned: make(map[string]bool),
	}
	defer m.closeConn()
	return m.run(ctx)
}

// associationID is the IAID of a link.
func associationID(link netconf.Link, hardware net.HardwareAddr) [4]byte {
	id := [4]byte(hardware[len(hardware)-4:])
	if !link.SharesMAC() {
		return id
	}
	h := fnv.New32a()
	h.Write([]byte(link.Name)) //nolint:errcheck // never fails
	binary.BigEndian.PutUint32(id[:], binary.BigEndian.Uint32(id[:])^h.Sum32())
	return id
}

// timing is how a message is repeated (RFC 8415, section 15).
type timing struct {
	first, longest time.Duration // IRT, MRT; longest 0 has no bound
	tries          int           // MRC; 0 is any number
}

// Timing (RFC 8415, section 7.6), and where it is left.
const (
	// solicitLongest is RFC 3315's: with today's hour a server that appears
	// late would not be found for as long. Servers can ask for more (option 82).
	solicitLongest = 120 * time.Second
	informLongest  = 120 * time.Second // as solicitLongest; option 83
	// longestAsked bounds what servers can ask for: the RFC's default instead
	// of its maximum of a day.
	longestAsked = time.Hour
	confirmLimit = 10 * time.Second // CNF_MAX_RD
	// shortestRenewal bounds how often a server can make a client renew.
	shortestRenewal = 10 * time.Second
	// Information refresh time (section 21.23).
	refreshDefault  = 24 * time.Hour
	refreshShortest = 10 * time.Minute
)

// timings of messages: four REQUESTs, not ten, because the next SOLICIT may
// find another server; three RENEWs of a lease that never ends.
func solicitTiming() timing { return timing{time.Second, 0, 0} } // and INFORMATION-REQUEST; see repetition
func requestTiming() timing { return timing{time.Second, 30 * time.Second, 4} }
func confirmTiming() timing { return timing{time.Second, 4 * time.Second, 0} }
func renewTiming() timing   { return timing{10 * time.Second, 600 * time.Second, 0} }
func declineTiming() timing { return timing{time.Second, 0, 4} }
func endlessTiming() timing { return timing{time.Second, 0, 3} }

// openWait is the time until the next attempt to open the link: duplicate
// address detection takes one or two seconds.
func openWait(attempt int) time.Duration {
	if attempt <= 50 {
		return 100 * time.Millisecond
	}
	return 2 * time.Second
}
