package hetzner

import (
	"flag"
	"net/http"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
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
	for _, name := range []string{"vm"} {
		t.Run(name, func(t *testing.T) {
			datasourcetest.Run(t, datasourcetest.Case{
				Name: name, New: New, Guard: guard, Required: []string{"/hetzner/v1/metadata"}, Update: *update,
			})
		})
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		r, err := Parse("fuzz", data, data)
		// A network-config is passed on with what is wrong in it: the
		// validator says where.
		r.Network = nil
		return r, err
	})
}
