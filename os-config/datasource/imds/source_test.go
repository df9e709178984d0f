package imds

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
)

// TestSource: what fetch says is the result, or an error with the name.
func TestSource(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	path := "there"
	s := NewSource("x", base, quick(), func(ctx context.Context, c *Client) (datasource.Result, error) {
		_, err := c.Get(ctx, path)
		return datasource.Result{Hostname: "box"}, err
	})
	if got, err := s.Fetch(t.Context()); err != nil || got.Hostname != "box" || s.Name() != "x" {
		t.Errorf("%s: %+v, %v", s.Name(), got, err)
	}
	path = "away"
	got, err := s.Fetch(t.Context())
	want := "x: GET " + base + "/away: the service answers 404 Not Found"
	if !errors.Is(err, datasource.ErrNotFound) || err.Error() != want || got.Hostname != "" {
		t.Errorf("%+v, %v, want %s", got, err, want)
	}
}
