package supervise

import (
	"context"
	"fmt"
	"sync"
)

// Gate is a Condition that somebody opens and may close again.
type Gate struct {
	text string

	mu   sync.Mutex
	ch   chan struct{} // closed while the gate is open
	open bool
}

// NewGate returns a closed gate; text completes "waits for …".
func NewGate(text string) *Gate {
	return &Gate{text: text, ch: make(chan struct{})}
}

// Open lets everybody through, now and until Close.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		g.open = true
		close(g.ch)
	}
}

// Close makes later callers of Wait wait again.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		g.open = false
		g.ch = make(chan struct{})
	}
}

// IsOpen reports whether Wait would return at once.
func (g *Gate) IsOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Wait blocks until the gate is open.
func (g *Gate) Wait(ctx context.Context) error {
	g.mu.Lock()
	ch := g.ch
	g.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", g.text, context.Cause(ctx))
	}
}

func (g *Gate) String() string { return g.text }
