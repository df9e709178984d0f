package coreunit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// maxLine is where the library, like older systemds, gives up.
const maxLine = 2047

// option is one assignment of a unit file, and where it stands.
type option struct {
	section, name, value string
	line, col            int // of the name
	valueCol             int
}

// scan reads the assignments of a text. The library makes them; because it
// keeps no positions and passes over text that systemd complains about, it is
// given only what has the right form, and the positions are counted here.
func scan(text string) ([]option, []osconfig.UnitProblem) {
	s := scanner{lines: strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")}
	for s.at < len(s.lines) {
		s.item()
	}
	sections, err := unit.DeserializeSections(strings.NewReader(s.clean.String()))
	if err != nil {
		return nil, append(s.problems, wrong(0, 0, "not readable as a unit file: %v", err))
	}
	var out []option
	for _, section := range sections {
		for _, e := range section.Entries {
			if len(out) == len(s.found) || s.found[len(out)].name != e.Name || s.found[len(out)].section != section.Section {
				return nil, append(s.problems, wrong(0, 0, "not readable as a unit file: %s= of [%s] is unclear", e.Name, section.Section))
			}
			o := s.found[len(out)]
			o.value = strings.TrimSpace(strings.ReplaceAll(e.Value, "\\\n", " "))
			out = append(out, o)
		}
	}
	if len(out) != len(s.found) {
		return nil, append(s.problems, wrong(0, 0, "not readable as a unit file: %d assignments of %d", len(out), len(s.found)))
	}
	return out, s.problems
}

func wrong(line, col int, format string, args ...any) osconfig.UnitProblem {
	return osconfig.UnitProblem{Line: line, Col: col, Severity: osconfig.Error, Text: fmt.Sprintf(format, args...)}
}

type scanner struct {
	lines    []string
	at       int
	section  string
	skip     bool // what follows belongs to a section that is broken
	clean    strings.Builder
	found    []option
	problems []osconfig.UnitProblem
}

func (s *scanner) wrong(line, col int, format string, args ...any) {
	s.problems = append(s.problems, wrong(line, col, format, args...))
}

func comment(line string) bool { return strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") }

// item reads one line with those that continue it.
func (s *scanner) item() {
	raw := s.lines[s.at]
	line, number := strings.TrimSpace(raw), s.at+1
	col := len(raw) - len(strings.TrimLeft(raw, " \t")) + 1
	s.at++
	switch {
	case line == "", comment(line):
		return
	case len(raw) > maxLine:
		s.skipContinuation(raw)
		s.wrong(number, 1, "a line of more than %d bytes; end it with \\ and go on in the next", maxLine)
		return
	case strings.HasPrefix(line, "["):
		s.header(line, number, col)
		return
	}
	name, value, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	switch {
	case !ok || name == "":
		s.skipContinuation(raw)
		s.wrong(number, col, "neither a section ([Service]) nor an assignment (NAME=VALUE)")
		return
	case s.section == "" && !s.skip:
		s.skipContinuation(raw)
		s.wrong(number, col, "%s= stands before the first section; write [Unit], [Service] or [Timer] above it", name)
		return
	case s.skip:
		s.skipContinuation(raw)
		return
	}
	o := option{section: s.section, name: name, line: number, col: col}
	o.valueCol = col + len(line) - len(strings.TrimLeft(value, " \t"))
	s.clean.WriteString(name + "=" + s.value(raw, value) + "\n")
	s.found = append(s.found, o)
}

// value adds the lines that continue an assignment. One that ends in a
// backslash with nothing to follow must not swallow what comes next.
func (s *scanner) value(line, value string) string {
	var b strings.Builder
	b.WriteString(value)
	for strings.HasSuffix(line, `\`) && s.at < len(s.lines) {
		next := s.lines[s.at]
		s.at++
		if comment(strings.TrimSpace(next)) {
			continue // it stands between, and does not end the line
		}
		if line = next; strings.TrimSpace(line) == "" {
			break
		}
		if len(line) > maxLine {
			s.wrong(s.at, 1, "a line of more than %d bytes; end it with \\ and go on in the next", maxLine)
			break
		}
		b.WriteString("\n" + line)
	}
	return strings.TrimRight(b.String(), `\`)
}

func (s *scanner) skipContinuation(line string) {
	for strings.HasSuffix(line, `\`) && s.at < len(s.lines) {
		line = s.lines[s.at]
		s.at++
	}
}

func (s *scanner) header(line string, number, col int) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(line, "["), "]")
	if !ok || name == "" || strings.ContainsAny(name, "[]") {
		s.wrong(number, col, "a section is written [Unit]")
		s.skip = true
		return
	}
	s.section, s.skip = name, false
	s.clean.WriteString("[" + name + "]\n")
}

func sorted(files []File) []File {
	return slices.SortedStableFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}
