// Package url owns the datasources url and cmdline: user-data at a URL that
// the configuration or the kernel command line names. It refuses metadata, for
// a file has none, and redirects to another host. Proxies are its options'.
package url

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

type source struct {
	kind    string
	address string
	options imds.Options
}

// New makes the source url:ADDRESS.
func New(address string, o imds.Options) datasource.Source { return source{"url", address, o} }

// NewCmdline makes the source that cloud-config-url= names.
func NewCmdline(address string, o imds.Options) datasource.Source {
	return source{"cmdline", address, o}
}

func (s source) Name() string {
	if s.kind == "cmdline" {
		return s.kind
	}
	return s.kind + ":" + osconfig.ShownURL(s.address)
}

var errAddress = errors.New("want http:// or https://, a host and a path")

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	shown := osconfig.ShownURL(s.address)
	u, err := url.Parse(s.address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return datasource.Result{}, fmt.Errorf("%s %s: %w", s.kind, shown, errAddress)
	}
	var header []string
	if u.User != nil {
		password, _ := u.User.Password()
		header = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))}
	}
	data, err := imds.New(u.Scheme+"://"+u.Host, s.options).Get(ctx, u.RequestURI(), header...)
	if err != nil {
		return datasource.Result{}, failure{s.kind + ": " + err.Error(), ctx.Err()}
	}
	return datasource.Result{Where: shown, UserData: data, UserDataFile: shown}, nil
}

// failure is an error that is ctx's when that has ended, but never
// ErrNotFound: that nothing is at a URL that somebody wrote is a fault.
type failure struct {
	text  string
	ended error
}

func (f failure) Error() string { return f.text }

func (f failure) Unwrap() error { return f.ended }
