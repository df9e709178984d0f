// Package hetzner owns the datasource of Hetzner Cloud: its metadata service,
// which speaks YAML, with the private networks of the server. It refuses the
// parts that its metadata repeats one by one.
package hetzner

import (
	"context"
	"fmt"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("hetzner", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	const root = "hetzner/v1/"
	data, err := c.Get(ctx, root+"metadata")
	if err != nil {
		return datasource.Result{}, err
	}
	private, err := metadata.Optional(c.Get(ctx, root+"metadata/private-networks"))
	if err != nil {
		return datasource.Result{}, err
	}
	user, err := metadata.Optional(c.Get(ctx, root+"userdata"))
	if err != nil {
		return datasource.Result{}, err
	}
	out, err := Parse(c.URL(root+"metadata"), data, private)
	if err != nil {
		return datasource.Result{}, err
	}
	out.UserData, out.UserDataFile = user, c.URL(root+"userdata")
	return out, nil
}

// Parse reads the metadata and the list of private networks, which may be
// empty. The links of private networks take leases.
func Parse(where string, data, private []byte) (datasource.Result, error) {
	doc, report := osconfig.ParseTree(metadata.Layer, where, data)
	if doc == nil || doc.Kind != osconfig.Map {
		return datasource.Result{}, fmt.Errorf("%s: no usable YAML", where)
	}
	text := func(key string) string {
		if n := doc.Child(key); n != nil && n.Scalar() {
			return strings.TrimSpace(n.Text)
		}
		return ""
	}
	out := datasource.Result{
		Where:      where,
		InstanceID: text("instance-id"),
		Hostname:   metadata.Hostname(text("hostname")),
		Addresses:  datasource.Addresses{PublicIPv4: metadata.Address(text("public-ipv4"))},
		Report:     report,
	}
	if vendor := text("vendor_data"); vendor != "" {
		out.VendorData, out.VendorDataFile = []byte(vendor+"\n"), where+":vendor_data"
	}
	if keys := doc.Child("public-keys"); !keys.IsNull() {
		lines := []string{keys.Text}
		for _, k := range keys.List {
			lines = append(lines, k.Text)
		}
		out.Keys = metadata.Keys(lines...)
	}
	if network := doc.Child("network-config"); !network.IsNull() {
		node, report := nocloud.Network(network)
		out.Network, out.Report = node, append(out.Report, report...)
	}
	n := metadata.NewNetwork(where + "/private-networks")
	for i, mac := range privateLinks(where, private, &out) {
		n.ByMAC(mac).UseDHCP()
		if i == 0 && out.Network == nil {
			// The public link would lose the default, which is DHCP.
			n.Named("e*").UseDHCP()
		}
	}
	node, report := n.Section()
	out.Network, out.Report = metadata.Join(out.Network, node), append(out.Report, report...)
	return out, nil
}

// privateLinks returns the MAC addresses of the private networks, a YAML list.
func privateLinks(where string, data []byte, out *datasource.Result) []string {
	list, report := osconfig.ParseTree(metadata.Layer, where+"/private-networks", data)
	out.Report = append(out.Report, report...)
	if list == nil {
		return nil
	}
	var macs []string
	for i, n := range list.List {
		if ip := n.Child("ip"); i == 0 && ip != nil {
			out.Addresses.PrivateIPv4 = metadata.Address(ip.Text)
		}
		if mac := n.Child("mac_address"); mac != nil {
			macs = append(macs, mac.Text)
		}
	}
	return macs
}
