package netconf_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

var updateSpecs = flag.Bool("update-specs", false, "write the golden files of testdata/spec")

// example is a configuration of the network that somebody documents.
type example struct {
	name    string
	network osconfig.Network
	report  osconfig.Report // what its own format says that Pharos does not do
}

// examples are those of RancherOS, of Pharos, and of cloud-init's
// network-config, by names without an extension.
func examples(t *testing.T) []example {
	t.Helper()
	var out []example
	files := map[string]string{}
	for _, pattern := range []string{
		"../os-config/testdata/documented/*-network*.yml", "../os-config/testdata/good/*network-*.yml", "testdata/spec/*.yml",
	} {
		list, err := filepath.Glob(pattern)
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, f := range list {
			name := strings.TrimSuffix(filepath.Base(f), ".yml")
			if other := files[name]; other != "" {
				t.Fatalf("%s and %s have the same name", f, other)
			}
			files[name] = f
		}
	}
	for _, name := range sortedKeys(files) {
		data, err := os.ReadFile(files[name])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, readExample(t, name, data))
	}
	return out
}

func readExample(t *testing.T, name string, data []byte) example {
	t.Helper()
	doc, report := osconfig.ParseTree("test", name, data)
	if report.HasErrors() {
		t.Fatal(report)
	}
	layer := osconfig.Layer{Name: "test", Doc: doc}
	if doc.Child("version") != nil || doc.Child("network").Child("version") != nil {
		node, more := nocloud.Network(doc)
		layer, report = datasource.Result{Network: node}.Metadata("test"), more
	}
	cfg, wrong := osconfig.Decode(osconfig.Merge(layer))
	return example{name: name, network: cfg.Rancher.Network, report: append(report, wrong...)}
}

// TestSpecs: every documented example becomes the Spec of its golden file,
// and what has no meaning here is said in words.
func TestSpecs(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			spec, errs := netconf.FromConfig(e.network)
			if len(errs) > 0 || e.report.HasErrors() {
				t.Errorf("%v\n%s", errs, e.report)
			}
			got := dump(spec)
			for _, p := range e.report {
				got += "# " + p.Severity.String() + ": " + strings.TrimPrefix(p.Path+": ", ": ") + p.Text + "\n"
			}
			file := filepath.Join("testdata", "spec", e.name+".golden")
			if *updateSpecs {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
