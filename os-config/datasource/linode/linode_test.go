package linode

import (
	"flag"
	"fmt"
	"net/http"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

var update = flag.Bool("update", false, "write the golden files")

// guard gives tokens and refuses what has none.
func guard(w http.ResponseWriter, r *http.Request) bool {
	const token = "c2VjcmV0IHRva2Vu"
	switch {
	case r.URL.Path == "/v1/token" && r.Method == http.MethodPut && r.Header.Get("Metadata-Token-Expiry-Seconds") != "":
		fmt.Fprint(w, token)
	case r.Header.Get("Metadata-Token") != token:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		return false
	}
	return true
}

func TestService(t *testing.T) {
	for _, name := range []string{"vm"} {
		t.Run(name, func(t *testing.T) {
			datasourcetest.Run(t, datasourcetest.Case{
				Name: name, New: New, Guard: guard, Required: []string{"/v1/token", "/v1/instance"}, Update: *update,
			})
		})
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", Answers{data, data, data, data}) })
}
