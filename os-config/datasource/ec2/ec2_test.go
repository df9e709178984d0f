package ec2

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

var update = flag.Bool("update", false, "write the golden files")

// version2 is the service's way with tokens.
func version2(w http.ResponseWriter, r *http.Request) bool {
	const token = "AQAEAHxkcGFzc2luZyB0b2tlbg=="
	switch {
	case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
		fmt.Fprint(w, token)
	case r.Header.Get("X-aws-ec2-metadata-token") != token:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		return false
	}
	return true
}

func TestService(t *testing.T) {
	for _, name := range []string{"one", "several"} {
		t.Run(name, func(t *testing.T) {
			datasourcetest.Run(t, datasourcetest.Case{
				Name: name, New: New, Guard: version2, Update: *update,
				Required: []string{"/latest/api/token", "/latest/meta-data/instance-id"},
			})
		})
	}
}

func TestVersion1(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		Name: "v1", New: NewV1, Required: []string{"/latest/meta-data/instance-id"}, Update: *update,
	})
}

func TestVersion1IsNotUsedUnasked(t *testing.T) {
	asked := ""
	url := datasourcetest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked += r.Method + r.URL.Path + " "
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	_, err := New(url, imds.Options{}).Fetch(t.Context())
	if !errors.Is(err, datasource.ErrNotFound) || !strings.Contains(err.Error(), "ec2:v1") || strings.Contains(asked, "GET") {
		t.Errorf("%v after %s", err, asked)
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		var paths []string
		a, err := Read(func(path string) ([]byte, error) {
			paths = append(paths, path)
			return data, nil
		})
		for _, p := range paths {
			if strings.Contains(p, "..") || strings.ContainsAny(p, " \n?#%") {
				f.Errorf("asks for %q", p)
			}
		}
		return Parse("fuzz", a), err
	})
}
