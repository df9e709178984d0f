package logging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

// Names of the logs that are no unit's.
const (
	System = "system"
	Kernel = "kernel"
)

// Options say where a Book's logs are.
type Options struct {
	System  *Ring        // the manager's own lines
	UnitDir string       // the units' files
	Kmsg    string       // "/dev/kmsg"
	Tag     string       // of the Handler that writes to System
	Log     *slog.Logger // what goes wrong with logs
}

// Book is every log of the machine, to be read together or one by one.
type Book struct {
	system *Ring
	units  *units
	tag    string
	log    *slog.Logger
	kernel func() (*os.File, error)
}

// NewBook is a book of o's logs.
func NewBook(o Options) *Book {
	return &Book{
		system: o.System,
		units:  newUnits(o.UnitDir, o.Log),
		tag:    recordTag(o.Tag),
		log:    o.Log,
		kernel: func() (*os.File, error) { return openKernel(o.Kmsg) },
	}
}

// Run follows the units' files and takes what other programs (PID 1 and an
// earlier manager above all) wrote to the kernel's log into the system's,
// until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.collect(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("kernel log not read", "error", err)
		}
	})
	err := b.units.run(ctx)
	wg.Wait()
	return err
}

// collect adds user space's lines in the kernel's log to the system's log.
func (b *Book) collect(ctx context.Context) error {
	c, err := b.kernelLines(System, func(r record) bool {
		return r.Facility != 0 && !strings.HasPrefix(r.Text, b.tag)
	})
	if err != nil {
		return err
	}
	defer c.close()
	for {
		lines, err := c.next(ctx, true)
		for _, l := range lines {
			b.system.Add(l)
		}
		if err != nil {
			return err
		}
	}
}

func (b *Book) kernelLines(unit string, want func(record) bool) (*kernelCursor, error) {
	f, err := b.kernel()
	if err != nil {
		return nil, fmt.Errorf("kernel log: %w", err)
	}
	return &kernelCursor{f: f, unit: unit, boot: bootTime(time.Now()), want: want}, nil
}

// cursor is a place in one log.
type cursor interface {
	// next returns the lines after the last one returned; without wait, those
	// that are there; with wait, at least one, or an error.
	next(ctx context.Context, wait bool) ([]api.LogLine, error)
	close() error
}

type ringCursor struct {
	ring *Ring
	at   uint64
}

func (c *ringCursor) next(ctx context.Context, wait bool) ([]api.LogLine, error) {
	for {
		lines, at, more := c.ring.from(c.at)
		c.at = at
		if len(lines) > 0 || !wait {
			return lines, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-more:
		}
	}
}

func (c *ringCursor) close() error { return nil }

// Logs hands the lines that q asks for to fn, in order of time, and with
// q.Follow goes on until ctx ends, which is no error.
func (b *Book) Logs(ctx context.Context, q api.LogQuery, fn func(api.LogLine) error) error {
	cursors, grown, err := b.cursors(q.Unit)
	defer func() {
		for _, c := range cursors {
			_ = c.close() // only read from
		}
	}()
	if err != nil {
		return err
	}
	var lines []api.LogLine
	for _, c := range cursors {
		some, err := c.next(ctx, false)
		if err != nil && !errors.Is(err, errEnd) {
			return err
		}
		lines = append(lines, some...)
	}
	slices.SortStableFunc(lines, func(a, b api.LogLine) int { return a.Time.Compare(b.Time) })
	for _, l := range tail(q, lines) {
		if err := fn(l); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	return b.follow(ctx, cursors, grown, fn)
}

// cursors are the logs that a query names, each at its beginning. For all of
// them, grown is closed when there is another unit.
func (b *Book) cursors(unit string) (cs []cursor, grown *growth, err error) {
	kernel := func() error {
		c, err := b.kernelLines(Kernel, func(r record) bool { return r.Facility == 0 })
		if err == nil {
			cs = append(cs, c)
		}
		return err
	}
	switch unit {
	case System:
		return []cursor{&ringCursor{ring: b.system}}, nil, nil
	case Kernel:
		err := kernel()
		return cs, nil, err
	case "":
		cs = append(cs, &ringCursor{ring: b.system})
		if err := kernel(); err != nil {
			b.log.Warn("logs shown without the kernel's", "error", err)
		}
		grown := &growth{units: b.units, known: map[string]bool{}}
		return append(cs, grown.fresh()...), grown, nil
	default:
		r := b.units.ring(unit)
		if r == nil {
			return nil, nil, fmt.Errorf("there is no log of %q: %w", unit, errdefs.ErrNotFound)
		}
		return []cursor{&ringCursor{ring: r}}, nil, nil
	}
}

// growth finds units that came after a query began.
type growth struct {
	units *units
	known map[string]bool
	more  <-chan struct{}
}

// fresh is a cursor for each unit that was not known.
func (g *growth) fresh() []cursor {
	rings, more := g.units.all()
	g.more = more
	var cs []cursor
	for name, r := range rings {
		if !g.known[name] {
			g.known[name] = true
			cs = append(cs, &ringCursor{ring: r})
		}
	}
	return cs
}

// follow hands on what comes in any of the cursors.
func (b *Book) follow(ctx context.Context, cursors []cursor, grown *growth, fn func(api.LogLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait() // before the cursors are closed
	defer cancel()
	lines := make(chan api.LogLine)
	pump := func(c cursor) {
		for {
			some, err := c.next(ctx, true)
			for _, l := range some {
				select {
				case lines <- l:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	for _, c := range cursors {
		wg.Go(func() { pump(c) })
	}
	if grown == nil {
		grown = &growth{} // a nil channel never grows
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-lines:
			if err := fn(l); err != nil {
				return err
			}
		case <-grown.more:
			for _, c := range grown.fresh() {
				wg.Go(func() { pump(c) })
			}
		}
	}
}
