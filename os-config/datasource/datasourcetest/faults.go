package datasourcetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/os-config/datasource"
)

// illThenWell: whatever happens to the first requests of each path, the
// result is the same.
func (c Case) illThenWell(t *testing.T, want string) {
	faults := map[string]func(w http.ResponseWriter, r *http.Request){
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			broken(w, "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 999\r\n\r\n{\"a\"")
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) { broken(w, "\x16\x03\x01 no HTTP\r\n\r\n") },
		"closed":  func(w http.ResponseWriter, _ *http.Request) { broken(w, "") },
	}
	for name, ill := range faults {
		t.Run(name, func(t *testing.T) {
			got := c.fetchText(t, func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n <= 3 {
					ill(w, r)
				}
				return n <= 3
			})
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	t.Run("silent", func(t *testing.T) {
		o := options()
		o.Timeout = 50 * time.Millisecond
		result, _, err := c.fetch(t, o, time.Minute, func(_ http.ResponseWriter, r *http.Request, n int) bool {
			if n == 1 {
				<-r.Context().Done()
			}
			return n == 1
		})
		if err != nil || Text(result) != want {
			t.Errorf("%v\n%s", err, cmp.Diff(want, Text(result)))
		}
	})
}

// neverWell: a service that stays silent or ill costs the deadline, no more,
// and is not taken for one that is not there.
func (c Case) neverWell(t *testing.T) {
	for name, ill := range map[string]func(w http.ResponseWriter, r *http.Request){
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"500":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		start := time.Now()
		result, _, err := c.fetch(t, options(), 100*time.Millisecond, func(w http.ResponseWriter, r *http.Request, _ int) bool {
			ill(w, r)
			return true
		})
		if err == nil || errors.Is(err, datasource.ErrNotFound) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v\n%s", name, err, Text(result))
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}

// refused: 403 is final.
func (c Case) refused(t *testing.T) {
	_, tree, err := c.fetch(t, options(), time.Minute, func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if err == nil {
		t.Error("no error")
	}
	for path, n := range tree.asked {
		if n > 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

// missing: 404 of what is required says that the source is not there, of
// everything else that there is none.
func (c Case) missing(t *testing.T, asked []string) {
	_, _, err := c.fetch(t, options(), time.Minute, func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	if !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("everything is missing: %v", err)
	}
	for _, path := range asked {
		_, _, err := c.fetch(t, options(), time.Minute, func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.Path == path {
				w.WriteHeader(http.StatusNotFound)
			}
			return r.URL.Path == path
		})
		if slices.Contains(c.Refused, path) {
			if err == nil || errors.Is(err, datasource.ErrNotFound) {
				t.Errorf("%s is missing: %v", path, err)
			}
			continue
		}
		if required := slices.Contains(c.Required, path); required != errors.Is(err, datasource.ErrNotFound) || !required && err != nil {
			t.Errorf("%s is missing: %v", path, err)
		}
	}
}

// garbage: an answer that is something else ends in an error or in less, but
// never in a network that is no valid configuration. Errors do not repeat it.
func (c Case) garbage(t *testing.T, asked []string) {
	const secret = "hunter2-secret"
	for _, path := range asked {
		for _, text := range []string{
			"", "{", "null", "[]", "{}", "[null]", "<html><body>" + secret + "</body></html>", `{"` + secret + `": `, `"` + secret + `"`,
			"\x00\xff" + secret, "- " + secret + "\n-", strings.Repeat("[", 20_000), secret + "\n" + secret + "/\n../../x",
		} {
			result, _, err := c.fetch(t, options(), time.Minute, func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if r.URL.Path == path {
					w.Header().Set("Metadata-Flavor", "Google") // so that it is read
					fmt.Fprint(w, text)
				}
				return r.URL.Path == path
			})
			if err != nil && (strings.Contains(err.Error(), secret) || errors.Is(err, context.DeadlineExceeded)) {
				t.Errorf("%s: the error repeats the answer, or came late: %v", path, err)
			}
			CheckNetwork(t, result)
		}
	}
}

// redirect: within the service it is followed, away from it never.
func (c Case) redirect(t *testing.T, want string) {
	got := c.fetchText(t, func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if strings.HasPrefix(r.URL.Path, "/moved/") || r.Method != http.MethodGet {
			return false
		}
		http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	_, other := c.serve(t, nil)
	_, _, err := c.fetch(t, options(), time.Minute, func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	if err == nil || !strings.Contains(err.Error(), "redirect refused") {
		t.Errorf("redirected to another host: %v", err)
	}
}
