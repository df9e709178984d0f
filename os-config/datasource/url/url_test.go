package url

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func quick() imds.Options {
	return imds.Options{Timeout: time.Second, Backoff: func(int) time.Duration { return time.Millisecond }}
}

// fetch gives the source a second.
func fetch(t *testing.T, s datasource.Source) (datasource.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return s.Fetch(ctx)
}

func TestFetch(t *testing.T) {
	requests := 0
	base := datasourcetest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		user, password, _ := r.BasicAuth()
		switch {
		case requests <= 3:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/moved/":
			http.Redirect(w, r, "/dir/file.yml?token=abc", http.StatusFound)
		case r.URL.String() == "/dir/file.yml?token=abc":
			fmt.Fprintf(w, "#cloud-config\n# %s %s", user, password)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	s := New(strings.Replace(base, "://", "://alice:hunter2@", 1)+"/dir/file.yml?token=abc", quick())
	result, err := fetch(t, s)
	if err != nil || string(result.UserData) != "#cloud-config\n# alice hunter2" {
		t.Errorf("%q, %v", result.UserData, err)
	}
	if want := base + "/dir/file.yml?…"; result.Where != want || result.UserDataFile != want || s.Name() != "url:"+want {
		t.Errorf("%s, %s, %s", result.Where, result.UserDataFile, s.Name())
	}
	c := NewCmdline(base+"/moved/", quick())
	if result, err = fetch(t, c); err != nil || !strings.HasPrefix(string(result.UserData), "#cloud-config") || c.Name() != "cmdline" {
		t.Errorf("%q, %v", result.UserData, err)
	}
}

// TestFaults: every fault ends in an error of the right kind, which names the
// place and none of its secrets.
func TestFaults(t *testing.T) {
	other := datasourcetest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("the other host is asked") })
	for name, handler := range map[string]http.HandlerFunc{
		"404":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"403":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"500":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			fmt.Fprint(w, "x")
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other+"/x?token=abc", http.StatusFound)
		},
		"large": func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 2<<20)) //nolint:errcheck // the client goes away
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := datasourcetest.Serve(t, handler)
			_, err := fetch(t, New(strings.Replace(base, "://", "://alice:hunter2@", 1)+"/f?token=abc", quick()))
			if err == nil || errors.Is(err, datasource.ErrNotFound) {
				t.Fatalf("%v", err)
			}
			if text := err.Error(); strings.Contains(text, "abc") || strings.Contains(text, "hunter2") || !strings.Contains(text, base+"/f?…") {
				t.Error(err)
			}
			if late := name == "500" || name == "silent" || name == "half"; late != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"", "x", "/etc/passwd", "file:///etc/passwd", "ftp://host/x", "http://", "tftp://host/x", "http://h\x00st/", "http://[::1/"} {
		if _, err := fetch(t, New(address, quick())); !errors.Is(err, errAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://a:b@c/d?e#f", "https://[::1]:8/x", "url", "http://%zz", "//@//a:b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if u, err := url.Parse(osconfig.ShownURL(address)); err == nil && (u.User != nil || u.RawQuery != "" && u.RawQuery != "…") {
			t.Errorf("%q is shown as %q", address, osconfig.ShownURL(address))
		}
	})
}
