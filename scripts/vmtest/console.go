package vmtest

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Console collects what a guest writes to its serial port, without terminal
// control sequences, and lets several readers wait for patterns in it.
type Console struct {
	out io.Writer // the log file
	in  io.Writer // the guest's keyboard

	mu      sync.Mutex
	text    []byte
	strip   stripper
	changed chan struct{} // closed and replaced at every change
	closed  bool
}

// NewConsole returns a console that copies its text to log and types into keyboard.
func NewConsole(log, keyboard io.Writer) *Console {
	return &Console{out: log, in: keyboard, changed: make(chan struct{})}
}

// Run reads r to its end; it returns when the guest's serial port is gone.
func (c *Console) Run(r io.Reader) error {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		c.add(buf[:n])
		if err != nil {
			c.close()
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("serial console: %w", err)
		}
	}
}

func (c *Console) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clean := c.strip.clean(p)
	c.text = append(c.text, clean...)
	// A log that cannot be written shows in the tests that read it.
	_, _ = c.out.Write(clean)
	c.wake()
}

func (c *Console) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake()
}

func (c *Console) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Text returns everything so far.
func (c *Console) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// Mark returns the present end of the text, for WaitFrom.
func (c *Console) Mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.text)
}

// Wait blocks until the text matches re anywhere and returns the match and its
// groups. It fails when ctx ends or when the console closes without a match.
func (c *Console) Wait(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	return c.WaitFrom(ctx, 0, re)
}

// WaitFrom is Wait for what came after mark.
func (c *Console) WaitFrom(ctx context.Context, mark int, re *regexp.Regexp) ([]string, error) {
	start := time.Now()
	for {
		c.mu.Lock()
		m := re.FindSubmatch(c.text[mark:])
		closed, changed := c.closed, c.changed
		tail := lastLines(string(c.text), 5)
		c.mu.Unlock()
		switch {
		case m != nil:
			return texts(m), nil
		case closed:
			return nil, fmt.Errorf("console closed before %q; last lines:\n%s", re, tail)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("console did not show %q within %.0f s: %w; last lines:\n%s",
				re, time.Since(start).Seconds(), context.Cause(ctx), tail)
		}
	}
}

// Type sends s to the guest's keyboard.
func (c *Console) Type(s string) error {
	if _, err := io.WriteString(c.in, s); err != nil {
		return fmt.Errorf("serial console: %w", err)
	}
	return nil
}

func texts(m [][]byte) []string {
	s := make([]string, len(m))
	for i, b := range m {
		s[i] = string(b)
	}
	return s
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// stripper removes ECMA-48 control sequences and carriage returns from a
// stream that arrives in pieces.
type stripper struct{ state stripState }

type stripState int

const (
	plain   stripState = iota
	escape             // after ESC
	csi                // in ESC [ … final byte 0x40–0x7e
	osc                // in ESC ] … BEL or ESC \
	oscEsc             // ESC inside osc
	charset            // after ESC ( and the like: one byte follows
)

func (s *stripper) clean(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		switch s.state {
		case plain:
			switch {
			case b == 0x1b:
				s.state = escape
			case b == '\r', b == 0, b == 0x07:
			default:
				out = append(out, b)
			}
		case escape:
			switch b {
			case '[':
				s.state = csi
			case ']', 'P', '_', '^', 'X':
				s.state = osc
			case '(', ')', '*', '+', '#', '%', ' ':
				s.state = charset
			default:
				s.state = plain
			}
		case csi:
			if b >= 0x40 && b <= 0x7e {
				s.state = plain
			}
		case osc:
			switch b {
			case 0x07:
				s.state = plain
			case 0x1b:
				s.state = oscEsc
			}
		case oscEsc, charset:
			s.state = plain
		}
	}
	return out
}
