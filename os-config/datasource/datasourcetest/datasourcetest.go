// Package datasourcetest owns the suite that every datasource with a metadata
// service passes: the documented answers, served from testdata by a real HTTP
// server, and everything that such a service does wrong. It is for tests
// only; it refuses to know any cloud.
package datasourcetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// Case is one machine as its cloud describes it.
type Case struct {
	// Name is the folder below testdata that the service serves; what the
	// source must make of it is the file NAME.golden beside it.
	Name string
	New  func(base string, o imds.Options) datasource.Source
	// Guard answers tokens and refuses what lacks a header; nil: nothing is.
	Guard func(http.ResponseWriter, *http.Request) bool
	// Required are paths without which the source is not there. Every other
	// one may be missing.
	Required []string
	// Refused are paths without which the service answers no more.
	Refused []string
	Update  bool // write the golden file
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	asked := c.golden(t)
	want := c.fetchText(t, nil)
	t.Run("ill then well", func(t *testing.T) { c.illThenWell(t, want) })
	t.Run("never well", c.neverWell)
	t.Run("refused", c.refused)
	t.Run("missing", func(t *testing.T) { c.missing(t, asked) })
	t.Run("garbage", func(t *testing.T) { c.garbage(t, asked) })
	t.Run("redirect", func(t *testing.T) { c.redirect(t, want) })
}

func options() imds.Options {
	return imds.Options{Timeout: 2 * time.Second, Backoff: func(int) time.Duration { return time.Millisecond }}
}

func (c Case) fetch(t *testing.T, o imds.Options, limit time.Duration, fault func(http.ResponseWriter, *http.Request, int) bool) (datasource.Result, *tree, error) {
	t.Helper()
	tree, url := c.serve(t, fault)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	result, err := c.New(url, o).Fetch(ctx)
	result.Where = strings.ReplaceAll(result.Where, url, "")
	result.UserDataFile = strings.ReplaceAll(result.UserDataFile, url, "")
	result.VendorDataFile = strings.ReplaceAll(result.VendorDataFile, url, "")
	for i := range result.Report {
		result.Report[i].File = strings.ReplaceAll(result.Report[i].File, url, "")
	}
	return result, tree, err
}

func (c Case) fetchText(t *testing.T, fault func(http.ResponseWriter, *http.Request, int) bool) string {
	t.Helper()
	result, _, err := c.fetch(t, options(), time.Minute, fault)
	if err != nil {
		t.Fatal(err)
	}
	return Text(result)
}

// golden compares with the golden file and returns the paths that were asked
// for.
func (c Case) golden(t *testing.T) []string {
	t.Helper()
	result, tree, err := c.fetch(t, options(), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	Golden(t, c.Name, result, c.Update)
	return tree.paths()
}

// Golden compares a result with the file NAME.golden in testdata, and
// validates it.
func Golden(t *testing.T, name string, result datasource.Result, update bool) {
	t.Helper()
	got, file := Text(result), filepath.Join("testdata", name+".golden")
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
	if _, report := osconfig.Decode(osconfig.Merge(result.Metadata("metadata"))); report.HasErrors() {
		t.Errorf("the metadata is no valid configuration:\n%s", report)
	}
}

// Text writes a result in a form that people compare.
func Text(r datasource.Result) string {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	line("where", r.Where)
	line("instance-id", r.InstanceID)
	line("hostname", r.Hostname)
	for _, k := range r.Keys {
		line("key", k)
	}
	line("public-ipv4", r.Addresses.PublicIPv4)
	line("private-ipv4", r.Addresses.PrivateIPv4)
	line("public-ipv6", r.Addresses.PublicIPv6)
	line("private-ipv6", r.Addresses.PrivateIPv6)
	if r.UserData != nil {
		line("user-data "+r.UserDataFile, fmt.Sprintf("%q", r.UserData))
	}
	if r.VendorData != nil {
		line("vendor-data "+r.VendorDataFile, fmt.Sprintf("%q", r.VendorData))
	}
	if r.Network != nil {
		b.WriteString("network:\n" + osconfig.FormatYAML(r.Network))
	}
	if len(r.Report) > 0 {
		b.WriteString("report:\n" + r.Report.String())
	}
	return b.String()
}

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

// CheckNetwork fails when a result's network is no valid configuration.
func CheckNetwork(t *testing.T, r datasource.Result) {
	t.Helper()
	if r.Network == nil {
		return
	}
	layer := datasource.Result{Network: r.Network, Where: r.Where}.Metadata("metadata")
	if report := osconfig.Validate(osconfig.Merge(layer)); report.HasErrors() {
		t.Errorf("the network is no valid configuration:\n%s%s", report, osconfig.FormatYAML(r.Network))
	}
}

// Fuzz runs a parser of answers on everything in testdata and what the fuzzer
// makes of it.
func Fuzz(f *testing.F, parse func(data []byte) (datasource.Result, error)) {
	err := filepath.WalkDir("testdata", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".golden") || strings.Contains(path, "/fuzz/") {
			return err
		}
		data, err := os.ReadFile(path)
		f.Add(data)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := parse(data)
		if err != nil && len(data) > 16 && strings.Contains(err.Error(), string(data)) {
			t.Errorf("the error repeats the data: %v", err)
		}
		CheckNetwork(t, result)
	})
}
