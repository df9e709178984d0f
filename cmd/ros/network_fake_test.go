package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

// fakeNetwork is what a fakeManager says about its network.
type fakeNetwork struct {
	state   api.Network
	plan    api.NetworkPlan
	waiting []string // after an apply; none: it is online
}

func (m *fakeManager) Network() api.Network { return m.network.state }

func (m *fakeManager) NetworkPlan(text string) (api.NetworkPlan, error) {
	m.asked = append(m.asked, fmt.Sprintf("network plan %q", text))
	if strings.Contains(text, "BAD") {
		return api.NetworkPlan{}, fmt.Errorf("input:1:1: want a mapping: %w", errdefs.ErrInvalidArgument)
	}
	return m.network.plan, nil
}

func (m *fakeManager) NetworkApply(context.Context, string) (api.NetworkApplied, error) {
	m.asked = append(m.asked, "network apply")
	return api.NetworkApplied{NetworkPlan: m.network.plan, Online: len(m.network.waiting) == 0, Waiting: m.network.waiting}, nil
}

func (m *fakeManager) NetworkRenew(_ context.Context, link string) (api.NetworkLink, error) {
	if link != "eth0" {
		return api.NetworkLink{}, fmt.Errorf("there is no link %q: %w", link, errdefs.ErrNotFound)
	}
	m.asked = append(m.asked, "network renew "+link)
	return aNetwork().Links[1], nil
}

// oneLink is what most machines have.
func oneLink() api.Network {
	return api.Network{
		Online: true, Since: noon().Add(-12 * time.Minute),
		Hostname:    api.NetworkValue{Value: "pharos", From: "default"},
		Nameservers: []api.NetworkValue{{Value: "10.0.2.3", From: "dhcp eth0"}},
		Links: []api.NetworkLink{
			{Name: "lo", Kind: "loopback", State: api.LinkUp, MTU: 65536, Addresses: []api.NetworkAddress{
				{Address: "127.0.0.1/8", Source: api.SourceLoopback}, {Address: "::1/128", Source: api.SourceLoopback}}},
			{Name: "eth0", Kind: "virtio_net", State: api.LinkUp, MAC: "52:54:00:12:34:56", MTU: 1500, Key: "eth*",
				Addresses: []api.NetworkAddress{
					{Address: "10.0.2.15/24", Source: api.SourceDHCP, Valid: 85646},
					{Address: "fec0::5054:ff:fe12:3456/64", Source: api.SourceRA, Valid: 86390},
					{Address: "fe80::5054:ff:fe12:3456/64", Source: api.SourceLinkLocal}},
				Leases: []api.NetworkLease{{Family: "dhcp", State: "bound", Address: []string{"10.0.2.15/24"}, Server: "10.0.2.2", Acquired: 3.9, Valid: 85646, Renew: 42446}},
				Seen:   2.7, Carrier: 2.8, Configured: 3.98},
		},
		Routes: []api.NetworkRoute{{To: "default", Via: "10.0.2.2", Link: "eth0", Source: "10.0.2.15", Metric: 1002, Table: 254}},
	}
}

// aNetwork has one of everything.
func aNetwork() api.Network {
	n := oneLink()
	n.Online, n.Since, n.FQDN = false, time.Time{}, "lake.example.org"
	n.Hostname = api.NetworkValue{Value: "lake", From: "metadata"}
	n.Waiting = []string{"a lease on eth1", "an address on wlan0"}
	n.Problems = []string{"eth1: no DHCP lease after 30 s, still trying: nobody answers"}
	n.Nameservers = append(n.Nameservers, api.NetworkValue{Value: "2001:db8::53", From: "ra eth0"}, api.NetworkValue{Value: "192.0.2.53", From: "interfaces.office"})
	n.Search = []api.NetworkValue{{Value: "example.org", From: "dhcp eth0"}}
	n.NTP = []api.NetworkValue{{Value: "192.0.2.123", From: "dhcp eth0"}}
	n.Firewall = api.NetworkFirewall{Policy: "drop", Rules: 2, PublishedPorts: true}
	n.Links[1].Leases = append(n.Links[1].Leases, api.NetworkLease{Family: "dhcp6", State: "bound", Address: []string{"2001:db8::7/128"},
		Prefix: []string{"2001:db8:100::/56"}, Server: "00:03:00:01:52:54:00:00:00:01", Valid: 7100, Renew: 3500})
	n.Links = append(n.Links,
		api.NetworkLink{Name: "eth1", Kind: "e1000e", State: api.LinkUp, MAC: "52:54:00:12:34:57", MTU: 1500, Key: "en*", Waiting: []string{"a lease"},
			Leases: []api.NetworkLease{{Family: "dhcp", State: "selecting", Attempt: 5, Message: "nobody answers"}}},
		api.NetworkLink{Name: "eth2", Kind: "e1000e", State: api.LinkNoCarrier, MAC: "52:54:00:12:34:58", MTU: 9000, Master: "bond0", Key: "driver=e1000e"},
		api.NetworkLink{Name: "bond0", Kind: "bond", Mode: "802.3ad", State: api.LinkUp, MAC: "52:54:00:12:34:58", MTU: 9000, Key: "bond0"},
		api.NetworkLink{Name: "office", Kind: "vlan", ID: 100, Parent: "bond0", State: api.LinkUp, MAC: "52:54:00:12:34:58", MTU: 9000, Key: "office",
			Addresses: []api.NetworkAddress{{Address: "192.0.2.7/24", Source: api.SourceStatic}, {Address: "2001:db8:1234:5678:5054:ff:fe12:3458/64", Source: api.SourceDelegated, State: "tentative", Valid: 7100}}},
		api.NetworkLink{Name: "wlan0", Kind: "iwlwifi", State: api.LinkDown, MAC: "52:54:00:12:34:59", MTU: 1500, Waiting: []string{"a carrier"}},
	)
	n.Routes = append(n.Routes,
		api.NetworkRoute{To: "default", Via: "fe80::1", Link: "office", Metric: 100, Table: 254},
		api.NetworkRoute{To: "198.51.100.0/24", Via: "192.0.2.1", Link: "office", Metric: 100, Table: 100, MTU: 1400},
		api.NetworkRoute{To: "203.0.113.0/24", Type: "blackhole", Metric: 0, Table: 254})
	n.Rules = []api.NetworkRule{{Priority: 1000, From: "192.0.2.0/24", Table: 100}, {Priority: 1001, Mark: 0x10, IIF: "eth0", Table: 254}}
	return n
}

// aPlan puts eth1 into a bond.
func aPlan() api.NetworkPlan {
	return api.NetworkPlan{
		Keys: []api.ConfigChange{{Key: "rancher.network.interfaces", How: "live",
			Text: "rancher.network.interfaces changes (bond0, eth1): the network is brought to it at once; what is the same stays up"}},
		Changes: []api.NetworkChange{{Link: "bond0", Text: "link add bond0 type bond"}, {Link: "eth1", Text: "link set eth1 down"},
			{Link: "eth1", Text: "link set eth1 master bond0"}, {Link: "bond0", Text: "addr add 192.0.2.7/24 dev bond0"}},
	}
}
