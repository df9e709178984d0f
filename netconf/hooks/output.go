package hooks

import (
	"bytes"
	"log/slog"
	"strings"
)

const (
	// maxOutput is how much of a command's output is logged, in bytes.
	maxOutput = 64 << 10
	// maxLine is where a longer line is broken, in bytes.
	maxLine = 1 << 10
)

// output logs what is written to it by lines. Only one goroutine of a command
// writes; when the bound is reached, the rest is read and forgotten, since a
// full pipe would stop the command.
type output struct {
	log  *slog.Logger
	rest []byte // of a line that has not ended
	used int    // bytes logged
	last string // line that is not empty
}

// Write takes output.
func (o *output) Write(p []byte) (int, error) {
	o.rest = append(o.rest, p...)
	for {
		i := bytes.IndexByte(o.rest, '\n')
		if i < 0 && len(o.rest) < maxLine {
			return len(p), nil
		}
		end, next := i, i+1
		if i < 0 || i > maxLine {
			end, next = maxLine, maxLine
		}
		o.line(string(o.rest[:end]))
		o.rest = o.rest[next:]
	}
}

// close logs a last line without an end.
func (o *output) close() {
	if len(o.rest) > 0 {
		o.line(string(o.rest))
	}
	o.rest = nil
}

func (o *output) line(s string) {
	s = strings.ToValidUTF8(strings.TrimRight(s, "\r"), "?")
	if strings.TrimSpace(s) == "" {
		return
	}
	o.last = strings.TrimSpace(s)
	switch before := o.used; {
	case before > maxOutput:
		return
	case before+len(s) > maxOutput:
		o.used = maxOutput + 1
		o.log.Warn("output", "line", "the rest is left out")
	default:
		o.used += len(s)
		o.log.Info("output", "line", s)
	}
}
