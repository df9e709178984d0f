package arp

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Timing is how long the detection takes. RFC 5227, section 1.1, and RFC 3927,
// section 9, have the same values.
type Timing struct {
	ProbeWait          time.Duration // before the first probe, at most
	ProbeMin, ProbeMax time.Duration // after a probe
	AnnounceWait       time.Duration // after the last one, until the address counts as free
	AnnounceInterval   time.Duration
	DefendInterval     time.Duration // a second conflict within it is one too many
}

// Numbers of packets, of the same sections.
const (
	Probes        = 3
	Announcements = 2
)

// Standard is the RFCs' timing.
func Standard() Timing {
	return Timing{
		ProbeWait: time.Second, ProbeMin: time.Second, ProbeMax: 2 * time.Second,
		AnnounceWait: 2 * time.Second, AnnounceInterval: 2 * time.Second,
		DefendInterval: 10 * time.Second,
	}
}

// Detector finds out whether somebody else on a link has an address. Packets
// of the machine's own links are not somebody else's: the kernel answers on
// each link for the addresses of all, so that two links in one network hear
// each other.
type Detector struct {
	conn    Conn
	mac     MAC
	timing  Timing
	random  func() uint32
	packets chan Packet
	broken  chan error
}

// NewDetector returns a Detector for the link with the hardware address mac,
// which owns conn until Close.
func NewDetector(conn Conn, mac MAC, timing Timing, random func() uint32) *Detector {
	d := &Detector{conn: conn, mac: mac, timing: timing, random: random,
		packets: make(chan Packet, 8), broken: make(chan error, 1)}
	go d.receive()
	return d
}

// receive hands on what comes in until the socket is closed. What nobody has
// time for is dropped: a conflict shows itself again.
func (d *Detector) receive() {
	for {
		p, err := d.conn.Read()
		if err != nil {
			d.broken <- err
			return
		}
		if p.SenderMAC == d.mac {
			continue
		}
		select {
		case d.packets <- p:
		default:
		}
	}
}

// Close closes the socket.
func (d *Detector) Close() error { return d.conn.Close() }

// Probe asks three times for the address, 4 to 7 s in all by the standard, and
// returns who answers; the zero MAC if nobody does. Conflict says which
// packets count. The error is ctx's or the socket's.
func (d *Detector) Probe(ctx context.Context, addr netip.Addr, conflict func(Packet) bool) (MAC, error) {
	rival, err := d.Watch(ctx, d.between(0, d.timing.ProbeWait), conflict)
	for i := 0; i < Probes && rival == (MAC{}) && err == nil; i++ {
		if err := d.conn.Send(Probe(d.mac, addr)); err != nil {
			return MAC{}, err
		}
		wait := d.timing.AnnounceWait
		if i < Probes-1 {
			wait = d.between(d.timing.ProbeMin, d.timing.ProbeMax)
		}
		rival, err = d.Watch(ctx, wait, conflict)
	}
	return rival, err
}

// Ask returns who has an address, the zero MAC if nobody answers in time. The
// error is ctx's or the socket's.
func (d *Detector) Ask(ctx context.Context, addr netip.Addr, wait time.Duration) (MAC, error) {
	if err := d.conn.Send(Probe(d.mac, addr)); err != nil {
		return MAC{}, err
	}
	return d.Watch(ctx, wait, func(p Packet) bool { return p.Has(addr) })
}

// Announce says once that the link has the address.
func (d *Detector) Announce(addr netip.Addr) error { return d.conn.Send(Announcement(d.mac, addr)) }

// Watch listens for the given time, if it is negative for ever, and returns
// who sent the first packet that is a conflict; the zero MAC if nobody did.
// The error is ctx's or the socket's.
func (d *Detector) Watch(ctx context.Context, wait time.Duration, conflict func(Packet) bool) (MAC, error) {
	var over <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return MAC{}, ctx.Err()
		case <-over:
			return MAC{}, nil
		case err := <-d.broken:
			d.broken <- err // it stays broken
			return MAC{}, err
		case p := <-d.packets:
			if conflict(p) && !own(p.SenderMAC) {
				return p.SenderMAC, nil
			}
		}
	}
}

// between is a random duration.
func (d *Detector) between(low, high time.Duration) time.Duration {
	return low + time.Duration(float64(high-low)*float64(d.random())/(1<<32))
}

// own tells whether one of the machine's links has the hardware address.
func own(mac MAC) bool {
	links, err := net.Interfaces()
	return err == nil && slices.ContainsFunc(links, func(l net.Interface) bool { return slices.Equal(l.HardwareAddr, mac[:]) })
}
