package manager

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/services/chrony"
	"github.com/pharos-os/pharos/system/control/api"
)

// hostname is the machine's name; netconf decides which one it is.
func (r networkReport) hostname() api.NetworkValue {
	name := r.state.Names.Hostname
	if name != "" && name == r.config.Config.Hostname {
		return api.NetworkValue{Value: name, From: r.layer("hostname")}
	}
	for _, l := range r.state.Links {
		use := r.config.Config.Rancher.Network.Interfaces[l.Key].DHCPOptions.UseHostname
		if lease := leaseInUse(l); lease != nil && name != "" && (use == nil || *use) && strings.EqualFold(strings.TrimSuffix(lease.Hostname, "."), name) {
			return api.NetworkValue{Value: name, From: api.SourceDHCP + " " + l.Name}
		}
	}
	return api.NetworkValue{Value: name, From: "default"}
}

// leaseInUse is a link's lease, or what a manager before this one has left of
// it; nil: there is none.
func leaseInUse(l netconf.LinkState) *netconf.Lease { return cmp.Or(l.Lease, l.Adopted) }

// layer is the layer of the configuration that a key was set in.
func (r networkReport) layer(key string) string {
	pos, ok := r.config.Document.Source(key)
	if !ok || pos.Layer == "" {
		return "configuration"
	}
	return pos.Layer
}

// originOf says where a name server or a search domain is from: the
// configuration's own list, or the first link that brings it.
func (r networkReport) originOf(what, value string) string {
	network := r.config.Config.Rancher.Network
	pick := func(servers, domains []string) []string {
		if what == "search" {
			return domains
		}
		return servers
	}
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(strings.TrimSuffix(s, "."), value) })
	}
	if has(pick(network.DNS.Nameservers, network.DNS.Search)) {
		return r.layer("rancher.network.dns." + what)
	}
	for _, l := range r.state.Links {
		c := network.Interfaces[l.Key]
		use := c.DHCPOptions.UseDNS
		if what == "search" {
			use = c.DHCPOptions.UseDomains
		}
		leased, lease := use == nil || *use, leaseInUse(l)
		switch {
		case l.Key != "" && has(pick(c.DNS.Nameservers, c.DNS.Search)):
			return "interfaces." + l.Key
		case leased && lease != nil && has(pick(texts(lease.DNS), append([]string{lease.Domain}, lease.Search...))):
			return api.SourceDHCP + " " + l.Name
		case leased && l.Lease6 != nil && has(pick(texts(l.Lease6.DNS), l.Lease6.Search)):
			return api.SourceDHCP6 + " " + l.Name
		case has(pick(texts(l.RDNSS), l.DNSSL)):
			return api.SourceRA + " " + l.Name
		}
	}
	return ""
}

// timeServers are those that chronyd is told.
func (r networkReport) timeServers() []api.NetworkValue {
	var out []api.NetworkValue
	ntp := r.config.Config.NTP
	add := func(key string, names []string) {
		for _, name := range names {
			out = append(out, api.NetworkValue{Value: name, From: r.layer(key)})
		}
	}
	add("ntp.servers", ntp.Servers)
	add("ntp.pools", ntp.Pools)
	if len(out) > 0 {
		return out
	}
	for _, l := range r.state.Links {
		if use := r.config.Config.Rancher.Network.Interfaces[l.Key].DHCPOptions.UseNTP; use != nil && !*use {
			continue
		}
		if lease := leaseInUse(l); lease != nil {
			out = append(out, leased(lease.NTP, api.SourceDHCP, l)...)
		}
		if l.Lease6 != nil {
			out = append(out, leased(l.Lease6.NTP, api.SourceDHCP6, l)...)
		}
	}
	if len(out) == 0 {
		out = []api.NetworkValue{{Value: chrony.Pool, From: "default"}}
	}
	return out
}

func leased(servers []netip.Addr, family string, l netconf.LinkState) []api.NetworkValue {
	var out []api.NetworkValue
	for _, a := range servers {
		out = append(out, api.NetworkValue{Value: a.String(), From: family + " " + l.Name})
	}
	return out
}

func texts(addrs []netip.Addr) []string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}
