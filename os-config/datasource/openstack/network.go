package openstack

import (
	"fmt"
	"regexp"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// The form is that of nova's doc/api_schemas/network_data.json.
type networkData struct {
	Links    []linkData    `json:"links"`
	Networks []networkOf   `json:"networks"`
	Services []serviceData `json:"services"`
}

type linkData struct {
	ID         metadata.Text  `json:"id"`
	Type       metadata.Text  `json:"type"`
	MAC        metadata.Text  `json:"ethernet_mac_address"`
	MTU        metadata.Text  `json:"mtu"`
	BondLinks  metadata.Lines `json:"bond_links"`
	BondMode   metadata.Text  `json:"bond_mode"`
	BondMIIMon metadata.Text  `json:"bond_miimon"`
	BondHash   metadata.Text  `json:"bond_xmit_hash_policy"`
	VLANLink   metadata.Text  `json:"vlan_link"`
	VLANID     metadata.Text  `json:"vlan_id"`
	VLANMAC    metadata.Text  `json:"vlan_mac_address"`
}

type networkOf struct {
	Link     metadata.Text  `json:"link"`
	Type     metadata.Text  `json:"type"`
	Address  metadata.Text  `json:"ip_address"`
	Netmask  metadata.Text  `json:"netmask"`
	Gateway  metadata.Text  `json:"gateway"`
	DNS      metadata.Lines `json:"dns_nameservers"`
	Services []serviceData  `json:"services"`
	Routes   []struct {
		Network metadata.Text `json:"network"`
		Netmask metadata.Text `json:"netmask"`
		Gateway metadata.Text `json:"gateway"`
	} `json:"routes"`
}

type serviceData struct {
	Type    metadata.Text `json:"type"`
	Address metadata.Text `json:"address"`
}

// ParseNetworkData makes rancher.network of network_data.json. Links are
// known by MAC address, bonds become bond0, bond1, …, VLANs vlanN.
func ParseNetworkData(where string, data []byte) (*osconfig.Node, osconfig.Report) {
	n := metadata.NewNetwork(where)
	var doc networkData
	if err := metadata.JSON(where, data, &doc); err != nil {
		return nil, osconfig.Report{{
			Severity: osconfig.Error, Kind: osconfig.Source, Layer: metadata.Layer, File: where,
			Text: strings.TrimPrefix(err.Error(), where+": "),
		}}
	}
	links := resolve(n, doc.Links)
	for _, w := range doc.Networks {
		l, ok := links[w.Link]
		if !ok {
			n.Warn("a network on the link %q is left out: there is no such link", string(w.Link))
			continue
		}
		w.apply(n, l)
	}
	dns(n, doc.Services)
	return n.Section()
}

func dns(n *metadata.Network, services []serviceData) {
	for _, s := range services {
		if s.Type == "dns" {
			n.DNS(string(s.Address))
		}
	}
}

// resolve makes the links and returns them by their ids: Ethernet first, then
// bonds of them, then VLANs on either.
func resolve(n *metadata.Network, list []linkData) map[metadata.Text]*metadata.Link {
	links := map[metadata.Text]*metadata.Link{}
	for _, d := range list {
		if d.Type != "bond" && d.Type != "vlan" {
			links[d.ID] = n.ByMAC(string(d.MAC))
			links[d.ID].Size(string(d.MTU))
		}
	}
	bonds := 0
	for _, d := range list {
		if d.Type == "bond" {
			links[d.ID] = d.bond(n, links, bonds)
			bonds++
		}
	}
	macs := map[metadata.Text]metadata.Text{}
	for _, d := range list {
		macs[d.ID] = d.MAC
	}
	for _, d := range list {
		if d.Type == "vlan" {
			links[d.ID] = d.vlan(n, links[d.VLANLink], macs[d.VLANLink])
		}
	}
	return links
}

func (d linkData) bond(n *metadata.Network, links map[metadata.Text]*metadata.Link, number int) *metadata.Link {
	name := fmt.Sprintf("bond%d", number)
	bond := n.Named(name)
	bond.Type = "bond"
	bond.BondOpts = map[string]string{"mode": "balance-rr"} // the kernel's own
	for _, o := range []struct {
		key   string
		value metadata.Text
		known string
	}{
		{"mode", d.BondMode, `balance-rr|active-backup|balance-xor|broadcast|802\.3ad|balance-tlb|balance-alb|[0-6]`},
		{"miimon", d.BondMIIMon, `[0-9]{1,9}`},
		{"xmit_hash_policy", d.BondHash, `layer2|layer3\+4|layer2\+3|encap2\+3|encap3\+4|vlan\+srcmac|[0-5]`},
	} {
		switch {
		case o.value == "":
		case regexp.MustCompile(`^(` + o.known + `)$`).MatchString(string(o.value)):
			bond.BondOpts[o.key] = string(o.value)
		default:
			n.Warn("the %s of a bond is left out: %q is none", o.key, string(o.value))
		}
	}
	for _, id := range d.BondLinks {
		if l := links[metadata.Text(id)]; l != nil {
			l.Bond = name
		} else {
			n.Warn("the link %q of a bond is left out: there is no such link", id)
		}
	}
	bond.Size(string(d.MTU))
	bond.Own(string(d.MAC))
	return bond
}

// vlan makes the VLAN on a link that has the MAC address under.
func (d linkData) vlan(n *metadata.Network, on *metadata.Link, under metadata.Text) *metadata.Link {
	var id int
	if _, err := fmt.Sscanf(string(d.VLANID), "%d", &id); err != nil || id < 1 || id > 4094 || on == nil {
		n.Warn("the VLAN %q is left out: its number or its link cannot be right", string(d.VLANID))
		return nil
	}
	name := fmt.Sprintf("vlan%d", id)
	text := fmt.Sprintf("%d:%s", id, name)
	switch {
	case on.VLANs == "":
		on.VLANs = text
	case !strings.Contains(","+on.VLANs+",", ","+text+","):
		on.VLANs += "," + text
	}
	l := n.Named(name)
	l.Size(string(d.MTU))
	if !strings.EqualFold(string(d.VLANMAC), string(under)) { // it has that one anyway
		l.Own(string(d.VLANMAC))
	}
	return l
}

func (w networkOf) apply(n *metadata.Network, l *metadata.Link) {
	switch w.Type {
	case "ipv4_dhcp":
		l.UseDHCP()
	case "ipv6_dhcp", "ipv6_dhcpv6-stateful":
		l.UseDHCP6()
	case "ipv6_slaac", "ipv6_dhcpv6-stateless": // router advertisements are followed anyway
	case "ipv4", "ipv6":
		l.Add(string(w.Address), string(w.Netmask))
	default:
		n.Warn("a network of the type %q is left out", string(w.Type))
		return
	}
	l.Via(string(w.Gateway))
	for _, r := range w.Routes {
		l.Route(string(r.Network), string(r.Netmask), string(r.Gateway))
	}
	n.DNS(w.DNS...)
	dns(n, w.Services)
}
