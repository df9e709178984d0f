package beneath

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// within fails the test when do does not return: what is tested here must
// never wait for somebody else.
func within(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not return")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// planted is a directory with all that somebody can leave in it.
func planted(t *testing.T) string {
	t.Helper()
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "12345678")
	write(t, filepath.Join(dir, "sub/file"), "below")
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if err := errors.Join(
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		os.Symlink("file", filepath.Join(dir, "link")),
		os.Symlink("sub", filepath.Join(dir, "linked")),
		os.Symlink(outside, filepath.Join(dir, "out")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "secret")),
		os.Symlink("/dev/zero", filepath.Join(dir, "zero")),
		os.Truncate(filepath.Join(dir, "file"), 8),
		os.WriteFile(filepath.Join(dir, "huge"), nil, 0o600),
		os.Truncate(filepath.Join(dir, "huge"), 1<<40), // a hole
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadFile(t *testing.T) {
	dir := planted(t)
	for name, want := range map[string]string{"file": "12345678", "sub/file": "below", "sub/../file": "12345678"} {
		if text, err := ReadFile(dir, name, 8); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for name, want := range map[string]error{
		"nothing": fs.ErrNotExist, "link": unix.ELOOP, "linked/file": unix.ELOOP, "out/secret": unix.ELOOP, "secret": unix.ELOOP, "zero": unix.ELOOP,
		"fifo": ErrNotRegular, "socket": ErrNotRegular, "sub": ErrNotRegular, "file/x": unix.ENOTDIR,
		"../x": unix.EXDEV, "/etc/passwd": unix.EXDEV, "huge": ErrTooLarge,
	} {
		within(t, func() {
			if text, err := ReadFile(dir, name, 8); !errors.Is(err, want) || text != nil {
				t.Errorf("%s: %q, %v; want %v", name, text, err, want)
			}
		})
	}
	if _, err := ReadFile(dir, "file", 7); !errors.Is(err, ErrTooLarge) {
		t.Errorf("8 bytes of 7: %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "no"), "file", 7); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// The root itself may be reached by a link: its path is trusted.
	if text, err := ReadFile(filepath.Join(dir, "linked"), "file", 8); err != nil || string(text) != "below" {
		t.Errorf("%q, %v", text, err)
	}
}

// A device is not opened: that alone may do something.
func TestRootReadDevice(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mknod(filepath.Join(dir, "zero"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))); err != nil {
		t.Skipf("needs root to make a device node: %v", err)
	}
	within(t, func() {
		if _, err := ReadFile(dir, "zero", 8); !errors.Is(err, ErrNotRegular) {
			t.Error(err)
		}
	})
}

// The holder of a lease may take its time to give it back.
func TestReadLeased(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	f, err := os.OpenFile(filepath.Join(dir, "file"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("the file system has no leases: %v", err)
	}
	began := time.Now()
	if _, err := ReadFile(dir, "file", 8); !errors.Is(err, unix.EAGAIN) {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("after %s", took)
	}
}

func TestDir(t *testing.T) {
	path := planted(t)
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, want := range map[string]bool{"file": true, "sub/file": true, "fifo": true, "zero": true, "no": false, "sub/no": false} {
		if has, err := d.Has(name); has != want || err != nil {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
	if _, err := d.Has("out/secret"); err == nil {
		t.Error("a link is followed")
	}
	names, err := d.Names(".", 100)
	if slices.Sort(names); err != nil || len(names) != 10 || names[0] != "fifo" {
		t.Errorf("%q, %v", names, err)
	}
	if names, err = d.Names(".", 3); err != nil || len(names) != 3 {
		t.Errorf("%q, %v", names, err)
	}
	if names, err = d.Names("linked", 3); err == nil {
		t.Errorf("a link is followed: %q", names)
	}
}

func TestCopy(t *testing.T) {
	dir := planted(t)
	if err := os.Remove(filepath.Join(dir, "huge")); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	to := filepath.Join(t.TempDir(), "copy")
	within(t, func() { err = d.Copy(to, 13) })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		info, errInfo := e.Info()
		got = append(got, strings.TrimPrefix(path, to)+" "+info.Mode().String())
		return errors.Join(err, errInfo)
	})
	if want := []string{" drwx------", "/file -rw-------", "/sub drwx------", "/sub/file -rw-------"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "sub/file")); string(text) != "below" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// What would fill the disk is refused.
func TestCopyTooMuch(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"bytes": func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte("12345678"), 0o600) },
		"a hole": func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "a"), nil, 0o600), os.Truncate(filepath.Join(dir, "a"), 1<<40))
		},
		"depth": func(dir string) error { return os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 100)), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := make(dir); err != nil {
				t.Fatal(err)
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := d.Copy(filepath.Join(t.TempDir(), "copy"), 7); !errors.Is(err, ErrTooLarge) {
				t.Error(err)
			}
		})
	}
}
