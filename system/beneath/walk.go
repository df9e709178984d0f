package beneath

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of a path. The number of links is the kernel's, see
// path_resolution(7). Each directory on the way is held open, so their number
// is bounded, too.
const (
	maxLinks = 40
	maxDepth = 256
)

// space is a root directory, as a walk needs it.
type space interface {
	// top opens the root directory.
	top() (int, error)
	// open opens with O_PATH what has the name in the directory where the walk
	// is. It does not follow a link of that name.
	open(w *walk, name string) (int, error)
}

// walk resolves one path as the kernel does for a process with that root
// directory, a component at a time, and holds each directory open. So a rename
// meanwhile cannot lead it out of the root directory. The kernel follows no
// link: the walk reads the target of each and goes on in the root directory.
// Magic links of /proc are read in the same way, and never followed.
//
// openat2(2) with RESOLVE_IN_ROOT is not enough: it does not return the path
// without links, it does not stop before a mount, and it does not know
// directories that are not mounted below the root yet.
type walk struct {
	in    space
	root  int    // descriptor, once it was needed
	steps []step // from the root to where the walk is
	links int
}

type step struct {
	name string
	fd   int
	dir  bool
}

func newWalk(in space) *walk { return &walk{in: in, root: -1} }

// close closes what the walk holds open.
func (w *walk) close() {
	w.leave(0)
	if w.root >= 0 {
		unix.Close(w.root)
	}
}

// leave goes back to the directory of that depth.
func (w *walk) leave(depth int) {
	for _, s := range w.steps[depth:] {
		unix.Close(s.fd)
	}
	w.steps = w.steps[:depth]
}

// path is where the walk is.
func (w *walk) path() string {
	at := "/"
	for _, s := range w.steps {
		at = path.Join(at, s.name)
	}
	return at
}

// here is the descriptor of the place where the walk is. It belongs to the walk.
func (w *walk) here() (int, error) {
	if len(w.steps) > 0 {
		return w.steps[len(w.steps)-1].fd, nil
	}
	if w.root < 0 {
		fd, err := w.in.top()
		if err != nil {
			return -1, err
		}
		w.root = fd
	}
	return w.root, nil
}

// open follows a path to its end. The descriptor, of O_PATH, belongs to the walk.
func (w *walk) open(name string) (int, error) {
	_, err := w.to(name)
	fd := -1
	if err == nil {
		fd, err = w.here()
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// to follows a path. On an error the walk is where the path could be followed
// to, and left is what comes after that.
func (w *walk) to(name string) (left []string, err error) {
	for rest := strings.Split(name, "/"); len(rest) > 0; {
		link := ""
		switch rest[0] {
		case "", ".":
		case "..":
			err = w.up()
		default:
			link, err = w.enter(rest[0])
		}
		if err != nil {
			return rest, err
		}
		rest = rest[1:]
		if link == "" {
			continue
		}
		if path.IsAbs(link) {
			w.leave(0)
		}
		rest = slices.Concat(strings.Split(link, "/"), rest)
	}
	return nil, nil
}

// up goes to the parent directory. The root directory is its own.
func (w *walk) up() error {
	if !w.inDirectory() {
		return unix.ENOTDIR
	}
	w.leave(max(0, len(w.steps)-1))
	return nil
}

func (w *walk) inDirectory() bool { return len(w.steps) == 0 || w.steps[len(w.steps)-1].dir }

// enter goes to what has the name in the directory where the walk is, or
// returns the target of the link of that name.
func (w *walk) enter(name string) (link string, err error) {
	if !w.inDirectory() {
		return "", unix.ENOTDIR
	}
	if len(w.steps) == maxDepth {
		return "", unix.ENAMETOOLONG
	}
	fd, err := w.in.open(w, name)
	if err != nil {
		return "", err
	}
	// Without asking a server: the type of a file does not change.
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st); err != nil {
		return "", errors.Join(err, unix.Close(fd))
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		w.steps = append(w.steps, step{name, fd, st.Mode&unix.S_IFMT == unix.S_IFDIR})
		return "", nil
	}
	defer unix.Close(fd)
	if w.links++; w.links > maxLinks {
		return "", unix.ELOOP
	}
	return target(fd)
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
