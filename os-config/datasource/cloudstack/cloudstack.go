// Package cloudstack owns the datasource CloudStack: a metadata service like
// EC2's first, on the virtual router, which is the DHCP server. It refuses to
// look for that server, and the router's service for passwords.
package cloudstack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

var errServer = errors.New("cloudstack: the address of the DHCP server is not known; write cloudstack:ADDRESS")

type source struct {
	client *imds.Client
	known  bool
}

// New makes a source of the service at base, a URL or the address of the DHCP
// server.
func New(base string, o imds.Options) datasource.Source {
	base = strings.TrimSuffix(base, "/")
	if a, err := netip.ParseAddr(base); err == nil {
		base = "http://" + a.String()
		if a.Is6() {
			base = "http://[" + a.String() + "]"
		}
	}
	return source{imds.New(base, o), base != ""}
}

func (source) Name() string { return "cloudstack" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	if !s.known {
		return datasource.Result{}, errServer
	}
	get := func(path string) ([]byte, error) { return s.client.Get(ctx, "latest/"+path) }
	answers, err := ec2.Read(get, "local-hostname", "local-ipv4", "public-ipv4")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("cloudstack: %w", err)
	}
	out := ec2.Parse(s.client.URL("latest/meta-data/"), answers)
	if out.UserData, err = metadata.Optional(get("user-data")); err != nil {
		return datasource.Result{}, fmt.Errorf("cloudstack: %w", err)
	}
	out.UserDataFile = s.client.URL("latest/user-data")
	return out, nil
}
