package gce

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		New: New, Required: []string{"/computeMetadata/v1/instance/"},
		Guard: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Metadata-Flavor", "Google")
			if r.Header.Get("Metadata-Flavor") != "Google" {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		},
	}, "vm", "blocked")
}

func TestSomebodyElseAnswers(t *testing.T) {
	url := datasourcetest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"hostname": "portal"}`) })
	if _, err := New(url, imds.Options{}).Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestExpired(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for comment, want := range map[string]bool{
		`alice`: false,
		`google-ssh {"userName":"a","expireOn":"2026-01-02T03:04:05+0000"}`:  true,
		`google-ssh {"userName":"a","expireOn":"2026-01-02T03:04:06Z"}`:      false,
		`google-ssh {"userName":"a","expireOn":"2026-01-02T04:04:06+01:00"}`: false,
		`google-ssh {"userName":"a","expireOn":"tomorrow"}`:                  true,
		`google-ssh {"userName":"a"}`:                                        false,
	} {
		if got := expired("ssh-ed25519 AAAA "+comment, now); got != want {
			t.Errorf("%s: %t", comment, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		return Parse("fuzz/instance/", data, data, time.Unix(0, 0))
	})
}
