// Package gce owns the datasource of Google Compute Engine: the metadata of
// the instance and of its project. It refuses answers that do not carry the
// service's own header.
package gce

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is; its name is not resolved, DNS may be away.
const Base = "http://169.254.169.254"

// The header that requests need, and that answers have.
const (
	flavor      = "Metadata-Flavor"
	flavorValue = "Google"
)

type source struct{ client *imds.Client }

// New makes a source of the service at base; empty is Base.
func New(base string, o imds.Options) datasource.Source {
	if base == "" {
		base = Base
	}
	var inner http.RoundTripper = &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: 64 << 10}
	if o.HTTP != nil && o.HTTP.Transport != nil {
		inner = o.HTTP.Transport
	}
	o.HTTP = &http.Client{Transport: flavored{inner}}
	return source{imds.New(base, o)}
}

// flavored takes an answer without the header for somebody else's: what was
// asked for is not there.
type flavored struct{ inner http.RoundTripper }

func (f flavored) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f.inner.RoundTrip(r)
	if err == nil && resp.StatusCode/100 == 2 && resp.Header.Get(flavor) != flavorValue {
		resp.StatusCode = http.StatusNotFound
	}
	return resp, err
}

func (source) Name() string { return "gce" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	const (
		instance = "computeMetadata/v1/instance/?recursive=true&alt=json"
		project  = "computeMetadata/v1/project/attributes/?recursive=true&alt=json"
	)
	own, err := s.client.Get(ctx, instance, flavor, flavorValue)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("gce: %w", err)
	}
	shared, err := metadata.Optional(s.client.Get(ctx, project, flavor, flavorValue))
	if err != nil {
		return datasource.Result{}, fmt.Errorf("gce: %w", err)
	}
	out, err := Parse(s.client.URL("computeMetadata/v1/instance/"), own, shared, time.Now())
	if err != nil {
		return datasource.Result{}, fmt.Errorf("gce: %w", err)
	}
	return out, nil
}
