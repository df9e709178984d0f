package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const (
	swapDefault = "/var/swapfile"
	swapMost    = 2 << 30 // what "auto" takes at most
	page        = 4096    // of every machine that this runs on
)

// swapOn is swapon(8)'s command line for the options of fstab(5).
func swapOn(device string, options []string) []string {
	args := []string{"swapon"}
	if kept := slices.DeleteFunc(slices.Clone(options), func(o string) bool { return o == "sw" }); len(kept) > 0 {
		args = append(args, "-o", strings.Join(kept, ","))
	}
	return append(args, device)
}

// swap makes, resizes or removes the swap file and uses it.
func (s *setup) swap(ctx context.Context, c osconfig.Swap) error {
	path := c.Filename
	if path == "" {
		path = swapDefault
	}
	if c.Size == "" || c.Size == "0" {
		path = ""
	}
	if old := s.memory.Swap; old != "" && old != path {
		if err := s.dropSwap(ctx, old); err != nil {
			return fmt.Errorf("swap: %s stays: %w", old, err)
		}
	}
	if path == "" {
		return s.keepMemory()
	}
	if err := s.useSwap(ctx, path, c); err != nil {
		return fmt.Errorf("swap: %s: %w", path, err)
	}
	return s.keepMemory()
}

func (s *setup) useSwap(ctx context.Context, path string, c osconfig.Swap) error {
	if !filepath.IsAbs(path) || !onSharedMount(path) {
		return fmt.Errorf("not on a disk: it has to be below one of %s", strings.Join(osconfig.LastingDirectories(), ", "))
	}
	size, err := s.swapSize(path, c)
	if err != nil {
		return err
	}
	if exists(s.path(path)) && !isSwap(s.path(path)) && s.memory.Swap != path {
		return errors.New("there is a file of that name that is no swap file; remove it or choose another name")
	}
	active := s.swapIsOn(path)
	if info, err := os.Stat(s.path(path)); err == nil && isSwap(s.path(path)) && (info.Size() == size || c.Size == "auto" && s.memory.Swap == path) {
		if active {
			return nil
		}
		_, err := s.tool(ctx, "", "swapon", path)
		return err
	}
	if active {
		if _, err := s.tool(ctx, "", "swapoff", path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(s.path(path)), 0o755); err != nil {
		return err
	}
	if err := s.makeSwap(ctx, path, size); err != nil {
		return err
	}
	s.memory.Swap = path
	_, err = s.tool(ctx, "", "swapon", path)
	return err
}

// makeSwap makes the file under another name, so that there is never half of
// one under its own.
func (s *setup) makeSwap(ctx context.Context, path string, size int64) error {
	if err := os.Remove(s.path(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	next := path + ".new"
	err := s.allocate(s.path(next), size)
	if err == nil {
		_, err = s.tool(ctx, "", "mkswap", next)
	}
	if err == nil {
		err = os.Rename(s.path(next), s.path(path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(s.path(next)))
	}
	return nil
}

// allocate makes a file of blocks that are really there: swap files have no
// holes.
func (s *setup) allocate(path string, size int64) error {
	os.Remove(path) // of an earlier try
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return err
	}
	if (st.Type == unix.TMPFS_MAGIC || st.Type == unix.OVERLAYFS_SUPER_MAGIC) && s.Root == "/" {
		return errors.New("it would be in memory itself: there is no state disk")
	}
	if have := int64(st.Bavail) * st.Bsize; have < size {
		return fmt.Errorf("%d MiB are asked for, %d MiB are free", size>>20, have>>20)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = zeros(f, size)
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

func zeros(f *os.File, size int64) error {
	block := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(int64(len(block)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// swapSize is the configured size in bytes, whole pages.
func (s *setup) swapSize(path string, c osconfig.Swap) (int64, error) {
	if c.Size != "auto" {
		size, err := bytesOf(c.Size)
		if err != nil {
			return 0, err
		}
		if size < 10*page { // mkswap's least
			return 0, fmt.Errorf("size %s is too small", c.Size)
		}
		return size / page * page, nil
	}
	most := int64(swapMost)
	if c.MaxSize != "" {
		var err error
		if most, err = bytesOf(c.MaxSize); err != nil {
			return 0, err
		}
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(s.path(existing(s.Root, path)), &st); err != nil {
		return 0, err
	}
	free := int64(st.Bavail) * st.Bsize
	size := min(most, int64(swapMost), int64(info.Totalram)*int64(info.Unit), free/4)
	return size / page * page, nil
}

// existing is the closest directory above path that is there.
func existing(root, path string) string {
	dir := filepath.Dir(path)
	for dir != "/" && !exists(filepath.Join(root, dir)) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// bytesOf reads a number of bytes with K, M, G or T behind, which are powers
// of 1024.
func bytesOf(text string) (int64, error) {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text)), "B"), "I")
	shift := 0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("KMGT", number[n-1]); i >= 0 {
			number, shift = number[:n-1], 10*(i+1)
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 || f > float64(int64(1)<<(62-shift)) {
		return 0, fmt.Errorf("size %q is no number of bytes", text)
	}
	return int64(f * float64(int64(1)<<shift)), nil
}

// isSwap looks for mkswap's mark at the end of the first page.
func isSwap(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	mark := make([]byte, 10)
	_, err = f.ReadAt(mark, page-10)
	return (err == nil || err == io.EOF) && string(mark) == "SWAPSPACE2"
}

// swapIsOn looks into /proc/swaps.
func (s *setup) swapIsOn(path string) bool {
	text, err := os.ReadFile(s.path("/proc/swaps"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == escaped(path) {
			return true
		}
	}
	return false
}

func (s *setup) dropSwap(ctx context.Context, path string) error {
	if s.swapIsOn(path) {
		if _, err := s.tool(ctx, "", "swapoff", path); err != nil {
			return err
		}
	}
	s.memory.Swap = ""
	if err := os.Remove(s.path(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// escaped is a path as the kernel writes it in tables, see proc_pid_mountinfo(5).
func escaped(path string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(path)
}
