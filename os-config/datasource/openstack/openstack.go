// Package openstack owns the datasource OpenStack: the metadata service, and
// the parsers of its JSON files, which ConfigDrive has too. It refuses to
// look for the service on machines that are not OpenStack's; detection does.
package openstack

import (
	"context"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("openstack", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	const root = "openstack/latest/"
	meta, err := c.Get(ctx, root+"meta_data.json")
	if err != nil {
		return datasource.Result{}, err
	}
	out, err := ParseMetaData(c.URL(root+"meta_data.json"), meta)
	if err != nil {
		return datasource.Result{}, err
	}
	parts := map[string][]byte{}
	for _, name := range []string{"network_data.json", "user_data", "vendor_data.json"} {
		if parts[name], err = metadata.Optional(c.Get(ctx, root+name)); err != nil {
			return datasource.Result{}, err
		}
	}
	out.UserData, out.UserDataFile = parts["user_data"], c.URL(root+"user_data")
	out.VendorData, out.VendorDataFile = ParseVendorData(parts["vendor_data.json"]), c.URL(root+"vendor_data.json")
	if network := parts["network_data.json"]; len(network) > 0 {
		node, report := ParseNetworkData(c.URL(root+"network_data.json"), network)
		out.Network, out.Report = node, append(out.Report, report...)
	}
	return out, nil
}
