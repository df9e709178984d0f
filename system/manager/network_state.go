package manager

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

// networkReport turns netconf's state into what people and programs read.
type networkReport struct {
	state  netconf.State
	config load.Result
	clock  clock
	now    time.Time
}

// Network is how the network is.
func (m *Manager) Network() api.Network { return m.report().network() }

func (m *Manager) report() networkReport {
	return networkReport{state: m.net.State(), config: m.loaded(), clock: m.clock, now: time.Now()}
}

func (r networkReport) network() api.Network {
	s, firewall := r.state, r.config.Config.Rancher.Network.Firewall
	out := api.Network{
		Online: s.Online, Since: s.OnlineSince, Waiting: s.Waiting, Problems: s.Problems,
		Hostname: r.hostname(), FQDN: s.Names.FQDN,
		Firewall: api.NetworkFirewall{Policy: firewall.Policy, Rules: len(firewall.Allow), PublishedPorts: firewall.PublishedPorts},
	}
	for _, a := range s.Names.Nameservers {
		out.Nameservers = append(out.Nameservers, api.NetworkValue{Value: a.String(), From: r.originOf("nameservers", a.String())})
	}
	for _, name := range s.Names.Search {
		out.Search = append(out.Search, api.NetworkValue{Value: name, From: r.originOf("search", name)})
	}
	out.NTP = r.timeServers()
	for _, l := range s.Links {
		out.Links = append(out.Links, r.link(l))
	}
	for _, route := range s.Routes {
		out.Routes = append(out.Routes, r.route(route))
	}
	for _, rule := range s.Rules {
		out.Rules = append(out.Rules, api.NetworkRule{Priority: rule.Priority, From: prefixText(rule.From), To: prefixText(rule.To),
			Mark: rule.Mark, IIF: rule.IIF, OIF: rule.OIF, Table: rule.Table})
	}
	return out
}

func (r networkReport) link(l netconf.LinkState) api.NetworkLink {
	d := l.Device
	out := api.NetworkLink{
		Name: l.Name, Kind: cmp.Or(l.Kind, l.Driver, "hardware"), State: linkWord(l), MAC: l.MAC, MTU: l.MTU,
		Parent: d.Parent, ID: d.ID, Mode: cmp.Or(d.Mode, d.Bond["mode"]), Path: l.Path, Key: l.Key, Required: l.Required, Waiting: l.Waiting,
		Seen: r.clock.at(l.Seen), Carrier: r.clock.at(l.CarrierAt), Configured: r.clock.at(l.Configured),
	}
	if l.Loopback {
		out.Kind, out.MAC = "loopback", ""
	}
	for _, o := range r.state.Links {
		if l.Master != 0 && o.Index == l.Master {
			out.Master = o.Name
		}
	}
	for _, a := range l.Addresses {
		out.Addresses = append(out.Addresses, r.address(l, a))
	}
	if l.LeaseState != "" || l.Lease != nil {
		out.Leases = append(out.Leases, r.lease(l))
	}
	if l.Lease6State != "" || l.Lease6 != nil {
		out.Leases = append(out.Leases, r.lease6(l))
	}
	return out
}

// linkWord is the one word for how a link is.
func linkWord(l netconf.LinkState) string {
	switch {
	case !l.Up:
		return api.LinkDown
	case !l.Carrier && !l.Loopback:
		return api.LinkNoCarrier
	}
	return api.LinkUp
}

func (r networkReport) address(l netconf.LinkState, a netconf.Address) api.NetworkAddress {
	out := api.NetworkAddress{Address: a.Prefix.String(), Source: r.source(l, a)}
	switch {
	case a.Duplicate:
		out.State = "duplicate"
	case a.Tentative:
		out.State = "tentative"
	}
	switch out.Source {
	case api.SourceDHCP:
		if l.Lease == nil {
			break
		}
		out.Valid = r.left(l.Lease.Acquired, l.Lease.Duration)
	case api.SourceDHCP6:
		for _, g := range l.Lease6.Addresses {
			if g.Prefix.Addr() == a.Prefix.Addr() {
				out.Valid = r.left(l.Lease6.Acquired, g.Valid)
			}
		}
	default:
		if !a.Until.IsZero() {
			out.Valid = max(1, int(a.Until.Sub(r.now)/time.Second))
		}
	}
	return out
}

// source says who gave the address.
func (r networkReport) source(l netconf.LinkState, a netconf.Address) string {
	addr := a.Prefix.Addr()
	switch {
	case l.Loopback && addr.IsLoopback():
		return api.SourceLoopback
	case l.Lease != nil && l.Lease.Address.Addr() == addr:
		return api.SourceDHCP
	case l.Lease6 != nil && slices.ContainsFunc(l.Lease6.Addresses, func(g netconf.Granted) bool { return g.Prefix.Addr() == addr }):
		return api.SourceDHCP6
	case l.Delegated.IsValid() && l.Delegated.Addr() == addr:
		return api.SourceDelegated
	case l.LinkLocal.IsValid() && l.LinkLocal.Addr() == addr, addr.Is6() && addr.IsLinkLocalUnicast() && a.Kernel:
		return api.SourceLinkLocal
	case a.Kernel:
		return api.SourceRA
	case a.Own && l.Source == api.SourceDHCP && !r.configured(l.Key, a.Prefix):
		return api.SourceDHCP // of the manager before this one; it is asked for
	case a.Own:
		return api.SourceStatic
	}
	return api.SourceOther
}

// configured tells whether an address stands in the configuration of a link.
func (r networkReport) configured(key string, prefix netip.Prefix) bool {
	c := r.config.Config.Rancher.Network.Interfaces[key]
	return slices.ContainsFunc(append([]string{c.Address}, c.Addresses...), func(s string) bool {
		p, err := netip.ParsePrefix(s)
		return err == nil && p == prefix
	})
}

func (r networkReport) lease(l netconf.LinkState) api.NetworkLease {
	out := api.NetworkLease{Family: api.SourceDHCP, State: string(l.LeaseState), Attempt: l.Attempt, Message: l.Message}
	if lease := l.Lease; lease != nil {
		out.Address = []string{lease.Address.String()}
		out.Acquired = r.clock.at(lease.Acquired)
		out.Valid, out.Renew = r.left(lease.Acquired, lease.Duration), r.left(lease.Acquired, lease.T1)
		if lease.Server.IsValid() {
			out.Server = lease.Server.String()
		}
	}
	return out
}

func (r networkReport) lease6(l netconf.LinkState) api.NetworkLease {
	out := api.NetworkLease{Family: api.SourceDHCP6, State: string(l.Lease6State), Attempt: l.Attempt6, Message: l.Message6}
	lease := l.Lease6
	if lease == nil {
		return out
	}
	out.Acquired, out.Renew = r.clock.at(lease.Acquired), r.left(lease.Acquired, lease.T1)
	if len(lease.Server) > 0 {
		out.Server = strings.ReplaceAll(fmt.Sprintf("% x", lease.Server), " ", ":")
	}
	for _, g := range lease.Addresses {
		out.Address = append(out.Address, g.Prefix.String())
		out.Valid = shorter(out.Valid, r.left(lease.Acquired, g.Valid))
	}
	for _, g := range lease.Prefixes {
		out.Prefix = append(out.Prefix, g.Prefix.String())
		out.Valid = shorter(out.Valid, r.left(lease.Acquired, g.Valid))
	}
	return out
}

// left is how many seconds of d from start on are left, at least one; 0 is
// for ever, or not known.
func (r networkReport) left(start time.Time, d time.Duration) int {
	if start.IsZero() || d <= 0 {
		return 0
	}
	return max(1, int(start.Add(d).Sub(r.now)/time.Second))
}

// shorter is the smaller of two times of which 0 is for ever.
func shorter(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (r networkReport) route(route netconf.Route) api.NetworkRoute {
	out := api.NetworkRoute{To: route.Dst.String(), Type: route.Type, Link: route.Link.Name, Metric: route.Metric,
		Table: cmp.Or(route.Table, mainTable), MTU: route.MTU}
	if route.Dst.Bits() == 0 {
		out.To = "default"
	}
	if out.Type == "unicast" {
		out.Type = ""
	}
	if route.Gateway.IsValid() {
		out.Via = route.Gateway.String()
	}
	if route.Source.IsValid() {
		out.Source = route.Source.String()
	}
	for _, l := range r.state.Links {
		if out.Link == "" && route.Link.Index != 0 && l.Index == route.Link.Index {
			out.Link = l.Name
		}
	}
	return out
}

// mainTable is the routing table that counts without rules, RT_TABLE_MAIN.
const mainTable = 254

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}
