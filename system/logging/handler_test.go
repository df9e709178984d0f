package logging

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHandlerLine(t *testing.T) {
	for name, tc := range map[string]struct {
		log  func(*slog.Logger)
		want string
	}{
		"plain":     {func(l *slog.Logger) { l.Info("started") }, "<30>TAGstarted"},
		"component": {func(l *slog.Logger) { l.With("component", "net").Warn("slow") }, "<28>TAGnet: slow"},
		"attributes": {func(l *slog.Logger) {
			l.With("unit", "udev").Error("ended", "code", 1, "error", fmt.Errorf("exit status 1"), "after", 2*time.Second)
		}, `<27>TAGended unit=udev code=1 error="exit status 1" after=2s`},
		"groups":     {func(l *slog.Logger) { l.WithGroup("a").With("b", 1).Info("m", slog.Group("c", "d", "")) }, `<30>TAGm a.b=1 a.c.d=""`},
		"one line":   {func(l *slog.Logger) { l.Info("two\nlines", "v", "x\ny") }, `<30>TAGtwo lines v="x\ny"`},
		"debug":      {func(l *slog.Logger) { l.Debug("not this") }, ""},
		"time":       {func(l *slog.Logger) { l.Info("m", "at", time.Unix(0, 0).UTC()) }, `<30>TAGm at=1970-01-01T00:00:00Z`},
		"log valuer": {func(l *slog.Logger) { l.Info("m", "v", secret{}) }, `<30>TAGm v=hidden`},
	} {
		t.Run(name, func(t *testing.T) {
			var kmsg bytes.Buffer
			ring := NewRing(System, 1<<10)
			tc.log(slog.New(NewHandler(&kmsg, ring, slog.LevelInfo, "rosd")))
			tag := fmt.Sprintf("rosd[%d]: ", os.Getpid())
			want := strings.Replace(tc.want, "TAG", tag, 1)
			if want != "" {
				want += "\n"
			}
			if diff := cmp.Diff(want, kmsg.String()); diff != "" {
				t.Error(diff)
			}
			lines, _, _ := ring.from(0)
			if want == "" {
				if len(lines) != 0 {
					t.Errorf("ring has %v", lines)
				}
				return
			}
			_, text, _ := strings.Cut(want, tag)
			if lines[0].Text != strings.TrimSpace(text) || lines[0].Unit != System || lines[0].Time.IsZero() {
				t.Errorf("ring has %+v", lines[0])
			}
		})
	}
}

type secret struct{}

func (secret) LogValue() slog.Value { return slog.StringValue("hidden") }

func TestHandlerLongRecord(t *testing.T) {
	var kmsg bytes.Buffer
	ring := NewRing(System, 1<<20)
	slog.New(NewHandler(&kmsg, ring, slog.LevelInfo, "rosd")).Info(strings.Repeat("x", 5000))
	if kmsg.Len() > 1000 {
		t.Errorf("record of %d bytes", kmsg.Len())
	}
	if lines, _, _ := ring.from(0); len(lines[0].Text) != 5000 {
		t.Errorf("ring keeps %d bytes", len(lines[0].Text))
	}
}
