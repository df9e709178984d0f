package oracle

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

// guard refuses what lacks the header; version 1 needs none.
func guard(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") == "Bearer Oracle" || strings.HasPrefix(r.URL.Path, "/opc/v1/") {
		return false
	}
	w.WriteHeader(http.StatusForbidden)
	return true
}

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Guard: guard, Required: []string{"/opc/v2/instance/"}}, "vm")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", data, data) })
}

func TestVersion1(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/opc/v1/instance/"}}, "old")
}
