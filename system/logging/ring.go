package logging

import (
	"sync"

	"github.com/pharos-os/pharos/system/control/api"
)

// lineOverhead is what a kept line costs besides its text: two strings'
// headers and a time.
const lineOverhead = 64

// Ring keeps the newest lines of one unit, as many as fit in a number of
// bytes, and tells followers of new ones. It is safe for concurrent use.
type Ring struct {
	unit  string
	bytes int

	mu    sync.Mutex
	lines []api.LogLine
	used  int
	first uint64        // number of lines[0]; numbers are never used again
	more  chan struct{} // closed and replaced when a line comes
}

// NewRing is an empty ring of unit that keeps bytes.
func NewRing(unit string, bytes int) *Ring {
	return &Ring{unit: unit, bytes: bytes, more: make(chan struct{})}
}

// Add keeps a line and drops the oldest ones that no longer fit.
func (r *Ring) Add(l api.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	r.used += len(l.Text) + lineOverhead
	drop := 0
	for r.used > r.bytes && drop < len(r.lines)-1 {
		r.used -= len(r.lines[drop].Text) + lineOverhead
		drop++
	}
	// append moves to a fresh array now and then, which frees the dropped
	// ones; until then their texts must not be held.
	clear(r.lines[:drop])
	r.lines = r.lines[drop:]
	r.first += uint64(drop)
	close(r.more)
	r.more = make(chan struct{})
}

// from returns the lines kept from number next on, the number after the last
// one, and what is closed when there is another.
func (r *Ring) from(next uint64) ([]api.LogLine, uint64, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := r.first + uint64(len(r.lines))
	if next < r.first {
		next = r.first
	}
	if next >= end {
		return nil, end, r.more
	}
	return append([]api.LogLine(nil), r.lines[next-r.first:]...), end, r.more
}

// tail is the part of lines that q asks for.
func tail(q api.LogQuery, lines []api.LogLine) []api.LogLine {
	if !q.Since.IsZero() {
		for len(lines) > 0 && lines[0].Time.Before(q.Since) {
			lines = lines[1:]
		}
	}
	if q.Lines >= 0 && len(lines) > q.Lines {
		lines = lines[len(lines)-q.Lines:]
	}
	return lines
}
