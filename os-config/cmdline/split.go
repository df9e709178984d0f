package cmdline

import (
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// split cuts a command line into parameters. Double quotes hold blanks
// together anywhere, as in the kernel; single quotes and the brackets of a
// list do in the values of our own parameters. What is never closed ends at
// the next blank.
func split(s string) []param {
	var out []param
	for i := 0; i < len(s); {
		if blank(s[i]) {
			i++
			continue
		}
		end := tokenEnd(s, i)
		out = append(out, newParam(s[i:end], i+1))
		i = end
	}
	return out
}

func newParam(token string, col int) param {
	// The kernel allows quotes around the whole parameter too.
	if len(token) > 1 && token[0] == '"' && token[len(token)-1] == '"' && strings.Count(token, `"`) == 2 {
		token = token[1 : len(token)-1]
	}
	name, value, ok := strings.Cut(token, "=")
	if _, own := configPath(name); !own && len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return param{name: name, value: value, hasValue: ok, col: col}
}

// tokenEnd is where the parameter that begins at start ends.
func tokenEnd(s string, start int) int {
	name, _, _ := strings.Cut(s[start:], "=")
	_, own := configPath(strings.TrimPrefix(name, `"`))
	valueAt := start + len(name) + 1
	depth := 0
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case blank(c) && depth == 0:
			return i
		case c == '\\' && i+1 < len(s) && !blank(s[i+1]):
			i++
		case c == '"', c == '\'' && own && opensQuote(s, i, valueAt):
			if end := closing(s, i); end > 0 {
				i = end
			}
		case c == '[' && own && (i == valueAt || depth > 0):
			if depth > 0 || strings.IndexByte(s[i:], ']') > 0 {
				depth++
			}
		case c == ']' && depth > 0:
			depth--
		}
	}
	if depth > 0 {
		if at := strings.IndexAny(s[start:], " \t\n"); at > 0 {
			return start + at
		}
	}
	return len(s)
}

// opensQuote says whether a quote at i begins a text, rather than standing in
// the middle of one (it's).
func opensQuote(s string, i, valueAt int) bool {
	return i == valueAt || i > valueAt && strings.IndexByte("[, \t", s[i-1]) >= 0
}

// closing finds the quote that ends the text whose opening one is at i, 0
// when there is none.
func closing(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case s[i]:
			return j
		}
	}
	return 0
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// parseValue reads VALUE by the rules of Parse.
func parseValue(pos osconfig.Pos, s string) *osconfig.Node {
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		list := osconfig.NewList(pos)
		for _, item := range items(s[1 : len(s)-1]) {
			list.List = append(list.List, parseValue(pos, item))
		}
		return list
	}
	if len(s) > 1 && (s[0] == '"' || s[0] == '\'') && closing(s, 0) == len(s)-1 {
		n := osconfig.NewString(pos, unescape(s[1:len(s)-1]))
		n.Loose = true
		return n
	}
	s = unescape(s)
	n := osconfig.ResolvePlain(pos, s)
	if s == "" {
		// An empty value is one: it can take back what a file says.
		n = osconfig.NewString(pos, "")
	}
	n.Loose = true
	return n
}

// items cuts the inside of a list at its commas.
func items(s string) []string {
	var out []string
	depth, begin := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"' || c == '\'' && opensQuote(s, i, begin):
			if end := closing(s, i); end > 0 {
				i = end
			}
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[begin:i]))
			begin = i + 1
		}
	}
	if last := strings.TrimSpace(s[begin:]); last != "" || len(out) > 0 {
		out = append(out, last)
	}
	return out
}

func unescape(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\'`, `'`).Replace(s)
}
