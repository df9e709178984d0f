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
	// mostClaims is how often in a row one and the same station may claim what
	// the server gives. One that answers for everybody would keep the machine
	// without an address for ever, and so would a server that knows no other
	// address: a disputed one is better than none.
	mostClaims = 3
	// gatewayWait is how long the gateway has for an answer.
	gatewayWait = time.Second
)

// dispute is what is known of conflicts in a row.
type dispute struct {
	count  int // of conflicts
	rival  arp.MAC
	claims int // of the rival, one after the other
}

// guard looks whether the address of a new lease is free, while it is in use:
// waiting for it would cost seconds at each boot. It probes and announces
// (RFC 5227) and then listens for a while. The channel gets who has the
// address, or is closed when nobody shows up. Probes of others do not count:
// some switches send them to find out who is there.
func (m *machine) guard(ctx context.Context) (rivals <-chan arp.MAC, stop func()) {
	mac, err := arp.ParseMAC(m.request.Link.MAC)
	if !m.young || err != nil || m.dispute.claims >= mostClaims {
		return nil, func() {}
	}
	m.young = false
	lease := m.lease
	ctx, cancel := context.WithCancel(ctx)
	found, done := make(chan arp.MAC, 1), make(chan struct{})
	go func() {
		defer close(done)
		defer close(found)
		rival, proxy, err := m.opts.detect(ctx, m.request.Link.LinkID, mac, lease)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.log.Info("conflict detection ends early", "err", err)
		case proxy:
			m.log.Warn("the gateway answers for the address; it is used all the same", "address", lease.Address, "gateway", rival)
			return
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

// detect returns who else has the lease's address; the zero MAC if nobody does.
// Proxy tells that it is the gateway, as in clouds where one station answers
// every question.
func (o Options) detect(ctx context.Context, link netconf.LinkID, mac arp.MAC, lease *netconf.Lease) (rival arp.MAC, proxy bool, err error) {
	conn, err := o.OpenARP(link)
	if err != nil {
		return arp.MAC{}, false, err
	}
	timing := arp.Standard()
	timing.ProbeWait = 0 // it keeps machines that start together out of step; their requests already are
	d := arp.NewDetector(conn, mac, timing, o.Random)
	defer d.Close()
	addr := lease.Address.Addr()
	conflict := func(p arp.Packet) bool { return p.Has(addr) }
	rival, err = d.Probe(ctx, addr, conflict)
	for i := 1; i <= arp.Announcements && rival == (arp.MAC{}) && err == nil; i++ {
		wait := timing.AnnounceInterval
		if i == arp.Announcements {
			wait = timing.DefendInterval
		}
		if err = d.Announce(addr); err == nil {
			rival, err = d.Watch(ctx, wait, conflict)
		}
	}
	gateway := gatewayOf(lease)
	if err != nil || rival == (arp.MAC{}) || !gateway.IsValid() || gateway == addr {
		return rival, false, err
	}
	who, err := d.Ask(ctx, gateway, gatewayWait)
	return rival, who == rival, err
}

// gatewayOf is the lease's default gateway; zero: none.
func gatewayOf(l *netconf.Lease) netip.Addr {
	for _, r := range l.Routes {
		if r.Dst.Bits() == 0 {
			return r.Gateway
		}
	}
	if len(l.Routes) == 0 && len(l.Routers) > 0 {
		return l.Routers[0]
	}
	return netip.Addr{}
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
	if rival != d.rival {
		d.rival, d.claims = rival, 0
	}
	d.claims++
	m.rest = declineRest << min(d.count, 5)
	d.count++
	text := fmt.Sprintf("%s is in use by %s", addr, rival)
	if d.claims == mostClaims {
		text += ", as was what the server gave before: the next one is used whatever it says"
		m.log.Warn("conflict detection ends", "other", rival, "why", "it claims whatever the server gives")
	}
	if err != nil {
		text += fmt.Sprintf("; the server could not be told: %v", err)
	}
	m.drop(text)
	return netconf.LeaseInit
}
