// Package azure owns the datasources of Azure: its metadata service, the DVD
// with ovf-env.xml, and the report that the machine is ready, without which
// Azure takes a machine for broken. It refuses the password that the DVD has:
// nobody logs in with it, and nobody logs it.
package azure

import (
	"context"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

const instancePath = "metadata/instance?api-version=2021-02-01"

// New makes a source of the metadata service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("azure", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	data, err := c.Get(ctx, instancePath, "Metadata", "true")
	if err != nil {
		return datasource.Result{}, err
	}
	return Parse(c.URL("metadata/instance"), data)
}

type document struct {
	Compute struct {
		ID         metadata.Text `json:"vmId"`
		Name       metadata.Text `json:"name"`
		UserData   metadata.Text `json:"userData"`
		CustomData metadata.Text `json:"customData"`
		Profile    struct {
			ComputerName metadata.Text `json:"computerName"`
		} `json:"osProfile"`
		Keys []struct {
			Data metadata.Text `json:"keyData"`
		} `json:"publicKeys"`
	} `json:"compute"`
	Network struct {
		Links []link `json:"interface"`
	} `json:"network"`
}

type link struct {
	MAC  metadata.Text `json:"macAddress"`
	IPv4 family        `json:"ipv4"`
	IPv6 family        `json:"ipv6"`
}

type family struct {
	Addresses []struct {
		Private metadata.Text `json:"privateIpAddress"`
		Public  metadata.Text `json:"publicIpAddress"`
	} `json:"ipAddress"`
	Subnets []struct {
		Prefix metadata.Text `json:"prefix"`
	} `json:"subnet"`
}

// Parse reads the answer of metadata/instance. One link with one address is
// left to DHCP; with more, each link is known by its MAC address, takes a
// lease, and has its further addresses.
func Parse(where string, data []byte) (datasource.Result, error) {
	var m document
	if err := metadata.JSON(where, data, &m); err != nil {
		return datasource.Result{}, err
	}
	c := m.Compute
	out := datasource.Result{Where: where, InstanceID: strings.ToLower(string(c.ID)), Hostname: metadata.Hostname(string(c.Profile.ComputerName))}
	if out.Hostname == "" {
		out.Hostname = metadata.Hostname(string(c.Name))
	}
	for _, k := range c.Keys {
		// Keys that were pasted with line breaks arrive with them.
		out.Keys = append(out.Keys, strings.NewReplacer("\r", "", "\n", "").Replace(string(k.Data)))
	}
	out.Keys = metadata.Keys(out.Keys...)
	switch {
	case c.UserData != "":
		metadata.UserData64(&out, where+"/compute/userData", string(c.UserData))
	case c.CustomData != "":
		metadata.UserData64(&out, where+"/compute/customData", string(c.CustomData))
	}
	n := metadata.NewNetwork(where)
	m.network(n, &out)
	node, report := n.Section()
	out.Network, out.Report = node, append(out.Report, report...)
	return out, nil
}

func (m document) network(n *metadata.Network, out *datasource.Result) {
	links := m.Network.Links
	for i, d := range links {
		if i == 0 && len(d.IPv4.Addresses) > 0 {
			out.Addresses.PublicIPv4 = metadata.Address(string(d.IPv4.Addresses[0].Public))
			out.Addresses.PrivateIPv4 = metadata.Address(string(d.IPv4.Addresses[0].Private))
		}
		if i == 0 && len(d.IPv6.Addresses) > 0 {
			out.Addresses.PublicIPv6 = metadata.Address(string(d.IPv6.Addresses[0].Public))
			out.Addresses.PrivateIPv6 = metadata.Address(string(d.IPv6.Addresses[0].Private))
		}
		if len(links) == 1 && len(d.IPv4.Addresses) < 2 && len(d.IPv6.Addresses) == 0 {
			return
		}
		l := n.ByMAC(colons(string(d.MAC)))
		l.UseDHCP()
		for j, a := range d.IPv4.Addresses {
			if j > 0 { // DHCP brings the first
				l.Add(string(a.Private), d.IPv4.bits())
			}
		}
		if len(d.IPv6.Addresses) > 0 {
			l.UseDHCP6()
		}
	}
}

func (f family) bits() string {
	if len(f.Subnets) == 0 {
		return ""
	}
	return string(f.Subnets[0].Prefix)
}

// colons writes the MAC address 000D3A2B4C5D as everybody else does.
func colons(mac string) string {
	const digits = 12
	if len(mac) != digits {
		return mac
	}
	var parts []string
	for i := 0; i < digits; i += 2 {
		parts = append(parts, mac[i:i+2])
	}
	return strings.Join(parts, ":")
}
