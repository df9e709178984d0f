package logging

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
)

func texts(lines []api.LogLine) []string {
	var ts []string
	for _, l := range lines {
		ts = append(ts, l.Text)
	}
	return ts
}

func TestRingIsBounded(t *testing.T) {
	r := NewRing("x", 10*(lineOverhead+1))
	for range 1000 {
		r.Add(api.LogLine{Text: "a"})
	}
	lines, next, _ := r.from(0)
	if len(lines) != 10 || next != 1000 {
		t.Errorf("%d lines, next %d", len(lines), next)
	}
	// A line bigger than the ring is still there: alone.
	r.Add(api.LogLine{Text: strings.Repeat("b", 10000)})
	if lines, _, _ := r.from(0); len(lines) != 1 {
		t.Errorf("%d lines", len(lines))
	}
}

func TestRingFrom(t *testing.T) {
	r := NewRing("x", 1<<10)
	_, next, more := r.from(0)
	select {
	case <-more:
		t.Fatal("more without a line")
	default:
	}
	r.Add(api.LogLine{Text: "1"})
	r.Add(api.LogLine{Text: "2"})
	<-more
	lines, next, _ := r.from(next)
	if diff := cmp.Diff([]string{"1", "2"}, texts(lines)); diff != "" {
		t.Error(diff)
	}
	if lines, _, _ := r.from(next); len(lines) != 0 {
		t.Errorf("read twice: %v", lines)
	}
}

func TestTail(t *testing.T) {
	at := time.Unix(1000, 0)
	var lines []api.LogLine
	for i, text := range []string{"a", "b", "c", "d"} {
		lines = append(lines, api.LogLine{Time: at.Add(time.Duration(i) * time.Second), Text: text})
	}
	for name, tc := range map[string]struct {
		q    api.LogQuery
		want []string
	}{
		"all":   {api.LogQuery{Lines: -1}, []string{"a", "b", "c", "d"}},
		"none":  {api.LogQuery{Lines: 0}, nil},
		"last":  {api.LogQuery{Lines: 2}, []string{"c", "d"}},
		"more":  {api.LogQuery{Lines: 9}, []string{"a", "b", "c", "d"}},
		"since": {api.LogQuery{Lines: -1, Since: at.Add(time.Second)}, []string{"b", "c", "d"}},
		"both":  {api.LogQuery{Lines: 1, Since: at}, []string{"d"}},
		"newer": {api.LogQuery{Lines: 1, Since: at.Add(time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, texts(tail(tc.q, lines))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
