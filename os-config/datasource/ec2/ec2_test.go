package ec2

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		New: New, Required: []string{"/latest/api/token", "/latest/meta-data/instance-id"},
		Guard: datasourcetest.Token("/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"),
	}, "one", "several")
}

func TestVersion1(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: NewV1, Required: []string{"/latest/meta-data/instance-id"}}, "v1")
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
