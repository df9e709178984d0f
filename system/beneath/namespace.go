package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

// Namespace is the root directory of a process, with the mounts that the
// process sees. It finds out where paths lead for that process. It asks no file
// system that may not answer, such as one of a server that is away, and follows
// no link of a proc file system, which leads elsewhere for each process.
type Namespace struct {
	root   int // descriptor
	mounts []linux.MountInfo
	mount  linux.MountInfo // of the root directory
}

// NamespaceOf is the Namespace of a process as it is now.
func NamespaceOf(pid int) (*Namespace, error) {
	mounts, err := linux.MountsOf(pid)
	if err != nil {
		return nil, err
	}
	return OpenNamespace(fmt.Sprintf("/proc/%d/root", pid), mounts)
}

// OpenNamespace is the Namespace of a root directory, whose path is trusted.
// Mounts are the mount table, with paths as they are in that directory.
func OpenNamespace(root string, mounts []linux.MountInfo) (*Namespace, error) {
	top, ok := linux.MountAt(mounts, "/")
	if !ok {
		return nil, fmt.Errorf("%s: no root in the mount table", root)
	}
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: root, Err: err}
	}
	return &Namespace{root: fd, mounts: mounts, mount: top}, nil
}

// NamespaceInside is the Namespace of a process that has the given PID in the
// PID namespace of the process init.
func NamespaceInside(init, pid int) (*Namespace, error) {
	mounts, err := linux.MountsInside(init, pid)
	if err != nil {
		return nil, err
	}
	root, err := linux.RootInside(init, pid)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	return OpenNamespace(fmt.Sprintf("/proc/self/fd/%d", root), mounts)
}

// Close closes the root directory.
func (n *Namespace) Close() error { return unix.Close(n.root) }

// Mount is the mount of the root directory.
func (n *Namespace) Mount() linux.MountInfo { return n.mount }

// Location is where a path leads.
type Location struct {
	Path  string          // absolute; see Resolve for what may be left of links
	Mount linux.MountInfo // the mount that it is on; zero if it is newer than the mount table
}

// Resolve follows the links of a path. It follows them up to the first
// component that does not exist, and up to the first mount of a server, of a
// program, of proc, or newer than the mount table. What comes after that is
// kept as it is. What does not exist is on the mount on which it would be made.
func (n *Namespace) Resolve(name string) (Location, error) {
	w := newWalk(n)
	defer w.close()
	left, err := w.to(name)
	if err == nil {
		at := w.path()
		mount, _ := linux.MountAt(n.mounts, at)
		return Location{at, mount}, nil
	}
	next := path.Join(w.path(), left[0])
	at := Location{Path: path.Join(next, path.Join(left[1:]...))}
	switch {
	case errors.Is(err, unix.EXDEV): // the mount is not in the table
		return at, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errSilent):
		at.Mount, _ = linux.MountAt(n.mounts, next)
		return at, nil
	}
	return Location{}, &fs.PathError{Op: "resolve", Path: name, Err: err}
}

// Open opens a regular file for reading. Links are followed as by Resolve; a
// path that it cannot follow to the end is an error.
func (n *Namespace) Open(name string) (*os.File, error) {
	w := newWalk(n)
	defer w.close()
	fd, err := w.open(name)
	if err != nil {
		return nil, err
	}
	file, _, err := openRegular(fd, name)
	return file, err
}

// errSilent is the error for a mount that is not asked.
var errSilent = errors.New("the file system is not asked")

func (n *Namespace) top() (int, error) {
	return unix.FcntlInt(uintptr(n.root), unix.F_DUPFD_CLOEXEC, 0)
}

func (n *Namespace) open(w *walk, name string) (int, error) {
	at := w.path()
	now, _ := linux.MountAt(n.mounts, at)
	next, _ := linux.MountAt(n.mounts, path.Join(at, name))
	if next.Remote() || next.Type == "proc" {
		return -1, errSilent
	}
	dir, err := w.here()
	if err != nil {
		return -1, err
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC}
	if next.ID == now.ID {
		how.Resolve = unix.RESOLVE_NO_XDEV
	}
	return unix.Openat2(dir, name, &how)
}
