// Package gce owns the datasource of Google Compute Engine: the metadata of
// the instance and of its project. It refuses answers that do not carry the
// service's own header.
package gce

import (
	"context"
	"net/http"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// The header that requests need, and that answers have.
const (
	flavor      = "Metadata-Flavor"
	flavorValue = "Google"
)

// New makes a source of the service at base; empty is imds.LinkLocal, not
// its name: DNS may be away.
func New(base string, o imds.Options) datasource.Source {
	var inner http.RoundTripper = &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: 64 << 10}
	if o.HTTP != nil && o.HTTP.Transport != nil {
		inner = o.HTTP.Transport
	}
	o.HTTP = &http.Client{Transport: flavored{inner}}
	return imds.NewSource("gce", base, o, fetch)
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

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	const (
		instance = "computeMetadata/v1/instance/?recursive=true&alt=json"
		project  = "computeMetadata/v1/project/attributes/?recursive=true&alt=json"
	)
	own, err := c.Get(ctx, instance, flavor, flavorValue)
	if err != nil {
		return datasource.Result{}, err
	}
	shared, err := metadata.Optional(c.Get(ctx, project, flavor, flavorValue))
	if err != nil {
		return datasource.Result{}, err
	}
	return Parse(c.URL("computeMetadata/v1/instance/"), own, shared, time.Now())
}
