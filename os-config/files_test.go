package osconfig_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
)

var update = flag.Bool("update", false, "write the .want files")

// check is what `ros config validate` does with one file.
func check(t *testing.T, path string) (osconfig.Config, osconfig.Document, osconfig.Report) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	layers, report := cloudconfig.Parse("test", filepath.Base(path), data)
	doc := osconfig.Merge(layers...)
	cfg, more := osconfig.Decode(doc)
	report = append(report, more...).Sorted()
	return cfg, doc, slices.DeleteFunc(report, undone)
}

// undone leaves out what is said of keys that do nothing yet: it changes with
// other packages. TestNotCarriedOut looks at that.
func undone(p osconfig.Problem) bool { return strings.HasPrefix(p.Text, "not carried out yet: ") }

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func testFiles(t *testing.T, dir string, atLeast int, f func(t *testing.T, path string)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
	if err != nil || len(paths) < atLeast {
		t.Fatalf("%d files in testdata/%s, %v", len(paths), dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yml"), func(t *testing.T) { f(t, path) })
	}
}

// TestBadFiles compares everything that is said about each file of
// testdata/bad with the .want file beside it.
func TestBadFiles(t *testing.T) {
	testFiles(t, "bad", 200, func(t *testing.T, path string) {
		_, _, report := check(t, path)
		if len(report) == 0 {
			t.Fatal("nothing reported")
		}
		var b strings.Builder
		for _, p := range report {
			where := fmt.Sprintf("%d:%d: %s: ", p.Line, p.Col, p.Severity)
			if p.Path != "" {
				where += p.Path + ": "
			}
			b.WriteString(where + p.Text + "\n")
		}
		golden(t, strings.TrimSuffix(path, ".yml")+".want", b.String())
	})
}

// TestGoodFiles asserts that nothing is said about the files of testdata/good,
// that they decode to what is beside them, and that an export reads back.
func TestGoodFiles(t *testing.T) {
	testFiles(t, "good", 90, func(t *testing.T, path string) {
		cfg, doc, report := check(t, path)
		if len(report) > 0 {
			t.Fatalf("reported:\n%s", report)
		}
		golden(t, strings.TrimSuffix(path, ".yml")+".want", doc.Export(true, true))

		again, more := osconfig.Parse("again", "export", []byte(doc.Export(true, true)))
		cfg2, report2 := osconfig.Decode(osconfig.Merge(again))
		report2 = slices.DeleteFunc(report2, undone)
		if len(more)+len(report2) > 0 {
			t.Fatalf("the export is reported:\n%s%s", more, report2)
		}
		cfg.Scripts, cfg.BootHooks = nil, nil // no part of a file
		if diff := cmp.Diff(cfg, cfg2); diff != "" {
			t.Errorf("the export reads back differently (-file +export):\n%s", diff)
		}
		lenient, _, problems := osconfig.DecodeLenient(osconfig.Layer{Name: "test", Doc: doc.Root})
		if problems = slices.DeleteFunc(problems, undone); len(problems) > 0 {
			t.Errorf("at boot:\n%s", problems)
		}
		if len(cfg.Rancher.Network.Interfaces) > 0 {
			lenient.Scripts, lenient.BootHooks = nil, nil
			if diff := cmp.Diff(cfg, lenient); diff != "" {
				t.Errorf("at boot it is different (-validate +boot):\n%s", diff)
			}
		}
	})
}
