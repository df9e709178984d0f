// Package buildcache decides whether the build cache that dockerd finds at its
// start may be used. BuildKit notes what it has before the kernel has written all
// of it: after a power cut the cache may name files that are not there, or not
// whole. The package owns a mark in BuildKit's folder,
// from the start of dockerd to its ordered end. It refuses to know how the cache
// is emptied; scripts/dockerd-mod calls it from dockerd.
package buildcache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/atomicfile"
)

// mark is a file in BuildKit's folder: the ID of the boot in which a dockerd has
// opened the cache and not closed it.
const mark = "open-since-boot"

// Open marks the cache in dir as open in this boot. It calls empty first when
// another boot has opened it and never closed it. A dockerd that was killed
// leaves the mark of this boot: the kernel still has what it wrote.
func Open(dir string, empty func() error) error {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	return open(dir, strings.TrimSpace(string(boot)), empty)
}

func open(dir, boot string, empty func() error) error {
	name := filepath.Join(dir, mark)
	last, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("build cache: %w", err)
	}
	if err == nil && string(last) != boot {
		if err := empty(); err != nil {
			return fmt.Errorf("empty the build cache after a power cut: %w; `docker builder prune -af` empties it", err)
		}
	}
	if err := atomicfile.WriteFile(name, []byte(boot), 0o600); err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	return nil
}

// Close writes what the kernel still holds of the cache in dir to the disk, and
// takes the mark away.
func Close(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("build cache: syncfs %s: %w", dir, err)
	}
	if err := atomicfile.Remove(filepath.Join(dir, mark)); err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	return nil
}
