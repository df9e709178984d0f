package coreunit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Command is one command line of an Exec…=.
type Command struct {
	Words    []string // specifiers are replaced, variables are not
	Ignore   bool     // "-": its failure is none
	Verbatim bool     // ":": variables are not replaced
}

// Argv is the argument vector with variables replaced, as systemd.service(5)
// has it: ${NAME} in place, $NAME as a word of its own splits at blanks, $$
// is a dollar. The program itself is taken as it is.
func (c Command) Argv(env func(name string) string) []string {
	if c.Verbatim || len(c.Words) == 0 {
		return c.Words
	}
	out := []string{c.Words[0]}
	for _, w := range c.Words[1:] {
		if name, ok := strings.CutPrefix(w, "$"); ok && isName(name) {
			words, _, err := splitWords(env(name))
			if err != nil { // quotes that do not end are themselves
				words = strings.Fields(env(name))
			}
			out = append(out, words...)
			continue
		}
		out = append(out, replaceVariables(w, env))
	}
	return out
}

func replaceVariables(w string, env func(string) string) string {
	var b strings.Builder
	for w != "" {
		i := strings.IndexByte(w, '$')
		if i < 0 {
			break
		}
		b.WriteString(w[:i])
		w = w[i:]
		name, rest, ok := strings.Cut(strings.TrimPrefix(w, "${"), "}")
		switch {
		case strings.HasPrefix(w, "$$"):
			b.WriteByte('$')
			w = w[2:]
		case strings.HasPrefix(w, "${") && ok && isName(name):
			b.WriteString(env(name))
			w = rest
		default:
			b.WriteByte('$')
			w = w[1:]
		}
	}
	return b.String() + w
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// parseCommands reads the value of an Exec…=; " ; " stands between several.
// notes are doubts about escapes.
func parseCommands(text string, replace func(string) (string, error)) (out []Command, notes []string, err error) {
	words, notes, err := splitRaw(text)
	if err != nil {
		return nil, nil, err
	}
	var current []word
	flush := func() error {
		if len(current) == 0 {
			return errors.New("an empty command")
		}
		c, err := newCommand(current, replace)
		out, current = append(out, c), nil
		return err
	}
	for _, w := range words {
		switch {
		case w.raw == ";":
			if err := flush(); err != nil {
				return nil, nil, err
			}
		case w.raw == `\;`:
			current = append(current, word{raw: ";", text: ";"})
		default:
			current = append(current, w)
		}
	}
	if len(current) > 0 || len(out) == 0 {
		err = flush()
	}
	return out, notes, err
}

func newCommand(words []word, replace func(string) (string, error)) (Command, error) {
	var c Command
	for i, w := range words {
		text := w.text
		for i == 0 && text != "" && strings.ContainsRune("-:@+!|", rune(text[0])) {
			switch text[0] {
			case '-':
				c.Ignore = true
			case ':':
				c.Verbatim = true
			case '@':
				return c, errors.New(`the prefix "@" is not supported: a program is always called by its own name`)
			case '+', '!':
				return c, fmt.Errorf("the prefix %q is not supported: commands run as User= says; without it they run as root", text[:1])
			default:
				return c, fmt.Errorf("the prefix %q is not supported; give the shell as the program: /bin/sh -c '…'", text[:1])
			}
			text = text[1:]
		}
		text, err := replace(text)
		if err != nil {
			return c, err
		}
		if i == 0 && !program(text) {
			return c, fmt.Errorf("%q is no program: give an absolute path or a name without slashes", text)
		}
		c.Words = append(c.Words, text)
	}
	return c, nil
}

func program(s string) bool {
	return s != "" && !strings.HasSuffix(s, "/") && (strings.HasPrefix(s, "/") || !strings.Contains(s, "/")) && !strings.HasPrefix(s, "$")
}

// word is one word, as it stands there and without quotes.
type word struct{ raw, text string }

// splitWords splits as systemd does.
func splitWords(text string) (out, notes []string, err error) {
	words, notes, err := splitRaw(text)
	for _, w := range words {
		out = append(out, w.text)
	}
	return out, notes, err
}

// splitRaw splits at blanks outside of quotes and undoes C's escapes, see
// "Quoting" in systemd.syntax(7).
func splitRaw(text string) (out []word, notes []string, err error) {
	var b strings.Builder
	quote, begin := byte(0), -1
	end := func(at int) {
		if begin >= 0 {
			out = append(out, word{raw: text[begin:at], text: b.String()})
		}
		b.Reset()
		begin = -1
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		blank := c == ' ' || c == '\t' || c == '\n'
		if quote == 0 && blank {
			end(i)
			continue
		}
		if begin < 0 {
			begin = i
		}
		switch {
		case c == '\\':
			s, n := unescape(text[i:])
			if n == 0 {
				if text[i:] != `\;` && !strings.HasPrefix(text[i:], `\; `) {
					notes = append(notes, fmt.Sprintf("%s is no escape; it stays as it is, write \\\\ for a backslash", text[i:min(i+2, len(text))]))
				}
				b.WriteByte('\\')
				continue
			}
			b.WriteString(s)
			i += n - 1
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, nil, fmt.Errorf("a quote (%c) that does not end", quote)
	}
	end(len(text))
	return out, notes, nil
}

// unescape reads the escape at the start of s; n is its length, 0 when it is
// none.
func unescape(s string) (text string, n int) {
	if len(s) < 2 {
		return "", 0
	}
	if i := strings.IndexByte(`abfnrtv\"'s`, s[1]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\"' "[i : i+1], 2
	}
	digits, base := 0, 16
	switch s[1] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		if len(s) >= 4 {
			if v, err := strconv.ParseUint(s[1:4], 8, 8); err == nil && v > 0 {
				return string([]byte{byte(v)}), 4
			}
		}
		return "", 0
	}
	if len(s) < 2+digits {
		return "", 0
	}
	v, err := strconv.ParseUint(s[2:2+digits], base, 32)
	if err != nil || v == 0 || digits > 2 && !utf8.ValidRune(rune(v)) {
		return "", 0
	}
	if digits == 2 {
		return string([]byte{byte(v)}), 4
	}
	return string(rune(v)), 2 + digits
}
