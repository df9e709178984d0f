package osconfig

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Severity says how bad a problem is.
type Severity int

// An error makes a configuration invalid; a warning does not.
const (
	Warning Severity = iota
	Error
)

func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// ProblemKind says what sort of problem it is, for callers that treat them
// differently: an unknown key is an error for validation, a warning at boot.
type ProblemKind int

// Kinds of problems.
const (
	Syntax      ProblemKind = iota // the text is no usable YAML: there is no document
	Duplicate                      // a key twice in one mapping
	Unknown                        // a key that nothing knows
	Unsupported                    // a key of RancherOS or cloud-init that does nothing here
	Type                           // another kind of value than wanted
	Value                          // a value that cannot be right
	Conflict                       // values that do not go together
	Source                         // a source that could not be read
)

// Problem is one thing that is wrong with a configuration, and where.
type Problem struct {
	Severity Severity
	Kind     ProblemKind
	Layer    string
	File     string
	Line     int // 0: the whole file
	Col      int
	Path     string // "rancher.network.interfaces.eth0.mtu"; may be empty
	Text     string
}

// String is "FILE:LINE:COL: error: PATH: text".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Severity.String() + ": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Report is what is wrong, in the order of files and lines.
type Report []Problem

// Count returns how many problems have this severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, p := range r {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// HasErrors says whether the configuration is invalid.
func (r Report) HasErrors() bool { return r.Count(Error) > 0 }

// String is one problem a line.
func (r Report) String() string {
	var b strings.Builder
	for _, p := range r {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// Sorted returns the report ordered by line and column, files kept in the
// order in which they first appear, without repetitions.
func (r Report) Sorted() Report {
	rank := map[string]int{}
	for _, p := range r {
		if _, ok := rank[p.File]; !ok {
			rank[p.File] = len(rank)
		}
	}
	out := slices.Clone(r)
	slices.SortStableFunc(out, func(a, b Problem) int {
		if d := rank[a.File] - rank[b.File]; d != 0 {
			return d
		}
		if d := a.Line - b.Line; d != 0 {
			return d
		}
		return a.Col - b.Col
	})
	seen := map[Problem]bool{}
	return slices.DeleteFunc(out, func(p Problem) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}

func problemAt(pos Pos, sev Severity, kind ProblemKind, path, text string) Problem {
	path, text = clip(redact(path)), clip(text) // a key may be a URL
	return Problem{
		Severity: sev, Kind: kind, Layer: pos.Layer, File: pos.File,
		Line: pos.Line, Col: pos.Col, Path: path, Text: text,
	}
}

// clip bounds what of a file stands in a message, and keeps it on one line: a
// key may be as long as the file.
func clip(s string) string {
	const most = 1000
	if strings.ContainsFunc(s, unicode.IsControl) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return '�'
			}
			return r
		}, s)
	}
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
