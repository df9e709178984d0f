// Package cloudstack owns the datasource CloudStack: a metadata service like
// EC2's first, on the virtual router, which is the DHCP server. It refuses to
// look for that server, and the router's service for passwords.
package cloudstack

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// New makes a source of the service at base, a URL or the address of the DHCP
// server.
func New(base string, o imds.Options) datasource.Source {
	base = address(base)
	return imds.NewSource("cloudstack", base, o, func(ctx context.Context, c *imds.Client) (datasource.Result, error) {
		if base == "" {
			return datasource.Result{}, errServer
		}
		return ec2.Fetch(ctx, c, "latest/", nil, "local-hostname", "local-ipv4", "public-ipv4")
	})
}

var errServer = errors.New("the address of the DHCP server is not known; write cloudstack:ADDRESS")

// address is the URL of what base names.
func address(base string) string {
	base = strings.TrimSuffix(base, "/")
	a, err := netip.ParseAddr(base)
	switch {
	case err != nil:
		return base
	case a.Is6():
		return "http://[" + a.String() + "]"
	}
	return "http://" + a.String()
}
