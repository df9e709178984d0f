package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is a root directory as a container has it: a tree, and directories of
// the machine mounted on it.
type Root struct {
	Tree   string            // the directory that is /, by its path on the machine
	Mounts map[string]string // directory in the root → directory of the machine
}

// Bounds of a path. They are the kernel's for links (path_resolution(7)); for
// directories, each of which is held open, they are ours.
const (
	maxLinks = 40
	maxDepth = 256
)

// Dir opens a directory by its path in the root. Symbolic links lead where
// they lead for a process with this root, and never out of it.
func (r Root) Dir(name string) (*Dir, error) {
	w := walk{root: r}
	defer w.leave(0)
	fd, err := w.to(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return reopened(fd, name)
}

// ReadFile reads a regular file by its path in the root; see Dir.ReadFile. The
// last part of the path may be a link, too.
func (r Root) ReadFile(name string, max int64) ([]byte, error) {
	for range maxLinks {
		text, link, err := r.readOrFollow(name, max)
		if link == "" {
			return text, err
		}
		if !path.IsAbs(link) {
			dir, _ := path.Split(name)
			link = dir + link
		}
		name = link
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: unix.ELOOP}
}

// readOrFollow reads a file, or returns the target of the symbolic link that it is.
func (r Root) readOrFollow(name string, max int64) (text []byte, link string, err error) {
	parent, base := path.Split(name)
	dir, err := r.Dir(parent)
	if err != nil {
		return nil, "", err
	}
	defer dir.Close()
	text, err = dir.ReadFile(base, max)
	if !errors.Is(err, unix.ELOOP) {
		return text, "", err
	}
	fd, err := dir.look(base, unix.O_NOFOLLOW)
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(fd)
	link, err = target(fd)
	return nil, link, err
}

// walk resolves one path, a component at a time: the directories of a Root are
// below no common one, so openat2(2) cannot.
type walk struct {
	root  Root
	steps []step // from the root to where the walk is
	links int
}

type step struct {
	name string
	fd   int
}

// leave goes back to the directory of that depth.
func (w *walk) leave(depth int) {
	for _, s := range w.steps[depth:] {
		unix.Close(s.fd)
	}
	w.steps = w.steps[:depth]
}

// to walks to a directory and returns its descriptor, which is the walk's.
func (w *walk) to(name string) (int, error) {
	for rest := strings.Split(name, "/"); len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			w.leave(max(0, len(w.steps)-1))
			continue
		}
		link, err := w.enter(part)
		if err != nil {
			return -1, err
		}
		if link == "" {
			continue
		}
		if w.links++; w.links > maxLinks {
			return -1, unix.ELOOP
		}
		if path.IsAbs(link) {
			w.leave(0)
		}
		rest = slices.Concat(strings.Split(link, "/"), rest)
	}
	return w.here()
}

// enter goes into a directory of the present one, or returns the target of the
// symbolic link of that name.
func (w *walk) enter(name string) (link string, err error) {
	if len(w.steps) == maxDepth {
		return "", unix.ENAMETOOLONG
	}
	fd, err := w.open(name)
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", errors.Join(err, unix.Close(fd))
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		w.steps = append(w.steps, step{name, fd})
		return "", nil
	case unix.S_IFLNK:
		defer unix.Close(fd)
		return target(fd)
	}
	return "", errors.Join(unix.ENOTDIR, unix.Close(fd))
}

func (w *walk) open(name string) (int, error) {
	at := "/"
	for _, s := range w.steps {
		at = path.Join(at, s.name)
	}
	if source, ok := w.root.Mounts[path.Join(at, name)]; ok {
		return unix.Open(source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if len(w.steps) > 0 {
		return unix.Openat(w.steps[len(w.steps)-1].fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	root, err := unix.Open(w.root.Tree, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return unix.Openat(root, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// here is the descriptor of the present directory.
func (w *walk) here() (int, error) {
	if len(w.steps) == 0 {
		fd, err := unix.Open(w.root.Tree, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		w.steps = append(w.steps, step{".", fd})
	}
	return w.steps[len(w.steps)-1].fd, nil
}

// target reads the symbolic link that a descriptor is of.
func target(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	switch {
	case err != nil:
		return "", err
	case n == 0 || n == len(buf):
		return "", unix.ENAMETOOLONG
	}
	return string(buf[:n]), nil
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
