package hooks

import (
	"log/slog"
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	var b strings.Builder
	o := &output{log: slog.New(slog.NewTextHandler(&b, nil))}
	for _, s := range []string{"on", "e\n\ntwo\r\n", "three\nfo", "ur"} {
		if n, err := o.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	o.close()
	for _, want := range []string{"line=one\n", "line=two\n", "line=three\n", "line=four\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	if n := strings.Count(b.String(), "\n"); n != 4 || o.last != "four" {
		t.Errorf("%d lines, the last %q:\n%s", n, o.last, b.String())
	}

	b.Reset()
	o = &output{log: o.log}
	long := []byte(strings.Repeat("x", 3000))
	for range 100 {
		_, _ = o.Write(long)
	}
	_, _ = o.Write([]byte("\nthe end\n"))
	o.close()
	if n := b.Len(); n < maxOutput || n > 2*maxOutput {
		t.Errorf("%d bytes logged of 300 kB", n)
	}
	if strings.Count(b.String(), "the rest is left out") != 1 || o.last != "the end" || len(o.rest) > maxLine {
		t.Errorf("the end: %q, %d bytes kept", o.last, len(o.rest))
	}
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add([]byte("\r\n\xff\n"), 2)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		o := &output{log: slog.New(slog.DiscardHandler)}
		for step = max(step, 1); len(data) > 0; data = data[min(step, len(data)):] {
			_, _ = o.Write(data[:min(step, len(data))])
			if len(o.rest) > maxLine {
				t.Fatalf("%d bytes kept", len(o.rest))
			}
		}
		o.close()
	})
}
