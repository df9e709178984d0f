package imds

import (
	"cmp"
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
)

// LinkLocal is where the services of nearly all clouds are.
const LinkLocal = "http://169.254.169.254"

type source struct {
	name   string
	client *Client
	fetch  func(context.Context, *Client) (datasource.Result, error)
}

// NewSource makes a source of what fetch reads from the service at base;
// empty is LinkLocal. The errors of fetch get the name in front; what comes
// with one is dropped.
func NewSource(name, base string, o Options, fetch func(context.Context, *Client) (datasource.Result, error)) datasource.Source {
	return source{name, New(cmp.Or(base, LinkLocal), o), fetch}
}

func (s source) Name() string { return s.name }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	out, err := s.fetch(ctx, s.client)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("%s: %w", s.name, err)
	}
	return out, nil
}
