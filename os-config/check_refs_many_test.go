package osconfig

import (
	"runtime"
	"strings"
	"testing"
)

// TestManyReferences: what is allocated to check the references of a document
// grows as the document does, right or wrong, long chains included. Work that
// grows faster ends with the test's own deadline: how long it may take depends
// on what else the machine does.
func TestManyReferences(t *testing.T) {
	for name, text := range map[string]func(n int) string{
		"wrong links": func(n int) string {
			return "rancher:\n  network:\n    interfaces:\n" + repeat(n, "      \"x%d-*\": {link: nothing}\n")
		},
		"wrong services": func(n int) string {
			return "rancher:\n  services:\n" + repeat(n, "    s%d: {image: a, links: [nothing]}\n")
		},
		"one chain": func(n int) string {
			return "rancher:\n  services:\n" + strings.ReplaceAll(repeat(n, "    s%[1]d: {image: a, links: [s%[1]d0]}\n"), "0]", "]")
		},
		"members": func(n int) string {
			return "rancher:\n  network:\n    interfaces:\n" + repeat(n, "      b%[1]d: {type: bridge, members: [eth%[1]d, eth0, zz]}\n")
		},
		"environment": func(n int) string { return "rancher:\n  environment:\n" + repeat(n, "    nobody%d/A: 1\n") },
	} {
		few, many := allocatedBy(t, text(600)), allocatedBy(t, text(2400))
		t.Logf("%s: %d, %d bytes", name, few, many)
		if many > 8*few {
			t.Errorf("%s: %d bytes for 600, %d for four times as many", name, few, many)
		}
	}
}

func allocatedBy(t *testing.T, text string) uint64 {
	t.Helper()
	l, report := Parse("x", "x.yml", []byte(text))
	if len(report) > 0 {
		t.Fatal(report[0])
	}
	root := Merge(l).Root
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	references(root)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
