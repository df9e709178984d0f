package osconfig

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse: whatever the data, nothing panics, positions lie within the
// text, and what was accepted can be exported and read again.
func FuzzParse(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
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

// seeds are the files of testdata.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	var out [][]byte
	for _, dir := range []string{"good", "bad", "documented"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			out = append(out, data)
		}
	}
	if len(out) < 100 {
		f.Fatalf("%d files in testdata", len(out))
	}
	return out
}

// FuzzDecode: whatever the document, checking it does not panic, says the same
// each time, and never loses a check to a mistake of ours; what is left at
// boot of a file with errors has none.
func FuzzDecode(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, _ := Parse("fuzz", "fuzz", data)
		if l.Doc == nil {
			return
		}
		dec := Decoder{Units: func(_, content string) []UnitProblem {
			return []UnitProblem{{Line: strings.Count(content, "\n"), Col: 1, Text: "x"}}
		}}
		cfg, report := dec.Decode(Merge(l))
		again, same := dec.Decode(Merge(l))
		if !reflect.DeepEqual(cfg, again) || !reflect.DeepEqual(report, same) {
			t.Fatalf("two results:\n%s\n%s", report, same)
		}
		for _, p := range report {
			if strings.Contains(p.Text, "not checkable") || strings.Contains(p.Text, "no decoder") {
				t.Fatal(p)
			}
			if p.Line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+2 {
				t.Fatalf("a line after the end: %s", p)
			}
		}
		_, clean, _ := dec.DecodeLenient(l)
		if _, left := dec.Decode(clean); report.HasErrors() && onlyIn(left, report) {
			t.Fatalf("at boot there are new errors:\n%s\nat first:\n%s", left, report)
		}
	})
}

// onlyIn says whether a has an error at a path at which b has none.
func onlyIn(a, b Report) bool {
	return a.Count(Error) > b.Count(Error)
}

// FuzzMerge: the law of merging holds for any three documents.
func FuzzMerge(f *testing.F) {
	all := seeds(f)
	for i := range len(all) - 2 {
		f.Add(all[i], all[i+1], all[i+2])
	}
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		a, _ := Parse("a", "a", one)
		b, _ := Parse("b", "b", two)
		c, _ := Parse("c", "c", three)
		if a.Doc == nil || b.Doc == nil || c.Doc == nil {
			return
		}
		doc := Merge(a, b, c)
		left, right := Merge(Merge(a, b).Layer(), c), Merge(a, Merge(b, c).Layer())
		want := values(doc.Root)
		if !reflect.DeepEqual(want, values(left.Root)) || !reflect.DeepEqual(want, values(right.Root)) {
			t.Fatalf("not associative:\n%s\n%s\n%s", FormatYAML(doc.Root), FormatYAML(left.Root), FormatYAML(right.Root))
		}
		if !reflect.DeepEqual(values(a.Doc), values(Merge(a, Layer{}).Root)) {
			t.Fatal("nothing changes something")
		}
		checkProvenance(t, doc, a, b, c)
		Decode(doc)
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
