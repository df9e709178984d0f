package scaleway

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: unprivileged, Required: []string{"/conf"}}, "vm", "routed")
}

// unprivileged asks from any port, as whoever runs tests may.
func unprivileged(base string, o imds.Options) datasource.Source {
	o.AnyPort = true
	return New(base, o)
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", data) })
}
