// Package ec2 owns the datasource EC2, by version 2 of its metadata service,
// and the reading of services that are built like it. It refuses version 1
// unless told: whoever can make this machine fetch a URL could read it.
package ec2

import (
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is.
const Base = "http://169.254.169.254"

type source struct {
	client *imds.Client
	v1     bool
}

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source { return newSource(base, o, false) }

// NewV1 makes one that does without a token where the service has none.
func NewV1(base string, o imds.Options) datasource.Source { return newSource(base, o, true) }

func newSource(base string, o imds.Options, v1 bool) datasource.Source {
	if base == "" {
		base = Base
	}
	return source{imds.New(base, o), v1}
}

func (source) Name() string { return "ec2" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	header, err := s.token(ctx)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("ec2: %w", err)
	}
	get := func(path string) ([]byte, error) { return s.client.Get(ctx, "latest/"+path, header...) }
	answers, err := Read(get, "local-hostname", "hostname", "local-ipv4", "public-ipv4", "ipv6")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("ec2: %w", err)
	}
	out := Parse(s.client.URL("latest/meta-data/"), answers)
	if out.UserData, err = metadata.Optional(get("user-data")); err != nil {
		return datasource.Result{}, fmt.Errorf("ec2: %w", err)
	}
	out.UserDataFile = s.client.URL("latest/user-data")
	return out, nil
}

// token returns the header that every request needs.
func (s source) token(ctx context.Context) ([]string, error) {
	data, err := s.client.Put(ctx, "latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "600")
	if err != nil {
		switch status := imds.Status(err); {
		case s.v1 && status/100 == 4:
			return nil, nil
		case status == 404 || status == 405:
			return nil, fmt.Errorf("no token; if this service has version 1 only, use ec2:v1: %w: %w", datasource.ErrNotFound, err)
		}
		return nil, fmt.Errorf("token: %w", err)
	}
	token, err := metadata.Token(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.client.URL("latest/api/token"), err)
	}
	return []string{"X-aws-ec2-metadata-token", token}, nil
}
