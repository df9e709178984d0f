package beneath

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Limits of Copy besides the size.
const (
	maxEntries = 100_000
	maxNesting = 64
)

// Copy copies the directories and regular files below the directory to a new
// directory, with permissions for the owner alone. Everything else is left
// out. A file that grows meanwhile is copied up to the size that it had. It
// fails with ErrTooLarge when there are more than max bytes; an error leaves a
// part of the copy there.
func (d *Dir) Copy(to string, max int64) error {
	c := copying{bytes: max, entries: maxEntries}
	return c.dir(d, to, maxNesting)
}

// copying is what a copy may still take.
type copying struct {
	bytes   int64
	entries int
}

func (c *copying) dir(from *Dir, to string, nesting int) error {
	if nesting == 0 {
		return fmt.Errorf("%s: %w: more than %d directories deep", from.Name(), ErrTooLarge, maxNesting)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	const batch = 1024 // names: somebody may have made millions
	for {
		names, err := from.f.Readdirnames(batch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := c.entry(from, name, to, nesting); err != nil {
				return err
			}
		}
	}
}

func (c *copying) entry(from *Dir, name, to string, nesting int) error {
	if c.entries--; c.entries < 0 {
		return fmt.Errorf("%s: %w: more than %d files", from.Name(), ErrTooLarge, maxEntries)
	}
	target := filepath.Join(to, name)
	sub, err := from.dir(name)
	switch {
	case err == nil:
		defer sub.Close()
		return c.dir(sub, target, nesting-1)
	case errors.Is(err, unix.ELOOP): // a link
		return nil
	case !errors.Is(err, unix.ENOTDIR):
		return err
	}
	if err := c.file(from, name, target); !errors.Is(err, ErrNotRegular) {
		return err
	}
	return nil
}

func (c *copying) file(from *Dir, name, to string) error {
	in, size, err := from.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if c.bytes -= size; c.bytes < 0 {
		return fmt.Errorf("%s: %w", in.Name(), ErrTooLarge)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, size))
	return errors.Join(err, out.Sync(), out.Close())
}

// Copy copies what is in the place; see Dir.Copy.
func (p Place) Copy(to string, max int64) error {
	d, err := p.Open()
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Copy(to, max)
}
