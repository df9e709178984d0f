package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Root is a root directory as a container has it: a tree, and directories of
// the machine mounted on it.
type Root struct {
	Tree   string            // the directory that is /, by its path on the machine
	Mounts map[string]string // directory in the root → directory of the machine
}

// Dir opens a directory by its path in the root. Symbolic links lead where
// they lead for a process with this root, and never out of it.
func (r Root) Dir(name string) (*Dir, error) {
	w := newWalk(r)
	defer w.close()
	fd, err := w.open(name)
	if err != nil {
		return nil, err
	}
	return reopened(fd, name)
}

// Resolve follows the links of a path, up to the first component that does not
// exist.
func (r Root) Resolve(name string) (string, error) {
	w := newWalk(r)
	defer w.close()
	left, err := w.to(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &fs.PathError{Op: "resolve", Path: name, Err: err}
	}
	return path.Join(w.path(), path.Join(left...)), nil
}

// ReadFile reads a regular file by its path in the root; see Dir.ReadFile. The
// last part of the path may be a link, too.
func (r Root) ReadFile(name string, max int64) ([]byte, error) {
	w := newWalk(r)
	defer w.close()
	fd, err := w.open(name)
	if err != nil {
		return nil, err
	}
	return readRegular(fd, name, max)
}

func (r Root) top() (int, error) {
	return unix.Open(r.Tree, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// open does not need the tree for directories of the machine: they are there
// before it is mounted.
func (r Root) open(w *walk, name string) (int, error) {
	if source, ok := r.Mounts[path.Join(w.path(), name)]; ok {
		return unix.Open(source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	dir, err := w.here()
	if err != nil {
		return -1, err
	}
	return unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// Place is a directory of a Root. It is looked for each time that it is asked:
// what is mounted in the root may come later.
type Place struct {
	Root Root
	Path string
}

// String returns the path in the root.
func (p Place) String() string { return p.Path }

// Open opens the directory.
func (p Place) Open() (*Dir, error) { return p.Root.Dir(p.Path) }

// ReadFile is Dir.ReadFile.
func (p Place) ReadFile(name string, max int64) ([]byte, error) {
	d, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadFile(name, max)
}

// Has is Dir.Has; nothing is in a directory that does not exist.
func (p Place) Has(name string) (bool, error) {
	d, err := p.Open()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer d.Close()
	return d.Has(name)
}
