package dhcp

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/arp"
)

const (
	// declineRest is the pause after a DHCPDECLINE (RFC 2131, section 3.1);
	// it doubles with each in a row, five times.
	declineRest = 10 * time.Second
	// proxyAfter is how many addresses one and the same station may claim. A
	// cloud's router that answers for everybody would keep the machine
	// without an address for ever.
	proxyAfter = 3
)

// dispute is what is known of conflicts in a row.
type dispute struct {
	count   int // of conflicts
	rival   arp.MAC
	address netip.Addr // the last that it claimed
	claims  int        // different addresses that it claimed, one after the other
}

// guard looks whether the address of a new lease is free, while it is in use:
// waiting for it would cost seconds at each boot. It probes and announces
// (RFC 5227) and then listens for a while. The channel gets who has the
// address, or is closed when nobody shows up. Probes of others do not count:
// some switches send them to find out who is there.
func (m *machine) guard(ctx context.Context) (rivals <-chan arp.MAC, stop func()) {
	mac, err := arp.ParseMAC(m.request.Link.MAC)
	if !m.young || err != nil || m.dispute.claims >= proxyAfter {
		return nil, func() {}
	}
	m.young = false
	ctx, cancel := context.WithCancel(ctx)
	found, done := make(chan arp.MAC, 1), make(chan struct{})
	go func() {
		defer close(done)
		defer close(found)
		rival, err := m.opts.detect(ctx, m.request.Link.LinkID, mac, m.lease.Address.Addr())
		if err != nil && ctx.Err() == nil {
			m.log.Warn("conflict detection", "err", err)
		}
		if rival != (arp.MAC{}) {
			found <- rival
		}
	}()
	return found, func() {
		cancel()
		<-done
	}
}

// detect returns who else has the address; the zero MAC if nobody does.
func (o Options) detect(ctx context.Context, link netconf.LinkID, mac arp.MAC, addr netip.Addr) (arp.MAC, error) {
	conn, err := o.OpenARP(link)
	if err != nil {
		return arp.MAC{}, err
	}
	timing := arp.Standard()
	timing.ProbeWait = 0 // it keeps machines that start together out of step; their requests already are
	d := arp.NewDetector(conn, mac, timing, o.Random)
	defer d.Close()
	conflict := func(p arp.Packet) bool { return p.Has(addr) }
	rival, err := d.Probe(ctx, addr, conflict)
	for i := 1; i <= arp.Announcements && rival == (arp.MAC{}) && err == nil; i++ {
		wait := timing.AnnounceInterval
		if i == arp.Announcements {
			wait = timing.DefendInterval
		}
		if err = d.Announce(addr); err == nil {
			rival, err = d.Watch(ctx, wait, conflict)
		}
	}
	return rival, err
}

// decline tells the server that the address is somebody else's, gives it up
// and begins anew after a while.
func (m *machine) decline(rival arp.MAC) netconf.LeaseState {
	addr := m.lease.Address.Addr()
	m.log.Warn("address conflict", "address", addr, "other", rival)
	m.newTransaction()
	err := m.openConn()
	if err == nil {
		err = m.conn.Broadcast(m.refusal().ToBytes())
	}
	d := &m.dispute
	switch {
	case rival != d.rival:
		d.claims = 1
	case addr != d.address:
		d.claims++
	}
	d.rival, d.address = rival, addr
	m.rest = declineRest << min(d.count, 5)
	d.count++
	text := fmt.Sprintf("%s is in use by %s", addr, rival)
	if d.claims == proxyAfter {
		text += ", as were the addresses before: the next one is kept whatever it says"
		m.log.Warn("conflict detection ends", "other", rival, "why", "it answers for every address")
	}
	if err != nil {
		text += fmt.Sprintf("; the server could not be told: %v", err)
	}
	m.drop(text)
	return netconf.LeaseInit
}
