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

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source { return newSource(base, o, false) }

// NewV1 makes one that does without a token where the service has none.
func NewV1(base string, o imds.Options) datasource.Source { return newSource(base, o, true) }

func newSource(base string, o imds.Options, v1 bool) datasource.Source {
	return imds.NewSource("ec2", base, o, func(ctx context.Context, c *imds.Client) (datasource.Result, error) {
		header, err := token(ctx, c, v1)
		if err != nil {
			return datasource.Result{}, err
		}
		return Fetch(ctx, c, "latest/", header, "local-hostname", "hostname", "local-ipv4", "public-ipv4", "ipv6")
	})
}

// Fetch reads a service like EC2's below root: the paths that are named, as
// Read does, and user-data. Every request has the header.
func Fetch(ctx context.Context, c *imds.Client, root string, header []string, paths ...string) (datasource.Result, error) {
	get := func(path string) ([]byte, error) { return c.Get(ctx, root+path, header...) }
	answers, err := Read(get, paths...)
	if err != nil {
		return datasource.Result{}, err
	}
	out := Parse(c.URL(root+"meta-data/"), answers)
	out.UserData, err = metadata.Optional(get("user-data"))
	out.UserDataFile = c.URL(root + "user-data")
	return out, err
}

// token returns the header that every request needs.
func token(ctx context.Context, c *imds.Client, v1 bool) ([]string, error) {
	data, err := c.Put(ctx, "latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "600")
	if err != nil {
		switch status := imds.Status(err); {
		case v1 && status/100 == 4:
			return nil, nil
		case status == 404 || status == 405:
			return nil, fmt.Errorf("no token; if this service has version 1 only, use ec2:v1: %w: %w", datasource.ErrNotFound, err)
		}
		return nil, fmt.Errorf("token: %w", err)
	}
	token, err := metadata.Token(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.URL("latest/api/token"), err)
	}
	return []string{"X-aws-ec2-metadata-token", token}, nil
}
