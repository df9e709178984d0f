// Package modules owns the loading of kernel modules by PID 1 and, on the
// kernel's own request, in place of modprobe: matching modaliases, ordering by
// dependency, finit_module(2), and the device nodes that lead to such a request
// when they are opened. It refuses modprobe.d, blacklists and removal: those
// belong to udev in its container.
package modules

import (
	"path"
	"strings"
)

// Aliases finds the modules for a modalias. Patterns are indexed by what
// stands before their first wildcard, so that a look-up costs one map access
// per byte of the modalias and not one match per line of the file.
type Aliases struct {
	byPrefix map[string][]alias
	longest  int // of the prefixes, bytes
}

type alias struct{ pattern, module string }

// ParseAliases reads the format of modules.alias and of modules.symbols:
// lines "alias PATTERN MODULE".
func ParseAliases(text string) *Aliases {
	a := &Aliases{byPrefix: make(map[string][]alias, len(text)/60)}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "alias ")
		if !ok {
			continue
		}
		// Patterns hold no blanks, module names neither.
		pattern, module, ok := strings.Cut(strings.TrimSpace(rest), " ")
		if !ok {
			continue
		}
		prefix := pattern
		if i := strings.IndexAny(pattern, "*?[\\"); i >= 0 {
			prefix = pattern[:i]
		}
		a.byPrefix[prefix] = append(a.byPrefix[prefix], alias{pattern, module})
		a.longest = max(a.longest, len(prefix))
	}
	return a
}

// Match returns the modules whose pattern matches, each once, most specific
// prefix last, file order within.
func (a *Aliases) Match(modalias string) []string {
	var found []string
	seen := map[string]bool{}
	for i := 0; i <= min(len(modalias), a.longest); i++ {
		for _, candidate := range a.byPrefix[modalias[:i]] {
			if !seen[candidate.module] && glob(candidate.pattern, modalias) {
				seen[candidate.module] = true
				found = append(found, candidate.module)
			}
		}
	}
	return found
}

// glob is fnmatch(3) without flags: unlike path.Match, * and ? also match a
// slash. It never allocates for patterns of literals and stars, which almost
// all of them are.
func glob(pattern, s string) bool {
	if strings.ContainsAny(pattern, "?[\\") {
		// Device names hold no NUL: stand-in for the slash that
		// path.Match treats specially.
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
		return err == nil && ok
	}
	head, rest, starred := strings.Cut(pattern, "*")
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for starred {
		head, rest, starred = strings.Cut(rest, "*")
		if !starred {
			return strings.HasSuffix(s, head)
		}
		i := strings.Index(s, head)
		if i < 0 {
			return false
		}
		s = s[i+len(head):]
	}
	return s == ""
}
