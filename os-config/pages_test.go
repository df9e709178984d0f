package osconfig_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
	"github.com/pharos-os/pharos/os-config/coreunit"
)

// TestPages: the cloud-configs in the documentation have no errors, and what
// stands below one without a language is what the validator says about it.
// Links between pages lead somewhere.
func TestPages(t *testing.T) {
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX"
	hash := "$6$pharosdoc$q/1Mt9NIH983RaWkPHSTRzXLc.3SKE0YQWgAf9G0Huuyx./BG3br4KKqsriJecaZG2OPrBS8AzqJRKcy5W/JW."
	written := strings.NewReplacer("ssh-ed25519 AAAA…", key, "$6$…", hash)
	block := regexp.MustCompile("(?s)```yaml\n(.*?)\n```\n(?:\n```\n(.*?)\n```\n)?")
	pages, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	units := osconfig.Decoder{Units: coreunit.Check}
	found := map[string]int{}
	for _, page := range append(pages, filepath.Join("..", "README.md")) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(page)
		for _, m := range regexp.MustCompile(`\]\(([A-Za-z0-9./_-]+)[#)]`).FindAllStringSubmatch(string(data), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: a link to %s, which is not there", page, m[1])
			}
		}
		for _, m := range block.FindAllStringSubmatch(string(data), -1) {
			layers, report := cloudconfig.Parse("page", "my.yml", []byte(written.Replace(m[1])))
			report = append(report, units.Validate(osconfig.Merge(layers...))...)
			said := strings.TrimSpace(report.Sorted().String())
			found[base]++
			switch {
			case m[2] != "" && said != m[2]:
				t.Errorf("%s: what it says the validator says:\n%s\nwhat it says:\n%s", page, m[2], said)
			case m[2] == "" && report.HasErrors():
				t.Errorf("%s: an example with errors:\n%s\n%s", page, m[1], said)
			}
		}
	}
	for _, page := range []string{"README.md", "configuration.md"} {
		if found[page] == 0 {
			t.Errorf("no cloud-config in %s", page)
		}
	}
}

// TestDirectives: each directive of units that the page lists is known.
func TestDirectives(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `\\[(\\w+)\\]` \\| (.*) \\|$")
	rows := row.FindAllStringSubmatch(string(data), -1)
	if len(rows) != 4 {
		t.Fatalf("%d sections of units in the table", len(rows))
	}
	for _, r := range rows {
		name := "a.service"
		if r[1] == "Timer" {
			name = "a.timer"
		}
		for _, d := range regexp.MustCompile("`([A-Z]\\w+)`").FindAllStringSubmatch(r[2], -1) {
			for _, p := range coreunit.Check(name, "["+r[1]+"]\n"+d[1]+"=\n") {
				if p.Line == 2 && strings.Contains(p.Text, "not supported") {
					t.Errorf("[%s] %s: %s", r[1], d[1], p.Text)
				}
			}
		}
	}
}
