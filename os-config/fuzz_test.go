package osconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever the data, nothing panics, positions lie within the
// text, and what was accepted can be exported and read again.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, report := Parse("fuzz", "fuzz", data)
		if (l.Doc == nil) != unusable(report) {
			t.Fatalf("document %v, report %s", l.Doc, report)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, p := range report {
			if p.Line > lines+1 || p.Line < 0 {
				t.Fatalf("line %d of %d: %s", p.Line, lines, p)
			}
		}
		if l.Doc == nil {
			return
		}
		_, doc, _ := DecodeLenient(l)
		Decode(Merge(l))
		for _, text := range []string{doc.Export(true, true), FormatYAML(l.Doc)} {
			if _, report := Parse("again", "again", []byte(text)); unusable(report) && len(text) < MaxSize/4 {
				t.Fatalf("the export does not read back: %s\n%s", report, text)
			}
		}
	})
}

func unusable(r Report) bool {
	for _, p := range r {
		if p.Kind == Syntax {
			return true
		}
	}
	return false
}
