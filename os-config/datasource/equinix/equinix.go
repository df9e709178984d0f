// Package equinix owns the datasource of Equinix Metal, before Packet: the
// metadata of a machine of metal, whose links are bonded. It refuses to report
// to the address that the metadata names; that is the user's phone_home.
package equinix

import (
	"cmp"
	"context"
	"net/netip"
	"regexp"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is.
const Base = "https://metadata.platformequinix.com"

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("equinix", cmp.Or(base, Base), o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	data, err := c.Get(ctx, "metadata")
	if err != nil {
		return datasource.Result{}, err
	}
	out, err := Parse(c.URL("metadata"), data)
	if err != nil {
		return datasource.Result{}, err
	}
	if out.UserData, err = metadata.Optional(c.Get(ctx, "userdata")); err != nil {
		return datasource.Result{}, err
	}
	out.UserDataFile = c.URL("userdata")
	return out, nil
}

type document struct {
	ID       metadata.Text  `json:"id"`
	Hostname metadata.Text  `json:"hostname"`
	Keys     metadata.Lines `json:"ssh_keys"`
	Network  struct {
		Bonding struct {
			Mode metadata.Text `json:"mode"`
		} `json:"bonding"`
		Links []struct {
			MAC  metadata.Text `json:"mac"`
			Bond metadata.Text `json:"bond"`
		} `json:"interfaces"`
		Addresses []struct {
			Family  metadata.Text `json:"address_family"`
			Public  metadata.Text `json:"public"`
			Enabled metadata.Text `json:"enabled"`
			Address metadata.Text `json:"address"`
			CIDR    metadata.Text `json:"cidr"`
			Netmask metadata.Text `json:"netmask"`
			Gateway metadata.Text `json:"gateway"`
		} `json:"addresses"`
	} `json:"network"`
}

// bondModes are the kernel's numbers.
func bondModes() map[metadata.Text]string {
	return map[metadata.Text]string{
		"0": "balance-rr", "1": "active-backup", "2": "balance-xor", "3": "broadcast", "4": "802.3ad", "5": "balance-tlb", "6": "balance-alb",
	}
}

// Parse reads the metadata. All addresses are static, on bond0, or on the
// first link where nothing is bonded; public gateways are the default, the
// private one leads to 10.0.0.0/8.
func Parse(where string, data []byte) (datasource.Result, error) {
	var m document
	if err := metadata.JSON(where, data, &m); err != nil {
		return datasource.Result{}, err
	}
	out := datasource.Result{
		Where: where, InstanceID: string(m.ID), Hostname: metadata.Hostname(string(m.Hostname)), Keys: metadata.Keys(m.Keys...),
	}
	n := metadata.NewNetwork(where)
	if top := m.links(n); top != nil && len(m.Network.Addresses) > 0 {
		m.addresses(top, &out)
		n.DNS("147.75.207.207", "147.75.207.208") // Equinix's, for all of its machines
	}
	out.Network, out.Report = n.Section()
	return out, nil
}

// links makes the links and returns the one that has the addresses.
func (m document) links(n *metadata.Network) *metadata.Link {
	var top *metadata.Link
	name := regexp.MustCompile(`^bond[0-9]{1,3}$`)
	for _, d := range m.Network.Links {
		l := n.ByMAC(string(d.MAC))
		if l == nil {
			continue
		}
		if name.MatchString(string(d.Bond)) {
			l.Bond = string(d.Bond)
			l = m.bond(n, l.Bond)
		}
		if top == nil {
			top = l
		}
	}
	return top
}

func (m document) bond(n *metadata.Network, name string) *metadata.Link {
	l := n.Named(name)
	l.Type = "bond"
	l.BondOpts = map[string]string{
		"mode": bondModes()[m.Network.Bonding.Mode], "miimon": "100", "updelay": "200", "downdelay": "200", "xmit_hash_policy": "layer3+4",
	}
	switch l.BondOpts["mode"] {
	case "802.3ad":
		l.BondOpts["lacp_rate"] = "1"
	case "":
		l.BondOpts["mode"], l.BondOpts["lacp_rate"] = "802.3ad", "1"
	}
	return l
}

func (m document) addresses(l *metadata.Link, out *datasource.Result) {
	set := func(field *string, address string) {
		if *field == "" {
			*field = metadata.Address(address)
		}
	}
	for _, a := range m.Network.Addresses {
		if a.Enabled != "" && !a.Enabled.Bool() {
			continue
		}
		address, mask := string(a.Address), string(a.CIDR)
		if mask == "" {
			mask = string(a.Netmask)
		}
		l.Add(address, mask)
		ip, err := netip.ParseAddr(address)
		switch {
		case err != nil:
		case a.Public.Bool() && ip.Is4():
			set(&out.Addresses.PublicIPv4, address)
			l.Via(string(a.Gateway))
		case a.Public.Bool():
			set(&out.Addresses.PublicIPv6, address)
			l.Via(string(a.Gateway))
		case ip.Is4():
			set(&out.Addresses.PrivateIPv4, address)
			l.Route("10.0.0.0/8", "", string(a.Gateway))
		default:
			set(&out.Addresses.PrivateIPv6, address)
		}
	}
}
