// Package kmsg owns how PID 1 speaks before there is anything else to speak
// to: lines in the kernel's log, which the kernel shows on the consoles. It
// refuses files, buffers and levels beyond the kernel's.
package kmsg

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Priorities of the kernel's log that are used, see syslog(2). With loglevel=4
// Error is what reaches the consoles.
const (
	Error   = 3
	Warning = 4
	Info    = 6
	Debug   = 7
)

// maxLine is what the kernel takes as one record: PRINTKRB_RECORD_MAX, 1024,
// less the prefix.
const maxLine = 960

// Open opens the kernel's log for writing.
func Open() (*os.File, error) { return os.OpenFile("/dev/kmsg", os.O_WRONLY, 0) }

// Line writes one record.
func Line(w io.Writer, priority int, tag, text string) {
	if len(text) > maxLine {
		text = text[:maxLine]
	}
	fmt.Fprintf(w, "<%d>%s: %s\n", priority, tag, text)
}

// Handler is a slog.Handler that writes records "TAG: message key=value".
type Handler struct {
	w     io.Writer
	tag   string
	attrs string // " key=value" of With, rendered
}

// NewLogger logs to w, the opened kernel log.
func NewLogger(w io.Writer, tag string) *slog.Logger { return slog.New(&Handler{w: w, tag: tag}) }

// Enabled is true from Info on.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle writes the record in one write(2): the kernel makes it one line.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	text := strings.Builder{}
	text.WriteString(r.Message)
	text.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		text.WriteString(render(a))
		return true
	})
	priority := Info
	switch {
	case r.Level >= slog.LevelError:
		priority = Error
	case r.Level >= slog.LevelWarn:
		priority = Warning
	}
	Line(h.w, priority, h.tag, text.String())
	return nil
}

// WithAttrs keeps the attributes for every later record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs += render(a)
	}
	return &c
}

// WithGroup is not needed here: names stay flat.
func (h *Handler) WithGroup(string) slog.Handler { return h }

func render(a slog.Attr) string {
	v := strings.ReplaceAll(a.Value.Resolve().String(), "\n", "; ")
	if strings.ContainsAny(v, " ;\"") {
		v = fmt.Sprintf("%q", v)
	}
	return " " + a.Key + "=" + v
}
