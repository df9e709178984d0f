// Package logging owns where the system's log lines go and how they are read
// back: the manager's own to the kernel's log and a ring, the units' from
// their files, the kernel's from /dev/kmsg, milestones to the consoles. It
// refuses to know what lines mean and to keep them for longer than memory is
// set aside for; the syslog service does that.
package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pharos-os/pharos/system/control/api"
)

// facility is LOG_DAEMON of syslog(3), shifted as in a priority.
const facility = 3 << 3

// maxRecord bounds a line in the kernel's log; the kernel cuts off what is
// longer than about 1000 bytes (PRINTKRB_RECORD_MAX less the prefix).
const maxRecord = 960

// Handler is a slog.Handler that writes each record as one line of text to
// the kernel's log, "<30>rosd[42]: component: message key=value", and to a
// ring. The attribute "component" becomes the prefix.
type Handler struct {
	kmsg      io.Writer
	ring      *Ring
	level     slog.Leveler
	tag       string
	component string
	prefix    string // of keys, from groups: "a.b."
	attrs     string // rendered already
}

// NewHandler writes to kmsg, as opened by OpenKmsg, and to ring; tag names
// the program.
func NewHandler(kmsg io.Writer, ring *Ring, level slog.Leveler, tag string) *Handler {
	return &Handler{kmsg: kmsg, ring: ring, level: level, tag: recordTag(tag)}
}

// recordTag is how this process's records begin in the kernel's log.
func recordTag(tag string) string { return fmt.Sprintf("%s[%d]: ", tag, os.Getpid()) }

// OpenKmsg opens the kernel's log for writing. One write is one record.
func OpenKmsg(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_WRONLY, 0)
}

// Enabled is slog's.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle is slog's. What cannot be written is dropped: there is nowhere to
// say it.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	var text bytes.Buffer
	if h.component != "" {
		text.WriteString(h.component + ": ")
	}
	text.WriteString(clean(r.Message))
	text.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		text.WriteString(render(h.prefix, a))
		return true
	})
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	h.ring.Add(api.LogLine{Time: at, Unit: h.ring.unit, Text: text.String()})
	record := fmt.Appendf(nil, "<%d>%s%s", facility|severity(r.Level), h.tag, text.Bytes())
	if len(record) > maxRecord {
		record = append(record[:maxRecord], "…"...)
	}
	_, err := h.kmsg.Write(append(record, '\n'))
	return err
}

// WithAttrs is slog's.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		if a.Key == "component" && h.prefix == "" {
			c.component = clean(a.Value.String())
			continue
		}
		c.attrs += render(h.prefix, a)
	}
	return &c
}

// WithGroup is slog's.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.prefix += name + "."
	return &c
}

// render is " key=value", or one for each of a group.
func render(prefix string, a slog.Attr) string {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return ""
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		var all strings.Builder
		for _, member := range v.Group() {
			all.WriteString(render(prefix, member))
		}
		return all.String()
	}
	text := v.String()
	switch {
	case v.Kind() == slog.KindTime:
		text = v.Time().Format(time.RFC3339Nano)
	case text == "" || strings.ContainsFunc(text, needsQuotes):
		text = strconv.Quote(text)
	}
	return " " + prefix + a.Key + "=" + text
}

func needsQuotes(r rune) bool {
	return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r)
}

// clean keeps a text on one line.
func clean(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// severity is the level as in syslog(3).
func severity(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	default:
		return 7
	}
}
