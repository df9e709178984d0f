// Package datasourcetest owns the suite that every datasource with a metadata
// service passes: the documented answers, served from testdata by a real HTTP
// server, and everything that such a service does wrong. It is for tests
// only; it refuses to know any cloud.
package datasourcetest

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// Case is a cloud, and how its service behaves.
type Case struct {
	New func(base string, o imds.Options) datasource.Source
	// Guard answers tokens and refuses what lacks a header; nil: nothing is.
	Guard func(http.ResponseWriter, *http.Request) bool
	// Required are paths without which the source is not there. Every other
	// one may be missing.
	Required []string
	// Refused are paths without which the service answers no more.
	Refused []string

	name string
}

// Run runs the suite on machines, by their names: of the folder below testdata
// that the service serves. What the source must make of it is the file
// NAME.golden beside it.
func Run(t *testing.T, c Case, names ...string) {
	t.Helper()
	for _, name := range names {
		c.name = name
		t.Run(name, c.run)
	}
}

func (c Case) run(t *testing.T) {
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
	Golden(t, c.name, result)
	return tree.paths()
}

// The flag has to be there before a test's main reads the others.
var _ = flag.Bool("update", false, "write the golden files")

// Golden compares a result with the file NAME.golden in testdata, which it
// writes before when the tests run with -update, and validates it.
func Golden(t *testing.T, name string, result datasource.Result) {
	t.Helper()
	got, file := Text(result), filepath.Join("testdata", name+".golden")
	if flag.Lookup("update").Value.String() == "true" {
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

// Goldens compares what each of several sources says with its golden file.
func Goldens(t *testing.T, source func(name string) datasource.Source, names ...string) {
	t.Helper()
	for _, name := range names {
		result, err := source(name).Fetch(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		Golden(t, name, result)
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
