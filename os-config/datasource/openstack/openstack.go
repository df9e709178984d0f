// Package openstack owns the datasource OpenStack: the metadata service, and
// the parsers of its JSON files, which ConfigDrive has too. It refuses to
// look for the service on machines that are not OpenStack's; detection does.
package openstack

import (
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is, whatever the cloud.
const Base = "http://169.254.169.254"

type source struct{ client *imds.Client }

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source {
	if base == "" {
		base = Base
	}
	return source{imds.New(base, o)}
}

func (source) Name() string { return "openstack" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	const root = "openstack/latest/"
	meta, err := s.client.Get(ctx, root+"meta_data.json")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("openstack: %w", err)
	}
	out, err := ParseMetaData(s.client.URL(root+"meta_data.json"), meta)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("openstack: %w", err)
	}
	parts := map[string][]byte{}
	for _, name := range []string{"network_data.json", "user_data", "vendor_data.json"} {
		if parts[name], err = metadata.Optional(s.client.Get(ctx, root+name)); err != nil {
			return datasource.Result{}, fmt.Errorf("openstack: %w", err)
		}
	}
	out.UserData, out.UserDataFile = parts["user_data"], s.client.URL(root+"user_data")
	out.VendorData, out.VendorDataFile = ParseVendorData(parts["vendor_data.json"]), s.client.URL(root+"vendor_data.json")
	if network := parts["network_data.json"]; len(network) > 0 {
		node, report := ParseNetworkData(s.client.URL(root+"network_data.json"), network)
		out.Network, out.Report = node, append(out.Report, report...)
	}
	return out, nil
}
