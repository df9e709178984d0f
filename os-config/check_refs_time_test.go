package osconfig

import (
	"strings"
	"testing"
	"time"
)

// TestManyReferences: references of a document with as many keys as are
// allowed are checked in time, right or wrong, long chains included.
func TestManyReferences(t *testing.T) {
	for name, text := range map[string]string{
		"wrong links":    "rancher:\n  network:\n    interfaces:\n" + repeat(2400, "      \"x%d-*\": {link: nothing}\n"),
		"wrong services": "rancher:\n  services:\n" + repeat(2400, "    s%d: {image: a, links: [nothing]}\n"),
		"one chain":      "rancher:\n  services:\n" + strings.ReplaceAll(repeat(2400, "    s%[1]d: {image: a, links: [s%[1]d0]}\n"), "0]", "]"),
		"members":        "rancher:\n  network:\n    interfaces:\n" + repeat(2400, "      b%[1]d: {type: bridge, members: [eth%[1]d, eth0, zz]}\n"),
		"environment":    "rancher:\n  environment:\n" + repeat(2400, "    nobody%d/A: 1\n"),
	} {
		l, report := Parse("x", "x.yml", []byte(text))
		if len(report) > 0 {
			t.Fatal(name, report[0])
		}
		root := Merge(l).Root
		begin := time.Now()
		references(root)
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("%s: %s", name, took)
		} else {
			t.Logf("%s: %s", name, took)
		}
	}
}
