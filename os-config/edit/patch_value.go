package edit

import (
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// list brings the text of a block list in line: items that went, items that
// came at its end, or, when there are as many as before, items that changed.
func (p *patcher) list(old, want *osconfig.Node, depth, last int) bool {
	line, col, ok := p.at(old.Pos)
	if !ok || !strings.HasPrefix(p.lines[line][col:], "-") {
		return false
	}
	marks := make([]osconfig.Pos, len(old.List))
	for i, item := range old.List {
		marks[i] = osconfig.Pos{Line: item.Pos.Line, Col: old.Pos.Col}
	}
	ext, ok := p.extents(marks, last)
	if !ok {
		return false
	}
	for _, e := range ext {
		if !strings.HasPrefix(p.lines[e.from][e.col:], "-") {
			return false
		}
	}
	if len(old.List) == len(want.List) {
		for i, item := range old.List {
			if same(item, want.List[i]) || depth > 1 && p.inside(item, want.List[i], depth-1, ext[i].to) {
				continue
			}
			p.replace(ext[i].from, ext[i].col, ext[i].to, item1(want.List[i], ext[i].col))
		}
		return true
	}
	j := 0
	for i, item := range old.List {
		switch {
		case j < len(want.List) && same(item, want.List[j]):
			j++
		case slices.ContainsFunc(want.List[j:], func(w *osconfig.Node) bool { return same(item, w) }):
			return false // something came in between
		case strings.TrimSpace(p.lines[ext[i].from][:ext[i].col]) != "":
			return false // a list in a list
		default:
			p.replace(ext[i].from, 0, ext[i].to, "")
		}
	}
	if j == 0 {
		return false
	}
	end := ext[len(ext)-1]
	var added strings.Builder
	for _, item := range want.List[j:] {
		added.WriteString(strings.Repeat(" ", end.col) + item1(item, end.col))
	}
	p.insert(end.to, added.String())
	return true
}

// item1 is one list item as lines; all but the first are indented.
func item1(item *osconfig.Node, indent int) string {
	return indented(osconfig.FormatYAML(osconfig.NewList(osconfig.Pos{}, item)), indent)
}

// values changes single values of a mapping or list of the same shape, which
// also works in braces.
func (p *patcher) values(old, want *osconfig.Node) bool {
	switch {
	case same(old, want):
		return true
	case old.Kind == osconfig.Map && want.Kind == osconfig.Map && len(old.Map) == len(want.Map):
		return !slices.ContainsFunc(old.Map, func(e osconfig.Entry) bool {
			return !has(want, e.Key) || !p.values(e.Value, want.Child(e.Key))
		})
	case old.Kind == osconfig.List && want.Kind == osconfig.List && len(old.List) == len(want.List):
		for i := range old.List {
			if !p.values(old.List[i], want.List[i]) {
				return false
			}
		}
		return true
	}
	return !old.IsNull() && !want.IsNull() && old.Scalar() && want.Scalar() && !strings.Contains(want.Text, "\n") && p.scalar(old, want)
}

// scalar replaces a value that stands on one line, and nothing behind it.
func (p *patcher) scalar(old, want *osconfig.Node) bool {
	line, col, ok := p.at(old.Pos)
	if !ok {
		return false
	}
	length := written(strings.TrimRight(p.lines[line][col:], "\n"), old.Text)
	if length == 0 {
		return false
	}
	text := strings.TrimSuffix(osconfig.FormatYAML(want), "\n")
	at := p.starts[line] + col
	p.splices = append(p.splices, splice{at, at + length, text})
	return true
}

// written is how many bytes of a line its first value takes; 0 when it is not
// certain.
func written(line, value string) int {
	if line == "" {
		return 0
	}
	switch line[0] {
	case '"':
		for i := 1; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return 0
	case '\'':
		for i := 1; i < len(line); i++ {
			if line[i] != '\'' {
				continue
			}
			if i+1 < len(line) && line[i+1] == '\'' {
				i++
				continue
			}
			return i + 1
		}
		return 0
	}
	if value == "" || !strings.HasPrefix(line, value) {
		return 0
	}
	rest := line[len(value):]
	if rest == "" || strings.ContainsAny(rest[:1], " ,]}") {
		return len(value)
	}
	return 0
}
