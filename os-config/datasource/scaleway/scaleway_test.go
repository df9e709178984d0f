package scaleway

import (
	"flag"
	"net/http"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

var update = flag.Bool("update", false, "write the golden files")

// guard refuses requests by other means than reading.
func guard(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet {
		return false
	}
	w.WriteHeader(http.StatusMethodNotAllowed)
	return true
}

func TestService(t *testing.T) {
	for _, name := range []string{"vm", "routed"} {
		t.Run(name, func(t *testing.T) {
			datasourcetest.Run(t, datasourcetest.Case{
				Name: name, New: unprivileged, Guard: guard, Required: []string{"/conf"}, Update: *update,
			})
		})
	}
}

// unprivileged asks from any port, as whoever runs tests may.
func unprivileged(base string, o imds.Options) datasource.Source {
	o.AnyPort = true
	return New(base, o)
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", data) })
}
