// Package ipv4ll is netconf.LinkLocal4: it finds a free IPv4 link-local
// address for a link, announces and defends it (RFC 3927). It refuses to
// configure anything: it reports the address, netconf applies it.
package ipv4ll

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/arp"
)

const (
	// maxConflicts and rateLimit bound how fast addresses are tried in a
	// network where all seem to be taken (RFC 3927, section 9).
	maxConflicts = 10
	rateLimit    = time.Minute
	// shortestPause and longestPause are between attempts with a socket that
	// the kernel refuses.
	shortestPause = time.Second
	longestPause  = 32 * time.Second
)

// Options of a Client. Zero fields take what is right for a real machine.
type Options struct {
	Log    *slog.Logger                           // nil discards
	Open   func(netconf.LinkID) (arp.Conn, error) // nil is arp.Open
	Random func() uint32                          // for waits; addresses come from the link's MAC address
	Timing arp.Timing                             // zero is the RFC's
}

// Client finds addresses. It holds no state between Runs and may run on any
// number of links at once.
type Client struct{ opts Options }

var _ netconf.LinkLocal4 = (*Client)(nil)

// New returns a Client.
func New(opts Options) *Client {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Open == nil {
		opts.Open = arp.Open
	}
	if opts.Random == nil {
		opts.Random = rand.Uint32
	}
	if opts.Timing == (arp.Timing{}) {
		opts.Timing = arp.Standard()
	}
	return &Client{opts: opts}
}

// claimer is one Run.
type claimer struct {
	opts      Options
	log       *slog.Logger
	link      netconf.LinkID
	mac       arp.MAC
	report    func(netip.Prefix)
	next      func() netip.Addr
	conflicts int           // since the last address that was claimed
	wait      time.Duration // after the next failure of the socket
}

// Run implements netconf.LinkLocal4. An address is reported 4 to 8 s after the
// start at the earliest, as the RFC wants it. It returns ctx's error, or says
// that the link has no Ethernet address.
func (c *Client) Run(ctx context.Context, link netconf.Link, report func(netip.Prefix)) error {
	mac, err := arp.ParseMAC(link.MAC)
	if err != nil {
		return fmt.Errorf("link-local address on %s: %w", link.Name, err)
	}
	r := &claimer{opts: c.opts, log: c.opts.Log.With("link", link.Name), link: link.LinkID, mac: mac,
		report: report, next: candidates(mac)}
	addr := r.next()
	r.wait = shortestPause
	for {
		lost, err := r.claim(ctx, addr)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case lost:
			addr, r.wait = r.next(), shortestPause
		default: // the socket: the link is down, or going
			r.log.Info("link-local address has to wait", "err", err)
			if err := pause(ctx, r.wait); err != nil {
				return err
			}
			r.wait = min(2*r.wait, longestPause)
		}
	}
}

// claim probes for an address and, if nobody has it, holds it until it is lost
// or the socket fails.
func (r *claimer) claim(ctx context.Context, addr netip.Addr) (lost bool, err error) {
	if r.conflicts >= maxConflicts {
		if err := pause(ctx, rateLimit); err != nil {
			return false, err
		}
	}
	conn, err := r.opts.Open(r.link)
	if err != nil {
		return false, err
	}
	d := arp.NewDetector(conn, r.mac, r.opts.Timing, r.opts.Random)
	defer d.Close()
	// Whoever probes for the address at the same time wants it, too.
	rival, err := d.Probe(ctx, addr, func(p arp.Packet) bool { return p.Has(addr) || p.Seeks(addr) })
	if err != nil {
		return false, err
	}
	if rival != (arp.MAC{}) {
		r.conflicts++
		r.log.Info("link-local address is taken", "address", addr, "by", rival)
		return true, nil
	}
	r.conflicts, r.wait = 0, shortestPause
	r.report(netip.PrefixFrom(addr, 16))
	rival, err = r.hold(ctx, d, addr)
	if ctx.Err() == nil {
		r.report(netip.Prefix{})
	}
	if err != nil {
		return false, err
	}
	r.conflicts++
	r.log.Warn("link-local address is lost", "address", addr, "to", rival)
	return true, nil
}

// hold announces the address and defends it. It gives way to the second
// conflict within the interval of RFC 3927, section 2.5 (b), and returns to
// whom.
func (r *claimer) hold(ctx context.Context, d *arp.Detector, addr netip.Addr) (arp.MAC, error) {
	var defended time.Time
	has := func(p arp.Packet) bool { return p.Has(addr) }
	for announced := 0; ; {
		if err := d.Announce(addr); err != nil {
			return arp.MAC{}, err
		}
		announced++
		wait := time.Duration(-1)
		if announced < arp.Announcements {
			wait = r.opts.Timing.AnnounceInterval
		}
		rival, err := d.Watch(ctx, wait, has)
		switch {
		case err != nil:
			return arp.MAC{}, err
		case rival == (arp.MAC{}):
		case !defended.IsZero() && time.Since(defended) < r.opts.Timing.DefendInterval:
			return rival, nil
		default:
			r.log.Info("link-local address is defended", "address", addr, "against", rival)
			defended = time.Now()
		}
	}
}

// pause waits; the error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
