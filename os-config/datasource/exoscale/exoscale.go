// Package exoscale owns the datasource Exoscale: a metadata service like
// EC2's first. It refuses the service on port 8080 that gives passwords.
package exoscale

import (
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is.
const Base = "http://169.254.169.254"

type source struct{ client *imds.Client }

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source {
	if base == "" {
		base = Base
	}
	return source{imds.New(base, o)}
}

func (source) Name() string { return "exoscale" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	get := func(path string) ([]byte, error) { return s.client.Get(ctx, "1.0/"+path) }
	answers, err := ec2.Read(get, "local-hostname", "local-ipv4", "public-ipv4")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("exoscale: %w", err)
	}
	out := ec2.Parse(s.client.URL("1.0/meta-data/"), answers)
	if out.UserData, err = metadata.Optional(get("user-data")); err != nil {
		return datasource.Result{}, fmt.Errorf("exoscale: %w", err)
	}
	out.UserDataFile = s.client.URL("1.0/user-data")
	return out, nil
}
