package vultr

import (
	"net/http"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

// guard refuses what lacks the header.
func guard(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Metadata-Token") == "cloudinit" {
		return false
	}
	w.WriteHeader(http.StatusForbidden)
	return true
}

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Guard: guard, Required: []string{"/v1.json"}}, "vm", "inside")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", data) })
}
