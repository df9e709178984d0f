// Package vultr owns the datasource of Vultr: v1.json of its metadata
// service, user-data, and the startup script. It refuses the root password
// that the service would give.
package vultr

import (
	"context"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("vultr", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	get := func(path string) ([]byte, error) { return c.Get(ctx, path, "Metadata-Token", "cloudinit") }
	data, err := get("v1.json")
	if err != nil {
		return datasource.Result{}, err
	}
	out, err := Parse(c.URL("v1.json"), data)
	if err != nil {
		return datasource.Result{}, err
	}
	for _, path := range []string{"latest/user-data", "latest/startup-script"} {
		if len(out.UserData) > 0 {
			break
		}
		if out.UserData, err = metadata.Optional(get(path)); err != nil {
			return datasource.Result{}, err
		}
		out.UserDataFile = c.URL(path)
	}
	return out, nil
}

type document struct {
	ID         metadata.Text  `json:"instance-v2-id"`
	OldID      metadata.Text  `json:"instanceid"`
	Hostname   metadata.Text  `json:"hostname"`
	Keys       metadata.Lines `json:"public-keys"`
	UserData   any            `json:"user-data"`
	VendorData any            `json:"vendor-data"`
	Links      []link         `json:"interfaces"`
}

type link struct {
	MAC  metadata.Text `json:"mac"`
	Type metadata.Text `json:"network-type"`
	IPv4 struct {
		address
		More []address `json:"additional"`
	} `json:"ipv4"`
	IPv6 struct {
		address
		More []address `json:"additional"`
	} `json:"ipv6"`
}

type address struct {
	Address metadata.Text `json:"address"`
	Network metadata.Text `json:"network"`
	Netmask metadata.Text `json:"netmask"`
	Prefix  metadata.Text `json:"prefix"`
}

// Parse reads v1.json. The public link takes a lease and follows router
// advertisements; private ones have no DHCP server and are static.
func Parse(where string, data []byte) (datasource.Result, error) {
	var m document
	if err := metadata.JSON(where, data, &m); err != nil {
		return datasource.Result{}, err
	}
	out := datasource.Result{Where: where, InstanceID: string(m.ID), Hostname: metadata.Hostname(string(m.Hostname)), Keys: metadata.Keys(m.Keys...)}
	if out.InstanceID == "" {
		out.InstanceID = string(m.OldID)
	}
	// What there is none of is an empty list.
	if text, ok := m.UserData.(string); ok && text != "" {
		out.UserData, out.UserDataFile = []byte(text), where+":user-data"
	}
	if text, ok := m.VendorData.(string); ok && text != "" {
		out.VendorData, out.VendorDataFile = []byte(text), where+":vendor-data"
	}
	n := metadata.NewNetwork(where)
	for _, d := range m.Links {
		l := n.ByMAC(string(d.MAC))
		if d.Type == "private" {
			l.Add(string(d.IPv4.Address), string(d.IPv4.Netmask))
			if out.Addresses.PrivateIPv4 == "" {
				out.Addresses.PrivateIPv4 = metadata.Address(string(d.IPv4.Address))
			}
			continue
		}
		l.UseDHCP()
		for _, a := range d.IPv4.More {
			l.Add(string(a.Address), string(a.Netmask))
		}
		for _, a := range d.IPv6.More {
			if a.Address != "" { // a network without an address is the user's to divide
				l.Add(string(a.Address), string(a.Prefix))
			}
		}
		if out.Addresses.PublicIPv4 == "" {
			out.Addresses.PublicIPv4 = metadata.Address(string(d.IPv4.Address))
			out.Addresses.PublicIPv6 = metadata.Address(string(d.IPv6.Address))
		}
	}
	out.Network, out.Report = n.Section()
	return out, nil
}
