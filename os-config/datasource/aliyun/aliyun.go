// Package aliyun owns the datasource of Alibaba Cloud: a metadata service
// like EC2's, at an address of its own, with a token where one is to be had.
// It refuses to send the token anywhere else.
package aliyun

import (
	"cmp"
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is.
const Base = "http://100.100.100.200"

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("aliyun", cmp.Or(base, Base), o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	header, err := token(ctx, c)
	if err != nil {
		return datasource.Result{}, err
	}
	get := func(path string) ([]byte, error) { return c.Get(ctx, "latest/"+path, header...) }
	answers, err := ec2.Read(get, "hostname", "private-ipv4", "eipv4")
	if err != nil {
		return datasource.Result{}, err
	}
	out := Parse(c.URL("latest/meta-data/"), answers)
	if out.UserData, err = metadata.Optional(get("user-data")); err != nil {
		return datasource.Result{}, err
	}
	if out.VendorData, err = metadata.Optional(get("vendor-data")); err != nil {
		return datasource.Result{}, err
	}
	out.UserDataFile, out.VendorDataFile = c.URL("latest/user-data"), c.URL("latest/vendor-data")
	return out, nil
}

// Parse is EC2's, with Alibaba's names of the addresses.
func Parse(where string, a ec2.Answers) datasource.Result {
	out := ec2.Parse(where, a)
	out.Addresses = datasource.Addresses{
		PublicIPv4: metadata.Address(a["eipv4"]), PrivateIPv4: metadata.Address(a["private-ipv4"]),
	}
	return out
}

// token returns the header that machines in hardened mode need; in the other
// mode a service without tokens is as good.
func token(ctx context.Context, c *imds.Client) ([]string, error) {
	data, err := c.Put(ctx, "latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "600")
	if imds.Status(err)/100 == 4 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	token, err := metadata.Token(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.URL("latest/api/token"), err)
	}
	return []string{"X-aliyun-ecs-metadata-token", token}, nil
}
