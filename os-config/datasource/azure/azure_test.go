package azure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		New: New, Required: []string{"/metadata/instance"},
		Guard: func(w http.ResponseWriter, r *http.Request) bool {
			bad := r.Header.Get("Metadata") != "true" || !strings.Contains(r.URL.RawQuery, "api-version=20") && !strings.HasPrefix(r.URL.Path, "/moved/")
			if bad {
				w.WriteHeader(http.StatusBadRequest)
			}
			return bad
		},
	}, "vm", "several")
}

func TestDVD(t *testing.T) {
	data, err := os.ReadFile("testdata/ovf-env.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ovf-env.xml", "OVF-ENV.XML;1"} {
		result, err := NewDVD(fstest.MapFS{name: {Data: data}}, "/dev/sr0").Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		datasourcetest.Golden(t, "dvd", result)
		if strings.Contains(fmt.Sprintf("%+v", result), "hunter2") {
			t.Error("the password is in the result")
		}
	}
	if _, err := NewDVD(fstest.MapFS{}, "/dev/sr0").Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("%v", err)
	}
	broken := strings.Replace(string(data), "</UserPassword>", "", 1)
	_, err = NewDVD(fstest.MapFS{"ovf-env.xml": {Data: []byte(broken)}}, "/dev/sr0").Fetch(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "line ") {
		t.Errorf("%v", err)
	}
}

// TestReady: the report answers the goal state, whatever the wireserver does
// before it is well.
func TestReady(t *testing.T) {
	goal, err := os.ReadFile("testdata/goalstate.xml")
	if err != nil {
		t.Fatal(err)
	}
	requests, reported := 0, ""
	url := datasourcetest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		switch {
		case requests%3 != 0:
			w.WriteHeader(http.StatusInternalServerError)
		case r.Header.Get("x-ms-version") != "2012-11-30":
			w.WriteHeader(http.StatusBadRequest)
		case r.Method == http.MethodGet && r.URL.String() == "/machine/?comp=goalstate":
			w.Write(goal) //nolint:errcheck // the client tells
		case r.Method == http.MethodPost && r.URL.String() == "/machine?comp=health":
			body, err := io.ReadAll(r.Body)
			reported = fmt.Sprint(r.Header.Get("Content-Type"), " ", string(body), err)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	o := imds.Options{Backoff: func(int) time.Duration { return time.Millisecond }}
	if err := Ready(t.Context(), url, o); err != nil {
		t.Fatal(err)
	}
	want := `text/xml; charset=utf-8 <?xml version="1.0" encoding="UTF-8"?>
<Health><GoalStateIncarnation>2</GoalStateIncarnation><Container><ContainerId>a1b2c3d4-1111-2222-3333-444455556666</ContainerId>` +
		`<RoleInstanceList><Role><InstanceId>0d1e2f3a._web-vm</InstanceId><Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health><nil>`
	if d := cmp.Diff(want, reported); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestReadyFails(t *testing.T) {
	for name, text := range map[string]string{"garbage": "<html>", "empty": "", "other": "<GoalState></GoalState>"} {
		url := datasourcetest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
		if err := Ready(t.Context(), url, imds.Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	url := datasourcetest.Serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if err := Ready(ctx, url, imds.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", data) })
}

func FuzzParseOVF(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		readyReport(data) //nolint:errcheck // it must not panic
		return ParseOVF("fuzz", data)
	})
}
