package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSwapped: somebody exchanges a directory for a link, out of the root
// directory and back in, all the time. The walk leads to where one of the two
// leads for a process with that root directory, and never outside.
func TestSwapped(t *testing.T) {
	outside, tree := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "sub/mark"), "outside")
	write(t, filepath.Join(tree, "a/sub/mark"), "inside")
	if err := errors.Join(
		os.Symlink("/leaked", filepath.Join(outside, "link")),
		os.Symlink("/found", filepath.Join(tree, "a/link")),
		os.Symlink(outside, filepath.Join(tree, "absolute")),
		os.Symlink(strings.Repeat("../", 40)+outside, filepath.Join(tree, "relative")),
	); err != nil {
		t.Fatal(err)
	}
	n := rooted(t, tree)
	for _, link := range []string{"absolute", "relative"} {
		swaps := swapping(t, filepath.Join(tree, "a"), filepath.Join(tree, link))
		seen := map[string]int{}
		const both = 2 // of the places where the directory and the link lead, by each way
		for i, began := 0, time.Now(); i < 3000 || len(seen) < 2*both && time.Since(began) < 20*time.Second; i++ {
			text, err := (Place{Root{Tree: tree}, "/a/sub"}).ReadFile("mark", 100)
			if string(text) != "inside" && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%s: read %q, %v", link, text, err)
			}
			at, err := n.Resolve("/a/link")
			if at.Path != "/found" && at.Path != outside+"/link" {
				t.Fatalf("%s: resolved to %q, %v", link, at.Path, err)
			}
			seen[string(text)]++
			seen[at.Path]++
		}
		if done := swaps(); len(seen) != 2*both {
			t.Errorf("%s: %d swaps, but only %v was met: this tests nothing", link, done, seen)
		}
	}
}

// swapping exchanges two names until the returned function is called, which
// says how often.
func swapping(t *testing.T, a, b string) func() int {
	t.Helper()
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		n := 0
		for !stop.Load() || n%2 == 1 { // in the end all is as it was
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				break
			}
			n++
		}
		done <- n
	}()
	return func() int {
		stop.Store(true)
		return <-done
	}
}

// FuzzWalk: for any tree of links, paths lead where they lead for the kernel.
// The tree is a list of "LINK TARGET" and "DIRECTORY/" lines.
func FuzzWalk(f *testing.F) {
	for _, seed := range [][2]string{
		{"a/b/\nc /a", "c/b/../b"}, {"a/\na/up ../..\nb a/up/a/up", "/b/b/a"}, {"x y\ny x", "x"}, {"a/\nd /no/../a", "/d"}, {"a/\nl a/./", "l/"},
		{"l ..//../x\nx/", "l"}, {"a/b/\nl a/b/..\nf /a/b/../../l/b", "f/."},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, tree, name string) {
		if len(tree) > 2000 || len(name) > 500 || name == "" || strings.ContainsRune(name, 0) {
			return
		}
		dir := t.TempDir()
		plant(dir, tree)
		root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(root)
		want, wantErr := inode(root, name, unix.O_DIRECTORY, unix.RESOLVE_IN_ROOT)
		d, err := Root{Tree: dir}.Dir(name)
		switch {
		case wantErr != nil:
			if !errors.Is(err, wantErr.(unix.Errno)) && !tooLong(err, wantErr) {
				t.Errorf("%q: Dir: %v, kernel: %v", name, err, wantErr)
			}
		case err != nil:
			t.Errorf("%q: Dir: %v", name, err)
		default:
			if got, err := inode(int(d.f.Fd()), ".", 0, 0); got != want || err != nil {
				t.Errorf("%q: Dir: inode %d, %v, kernel: %d", name, got, err, want)
			}
		}
		if err == nil {
			d.Close()
		}
		at, err := rooted(t, dir).Resolve(name)
		if want, wantErr := inode(root, name, 0, unix.RESOLVE_IN_ROOT); wantErr == nil {
			if got, gotErr := inode(root, strings.TrimPrefix(at.Path, "/")+"/.", 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS); at.Path != "/" && (got != want || gotErr != nil || err != nil) {
				t.Errorf("%q: Resolve: %q (inode %d, %v), %v, kernel: %d", name, at.Path, got, gotErr, err, want)
			}
		}
		if err == nil && at.Path != filepath.Clean("/"+at.Path) {
			t.Errorf("%q: Resolve: %q", name, at.Path)
		}
	})
}

// plant makes a tree. What cannot be made is left out.
func plant(dir, tree string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	for line := range strings.SplitSeq(tree, "\n") {
		if name, ok := strings.CutSuffix(line, "/"); ok && !strings.Contains(line, " ") {
			root.MkdirAll(name, 0o755)
			continue
		}
		if link, target, ok := strings.Cut(line, " "); ok && target != "" {
			root.Symlink(target, link)
		}
	}
}

// tooLong reports whether one of two errors says that a path is too long: the
// kernel counts bytes, and the walk directories.
func tooLong(a, b error) bool {
	return errors.Is(a, unix.ENAMETOOLONG) || errors.Is(b, unix.ENAMETOOLONG)
}

func inode(dir int, name string, flags, resolve uint64) (uint64, error) {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: resolve})
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Ino, err
}
