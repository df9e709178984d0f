package leasefile

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

// record is the form of a file. It stays readable for later versions: fields
// are added, never renamed. Times are seconds.
type record struct {
	Address  netip.Prefix `json:"address"`
	Server   netip.Addr   `json:"server,omitzero"`
	Routers  []netip.Addr `json:"routers,omitempty"`
	Routes   []route      `json:"routes,omitempty"`
	DNS      []netip.Addr `json:"dns,omitempty"`
	Domain   string       `json:"domain,omitempty"`
	Search   []string     `json:"search,omitempty"`
	Hostname string       `json:"hostname,omitempty"`
	MTU      int          `json:"mtu,omitempty"`
	NTP      []netip.Addr `json:"ntp,omitempty"`
	Acquired time.Time    `json:"acquired"`
	Duration int64        `json:"duration"` // 0 is for ever
	T1       int64        `json:"t1,omitempty"`
	T2       int64        `json:"t2,omitempty"`
}

type route struct {
	Dst     netip.Prefix `json:"dst"`
	Gateway netip.Addr   `json:"gateway,omitzero"`
}

func newRecord(l *netconf.Lease) record {
	r := record{
		Address: l.Address, Server: l.Server, Routers: l.Routers, DNS: l.DNS,
		Domain: l.Domain, Search: l.Search, Hostname: l.Hostname, MTU: l.MTU, NTP: l.NTP,
		Acquired: l.Acquired.UTC(), Duration: int64(l.Duration / time.Second), T1: int64(l.T1 / time.Second), T2: int64(l.T2 / time.Second),
	}
	for _, x := range l.Routes {
		r.Routes = append(r.Routes, route(x))
	}
	return r
}

// lease returns what is in the file, or why it cannot be a lease.
func (r record) lease() (*netconf.Lease, error) {
	if a := r.Address.Addr(); !r.Address.IsValid() || r.Address.Bits() == 0 || !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return nil, fmt.Errorf("%s is not the address of a host", r.Address)
	}
	const longest = 1<<32 - 1 // as on the wire
	if r.Duration < 0 || r.Duration > longest || r.T1 < 0 || r.T1 > r.T2 || r.T2 > r.Duration || r.MTU < 0 {
		return nil, errors.New("its times or its MTU cannot be")
	}
	l := &netconf.Lease{
		Address: r.Address, Server: r.Server, Routers: r.Routers, DNS: r.DNS,
		Domain: r.Domain, Search: r.Search, Hostname: r.Hostname, MTU: r.MTU, NTP: r.NTP,
		Acquired: r.Acquired, Duration: time.Duration(r.Duration) * time.Second,
		T1: time.Duration(r.T1) * time.Second, T2: time.Duration(r.T2) * time.Second,
	}
	for _, x := range r.Routes {
		if !x.Dst.IsValid() {
			return nil, errors.New("a route has no destination")
		}
		l.Routes = append(l.Routes, netconf.LeaseRoute(x))
	}
	return l, nil
}
