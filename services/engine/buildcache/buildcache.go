// Package buildcache decides whether the build cache that dockerd finds at its
// start may be used. BuildKit notes what it has before the kernel has written all
// of it: after a power cut the cache may name files that are not there, or not
// whole. The package owns a mark in BuildKit's folder,
// from the start of dockerd to its ordered end, and lets builds wait until the
// cache may be used. It refuses to know how the cache is emptied;
// scripts/dockerd-mod calls it from dockerd.
package buildcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/atomicfile"
)

// errEnding is the error of Usable once Close has begun.
var errEnding = errors.New("build cache: dockerd is ending")

// mark is a file in BuildKit's folder: the ID of the boot in which a dockerd has
// opened the cache and not closed it.
const mark = "open-since-boot"

// Cache is the build cache in a folder of BuildKit's.
type Cache struct {
	dir, boot string
	empty     func(context.Context) error
	ending    context.Context // ends with Close; it ends what every Usable does
	stop      context.CancelFunc
	turn      chan struct{} // full while somebody has the cache to himself
	// Who has the turn reads and writes these.
	usable, closed bool
}

// New returns the cache in dir and begins to make it usable, which may take
// minutes: dockerd answers meanwhile, and only builds wait. failed is told why
// the cache is not usable.
func New(ctx context.Context, dir string, empty func(context.Context) error, failed func(error)) (*Cache, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("build cache: %w", err)
	}
	return begin(ctx, dir, strings.TrimSpace(string(boot)), empty, failed), nil
}

func begin(ctx context.Context, dir, boot string, empty func(context.Context) error, failed func(error)) *Cache {
	ctx, stop := context.WithCancel(ctx)
	c := &Cache{dir: dir, boot: boot, empty: empty, ending: ctx, stop: stop, turn: make(chan struct{}, 1)}
	go func() {
		if err := c.Usable(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}()
	return c
}

// Usable returns when builds may use the cache. It empties the cache first when
// another boot has opened it and never closed it. A dockerd that was killed
// leaves the mark of this boot: the kernel still has what it wrote. After an
// error the next call tries again. Close ends a call that has not returned.
func (c *Cache) Usable(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ending, cancel)()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		if c.ending.Err() != nil {
			return errEnding
		}
		return fmt.Errorf("build cache: wait until it is emptied after a power cut: %w", context.Cause(ctx))
	}
	defer func() { <-c.turn }()
	if c.closed {
		return errEnding
	}
	if c.usable {
		return nil
	}
	if err := c.open(ctx); err != nil {
		return err
	}
	c.usable = true
	return nil
}

// open marks the cache as open in this boot.
func (c *Cache) open(ctx context.Context) error {
	name := filepath.Join(c.dir, mark)
	last, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("build cache: %w", err)
	}
	if err == nil && string(last) != c.boot {
		if err := c.empty(ctx); err != nil {
			return fmt.Errorf("empty the build cache after a power cut: %w; `docker builder prune -af` empties it", err)
		}
	}
	if err := atomicfile.WriteFile(name, []byte(c.boot), 0o600); err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	return nil
}

// Close ends what is being emptied and closes BuildKit with shut. Then it writes
// what the kernel still holds of the cache to the disk and takes the mark away.
// The mark of a cache that is not usable stays.
func (c *Cache) Close(shut func() error) error {
	c.stop()
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.closed = true
	if err := shut(); err != nil || !c.usable {
		return err
	}
	f, err := os.Open(c.dir)
	if err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("build cache: syncfs %s: %w", c.dir, err)
	}
	if err := atomicfile.Remove(filepath.Join(c.dir, mark)); err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	return nil
}
