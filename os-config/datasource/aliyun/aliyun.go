// Package aliyun owns the datasource of Alibaba Cloud: a metadata service
// like EC2's, at an address of its own, with a token where one is to be had.
// It refuses to send the token anywhere else.
package aliyun

import (
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is.
const Base = "http://100.100.100.200"

type source struct{ client *imds.Client }

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source {
	if base == "" {
		base = Base
	}
	return source{imds.New(base, o)}
}

func (source) Name() string { return "aliyun" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	header, err := s.token(ctx)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("aliyun: %w", err)
	}
	get := func(path string) ([]byte, error) { return s.client.Get(ctx, "latest/"+path, header...) }
	answers, err := ec2.Read(get, "hostname", "private-ipv4", "eipv4")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("aliyun: %w", err)
	}
	out := Parse(s.client.URL("latest/meta-data/"), answers)
	if out.UserData, err = metadata.Optional(get("user-data")); err != nil {
		return datasource.Result{}, fmt.Errorf("aliyun: %w", err)
	}
	if out.VendorData, err = metadata.Optional(get("vendor-data")); err != nil {
		return datasource.Result{}, fmt.Errorf("aliyun: %w", err)
	}
	out.UserDataFile, out.VendorDataFile = s.client.URL("latest/user-data"), s.client.URL("latest/vendor-data")
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
func (s source) token(ctx context.Context) ([]string, error) {
	data, err := s.client.Put(ctx, "latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "600")
	if imds.Status(err)/100 == 4 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	token, err := metadata.Token(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.client.URL("latest/api/token"), err)
	}
	return []string{"X-aliyun-ecs-metadata-token", token}, nil
}
