// Package exoscale owns the datasource Exoscale: a metadata service like
// EC2's first. It refuses the service on port 8080 that gives passwords.
package exoscale

import (
	"context"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("exoscale", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	return ec2.Fetch(ctx, c, "1.0/", nil, "local-hostname", "local-ipv4", "public-ipv4")
}
