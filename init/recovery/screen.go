package recovery

import (
	"fmt"
	"strings"
)

const width = 78

// screen is the explanation: at most 24 lines of 80 columns.
func screen(p Problem, shell bool) string {
	var b strings.Builder
	rule := strings.Repeat("=", width)
	fmt.Fprintf(&b, "\n%s\n Pharos: recovery console\n%s\n", rule, rule)
	fmt.Fprintf(&b, " %s\n", p.Title)
	if p.Where != "" {
		fmt.Fprintf(&b, " Where: %s\n", p.Where)
	}
	if p.Err != nil {
		for i, line := range limit(wrap(p.Err.Error(), width-8), 8) {
			label := "        "
			if i == 0 {
				label = " Error: "
			}
			fmt.Fprintf(&b, "%s%s\n", label, line)
		}
	}
	b.WriteString("\n What you can do:\n")
	for _, do := range p.Do {
		for i, line := range wrap(do, width-5) {
			bullet := "    "
			if i == 0 {
				bullet = "  - "
			}
			fmt.Fprintf(&b, "%s%s\n", bullet, line)
		}
	}
	b.WriteString("\n")
	switch {
	case p.Countdown > 0:
		fmt.Fprintf(&b, " %s in %d seconds, unless you type something.\n", p.Then, int(p.Countdown.Seconds()))
	case shell && p.Then != "":
		fmt.Fprintf(&b, " %s when you leave the shell with 'exit'.\n", p.Then)
	}
	if !shell {
		b.WriteString(" There is no shell here: no busybox was found.\n")
	}
	b.WriteString(rule + "\n")
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

// wrap breaks text at blanks into lines of at most n columns; longer words are
// cut.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for len(word) > n {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, word[:n]), word[n:]
		}
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= n:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// limit keeps n lines and says if there were more.
func limit(lines []string, n int) []string {
	if len(lines) <= n {
		return lines
	}
	return append(lines[:n-1:n-1], "… (dmesg has the rest)")
}
