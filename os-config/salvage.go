package osconfig

import (
	"reflect"
	"strings"
)

// beside reports what else is wrong with a text that is no YAML because of the
// given problem, so that one look at the report is enough. It takes the
// top-level key with the problem out and reads the rest; of that, single
// values are checked and not how they go together, because the other half may
// be in what was taken out.
func beside(name, file string, data []byte, first Problem) Report {
	const most = MaxSize / 4 // it is read several times
	if first.Line == 0 || len(data) > most {
		return nil
	}
	text, _, _, problem := normalise(data)
	if problem != "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	var out Report
	const rounds = 8
	for at := first.Line; len(out) < rounds; {
		if !blankSection(lines, at) {
			return out
		}
		doc, report := ParseTree(name, file, []byte(strings.Join(lines, "\n")))
		if doc != nil {
			return append(out, single(doc, report)...)
		}
		next := report[len(report)-1]
		// An alias may be wrong only because its anchor was taken out.
		if next.Line == 0 || strings.HasPrefix(next.Text, "alias *") {
			return out
		}
		out, at = append(out, next), next.Line
	}
	return out
}

// blankSection empties the lines of the top-level key around a line, which
// counts from 1, and says whether there was anything.
func blankSection(lines []string, at int) bool {
	if at > len(lines) {
		return false
	}
	begin := at - 1
	for begin > 0 && !topLevel(lines[begin]) {
		begin--
	}
	some := false
	for i := begin; i < len(lines) && (i == begin || i < at || !topLevel(lines[i])); i++ {
		some = some || strings.TrimSpace(lines[i]) != ""
		lines[i] = ""
	}
	return some
}

// topLevel says whether a line begins a key at the left margin.
func topLevel(line string) bool {
	return line != "" && !strings.ContainsRune(" \t#-}]'\"|>", rune(line[0])) && strings.Contains(line, ":")
}

// single checks the values of a document one by one.
func single(doc *Node, report Report) Report {
	if doc.Kind != Map {
		return nil
	}
	doc, more := canonical(doc)
	d := Decoder{}.decoder()
	d.alone = true
	var cfg Config
	d.value(doc, reflect.ValueOf(&cfg).Elem(), place{})
	return append(append(report, more...), d.report...)
}

// tooLarge says whether a text was refused for its size: then nobody looks
// further into it.
func tooLarge(p Problem) bool {
	for _, what := range []string{"nested more than", "more than ", "too large", "aliases expand"} {
		if strings.Contains(p.Text, what) {
			return true
		}
	}
	return false
}
