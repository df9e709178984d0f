package osconfig

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// explain turns a parser error into a position and a sentence.
func explain(text string, tokens token.Tokens, err error) (line, col int, problem string) {
	var ye yamlError
	if !errors.As(err, &ye) {
		return 0, 0, err.Error()
	}
	problem = strings.TrimSpace(ye.GetMessage())
	if tk := ye.GetToken(); tk != nil && tk.Position != nil {
		line, col = tk.Position.Line, tk.Position.Column
	}
	if l, c, ok := tabIndent(text, line); ok {
		return l, c, "a tab in the indentation; YAML allows only spaces there"
	}
	if open := unclosed(tokens, line, col); open != nil && strings.Contains(problem, "must be specified") {
		return open.Position.Line, open.Position.Column, fmt.Sprintf("this %q is not closed before line %d", open.Value, line)
	}
	return line, col, problem + advice(problem)
}

// unclosed finds the innermost bracket that is open at a line after its own.
// The library complains where the next key begins, far from the mistake.
func unclosed(tokens token.Tokens, line, col int) *token.Token {
	var open []*token.Token
	for _, tk := range tokens {
		if tk.Position.Line > line || tk.Position.Line == line && tk.Position.Column >= col {
			break
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			open = append(open, tk)
		case token.SequenceEndType, token.MappingEndType:
			open = open[:max(len(open)-1, 0)]
		}
	}
	if len(open) == 0 || open[len(open)-1].Position.Line == line {
		return nil
	}
	return open[len(open)-1]
}

// advice says what usually is behind an error of the YAML library, whose own
// sentences tell what it missed and not what to do.
func advice(problem string) string {
	for _, a := range []struct{ part, advice string }{
		{"is a reserved character", ": a text that begins with it needs quotes"},
		{"unknown escape character", ": \"\\\" is special in double quotes; use single quotes"},
		{"non-map value is specified", ": want KEY: VALUE; is a line indented too little, or a \": \" missing?"},
		{"could not find flow map content", ": a text that begins with \"{\" needs quotes"},
		{"could not find flow mapping end token", ": a \"{\" is not closed"},
		{"sequence end token", ": a \"[\" is not closed"},
		{"mapping value is not allowed", ": is the next line indented too far, or does a text with \": \" in it lack quotes?"},
		{"unexpected directive", ": a text that begins with \"%\" needs quotes"},
		{"map key-value is pre-defined", ": something follows a value that was complete; is a quote inside a quoted text, or the indentation wrong?"},
		{"unexpected key name", ": want KEY: VALUE, with a blank after the colon"},
		{"could not find end character", ": a quote is not closed"},
	} {
		if strings.Contains(problem, a.part) {
			return a.advice
		}
	}
	return ""
}

// tabIndent finds a line at or up to one before the given one that is
// indented with a tab.
func tabIndent(text string, near int) (line, col int, ok bool) {
	for i, l := range strings.Split(text, "\n") {
		indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 && len(indent) < len(l) && i+1 >= near-1 && i <= near {
			return i + 1, at + 1, true
		}
	}
	return 0, 0, false
}
