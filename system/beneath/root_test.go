package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newRoot is a root of a tree and of a machine's directories /srv and
// /usr/local on it. Each directory has a file "mark" with its own path.
func newRoot(t *testing.T) (r Root, tree, machine string) {
	t.Helper()
	tree, machine = t.TempDir(), t.TempDir()
	for _, dir := range []string{"data/docker", "srv", "usr/local/lib", "usr/bin"} {
		write(t, filepath.Join(tree, dir, "mark"), "tree /"+dir)
	}
	for _, dir := range []string{"srv/docker", "srv", "local/lib", "etc"} {
		write(t, filepath.Join(machine, dir, "mark"), "machine /"+dir)
	}
	return Root{Tree: tree, Mounts: map[string]string{"/srv": filepath.Join(machine, "srv"), "/usr/local": filepath.Join(machine, "local")}}, tree, machine
}

func TestResolve(t *testing.T) {
	r, tree, machine := newRoot(t)
	link := func(target, at string) {
		t.Helper()
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
	}
	link("/srv/docker", filepath.Join(tree, "abroad"))
	link("../../data", filepath.Join(machine, "srv/home")) // from the machine's directory to the tree's
	link("/usr/local", filepath.Join(machine, "srv/local"))
	link(strings.Repeat("../", 20)+"data", filepath.Join(tree, "usr/up"))
	link("loop", filepath.Join(tree, "loop"))
	link("/etc", filepath.Join(tree, "etc"))
	link(machine, filepath.Join(tree, "outside"))
	write(t, filepath.Join(tree, "file"), "")
	for path, want := range map[string]string{
		"/data/docker": "tree /data/docker", "data/docker/": "tree /data/docker", "/usr/bin": "tree /usr/bin",
		"/srv": "machine /srv", "/srv/docker": "machine /srv/docker", "/usr/local/lib": "machine /local/lib", "/usr/../srv/./docker": "machine /srv/docker",
		"/abroad": "machine /srv/docker", "/abroad/..": "machine /srv", "/srv/home/docker": "tree /data/docker", "/srv/local/lib": "machine /local/lib",
		"/usr/up/docker": "tree /data/docker", "/../../data/docker": "tree /data/docker",
	} {
		p := Place{r, path}
		if text, err := p.ReadFile("mark", 100); string(text) != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", path, text, err, want)
		}
		if has, err := p.Has("mark"); !has || err != nil {
			t.Errorf("%s: %v, %v", path, has, err)
		}
	}
	for path, want := range map[string]error{
		"/nothing": fs.ErrNotExist, "/loop": unix.ELOOP, "/etc": unix.ELOOP, "/outside/etc": fs.ErrNotExist, "/file": unix.ENOTDIR,
		strings.Repeat("/"+strings.Repeat("x", 255), 2): fs.ErrNotExist,
	} {
		if d, err := r.Dir(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", path, d, err, want)
		}
	}
	if has, err := (Place{r, "/nothing"}).Has("mark"); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	d, err := r.Dir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if has, err := d.Has("data"); !has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
}

// Before the tree is mounted, the directories of the machine are there.
// A file of the root is read through links, as a process with this root does.
func TestRootReadFile(t *testing.T) {
	r, tree, machine := newRoot(t)
	for at, target := range map[string]string{
		"usr/bin/d.json": "../../srv/d.json", "loop": "loop", "dangling": "/nowhere", "dir": "/data", "abs": "/usr/bin/d.json",
	} {
		if err := os.Symlink(target, filepath.Join(tree, at)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(machine, "srv/d.json"), "{}")
	write(t, filepath.Join(tree, "large"), strings.Repeat("x", 101))
	for path, want := range map[string]string{
		"/srv/d.json": "{}", "/usr/bin/d.json": "{}", "/abs": "{}", "abs": "{}", "/dir/docker/mark": "tree /data/docker",
	} {
		if text, err := r.ReadFile(path, 100); string(text) != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", path, text, err, want)
		}
	}
	for path, want := range map[string]error{
		"/loop": unix.ELOOP, "/dangling": fs.ErrNotExist, "/nothing": fs.ErrNotExist, "/dir": ErrNotRegular, "/large": ErrTooLarge,
	} {
		if text, err := r.ReadFile(path, 100); !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", path, text, err, want)
		}
	}
}

func TestResolveWithoutTree(t *testing.T) {
	r, _, _ := newRoot(t)
	r.Tree = filepath.Join(t.TempDir(), "none")
	if text, err := (Place{r, "/srv/docker"}).ReadFile("mark", 100); string(text) != "machine /srv/docker" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if has, err := (Place{r, "/data"}).Has("mark"); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
}

// The depth is bounded: each directory on the way is held open.
func TestResolveDepth(t *testing.T) {
	tree := t.TempDir()
	deep := strings.Repeat("d/", 300)
	if err := os.MkdirAll(filepath.Join(tree, deep), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (Root{Tree: tree}).Dir(deep); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Error(err)
	}
}
