package netconf

import (
	"errors"
	"fmt"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// commands reads argument vectors. A text is split into words as a shell
// does, which is how RancherOS reads them; nothing is expanded.
func (p *parser) commands(path string, list []osconfig.Command) [][]string {
	var out [][]string
	for i, c := range list {
		args := c.Args
		if c.Shell != "" {
			words, err := splitWords(c.Shell)
			if err != nil {
				p.bad(fmt.Sprintf("%s[%d]", path, i), c.Shell, err.Error())
				continue
			}
			args = words
		}
		if len(args) > 0 && args[0] != "" {
			out = append(out, args)
		}
	}
	return out
}

// splitWords splits at white space outside of quotes. A backslash takes the
// next character as it is, but not between single quotes.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, escaped, quote := false, false, rune(0)
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			inWord, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			inWord, quote = true, r
		case strings.ContainsRune(" \t\r\n", r):
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("ends inside of a quotation")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
