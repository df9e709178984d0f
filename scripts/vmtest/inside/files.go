package inside

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func text(c Check) error {
	got, err := os.ReadFile(c.Path)
	if err != nil {
		return explain(err)
	}
	if s := strings.Join(strings.Fields(string(got)), " "); s != c.Want {
		return fmt.Errorf("holds %q, want %q", clip(s), c.Want)
	}
	return nil
}

func contains(c Check) error {
	got, err := os.ReadFile(c.Path)
	if err != nil {
		return explain(err)
	}
	if !strings.Contains(string(got), c.Want) {
		return fmt.Errorf("does not contain %q: %q", c.Want, clip(string(got)))
	}
	return nil
}

func sees(_ context.Context, c Check) error { return contains(c) }

func hash(c Check) error {
	got, err := os.ReadFile(c.Path)
	if err != nil {
		return explain(err)
	}
	sum := sha256.Sum256(got)
	if s := hex.EncodeToString(sum[:]); s != c.Want {
		return fmt.Errorf("the file differs from the machine's: it has %d bytes, %q", len(got), clip(string(got)))
	}
	return nil
}

func atLeast(c Check) error {
	raw, err := os.ReadFile(c.Path)
	if err != nil {
		return explain(err)
	}
	got, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return err
	}
	want, err := strconv.ParseInt(c.Want, 10, 64)
	if err != nil {
		return err
	}
	if got < want {
		return fmt.Errorf("is %d, want at least %d", got, want)
	}
	return nil
}

func mode(c Check) error {
	st, err := os.Stat(c.Path)
	if err != nil {
		return explain(err)
	}
	if got := fmt.Sprintf("%04o", st.Mode().Perm()); got != c.Want {
		return fmt.Errorf("has the permissions %s, want %s", got, c.Want)
	}
	return nil
}

func filled(c Check) error {
	list, err := os.ReadDir(c.Path)
	if err != nil {
		return explain(err)
	}
	if len(list) == 0 {
		return errors.New("the directory is empty")
	}
	return nil
}

func directory(c Check) error {
	st, err := os.Stat(c.Path)
	if err != nil {
		return explain(err)
	}
	if !st.IsDir() {
		return fmt.Errorf("is %s, not a directory", st.Mode().Type())
	}
	return nil
}

func writes(c Check) error {
	f, err := os.OpenFile(c.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintln(f, c.Want)
	return errors.Join(err, f.Close())
}

// readOnly asks the mount, and tries.
func readOnly(c Check) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(c.Path, &fs); err != nil {
		return err
	}
	if fs.Flags&unix.ST_RDONLY == 0 {
		return errors.New("is not mounted read-only")
	}
	path, flags := c.Path, os.O_WRONLY
	if st, err := os.Stat(c.Path); err == nil && st.IsDir() {
		path, flags = filepath.Join(c.Path, "must-not-exist"), os.O_WRONLY|os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err == nil {
		return errors.Join(errors.New("can be written"), f.Close())
	}
	return nil
}

func device(c Check) error {
	st, err := os.Stat(c.Path)
	if err != nil {
		return explain(err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	kind := "b"
	if st.Mode()&os.ModeCharDevice != 0 {
		kind = "c"
	}
	if !ok || st.Mode()&os.ModeDevice == 0 {
		return fmt.Errorf("is %s, not a device", st.Mode())
	}
	if got := fmt.Sprintf("%s %d:%d", kind, unix.Major(sys.Rdev), unix.Minor(sys.Rdev)); got != c.Want {
		return fmt.Errorf("is the device %s, want %s", got, c.Want)
	}
	fd, err := unix.Open(c.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return unix.Close(fd)
}

// ownLog knows the container by its host name, which Docker makes of its ID.
func ownLog(_ context.Context, c Check) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	pattern := filepath.Join(c.Path, name+"*", "*-json.log")
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%d files match %s", len(files), pattern)
	}
	return contains(Check{Path: files[0], Want: c.Want})
}

// explain says what is there instead of a file.
func explain(err error) error {
	var p *os.PathError
	if !errors.As(err, &p) || !errors.Is(err, syscall.EISDIR) {
		return err
	}
	list, err := os.ReadDir(p.Path)
	if err != nil {
		return err
	}
	return fmt.Errorf("is a directory with %d entries, not a file", len(list))
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
