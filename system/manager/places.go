package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/console/setup"
	"github.com/pharos-os/pharos/system/linux"
)

// resolver finds out where paths lead in the mount namespace of a process, by
// its mount table. It asks no file system that may not answer, such as one of a
// server that is away.
type resolver struct {
	root   int               // descriptor of the process's root directory
	mounts []linux.MountInfo // as seen from there
}

// place is where a path leads.
type place struct {
	path  string          // without links
	mount linux.MountInfo // the mount that it is on
}

// newResolver resolves paths as the process sees them.
func newResolver(pid int) (*resolver, error) {
	mounts, err := linux.MountsOf(pid)
	if err != nil {
		return nil, err
	}
	return openResolver(fmt.Sprintf("/proc/%d/root", pid), mounts)
}

func openResolver(root string, mounts []linux.MountInfo) (*resolver, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	return &resolver{root: fd, mounts: mounts}, nil
}

func (r *resolver) close() { unix.Close(r.root) }

// maxLinks is the kernel's own limit for one path.
const maxLinks = 40

// resolve follows the links of an absolute path. What does not exist is on the
// mount on which it would be made.
func (r *resolver) resolve(name string) (place, error) {
	top, ok := linux.MountAt(r.mounts, "/")
	if !ok {
		return place{}, errors.New("no root in the mount table")
	}
	at := place{"/", top}
	rest := strings.Split(path.Clean("/"+name), "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		next := path.Join(at.path, part)
		if part == "" || next == at.path {
			continue
		}
		if part == ".." { // of a link; there is none in at.path
			up, err := r.resolve(next)
			if err != nil {
				return place{}, err
			}
			at = up
			continue
		}
		if m, _ := linux.MountAt(r.mounts, next); m.ID != at.mount.ID { // a mount point is no link
			if m.Remote() || m.Type == "proc" { // whose links lead elsewhere for each process
				return place{path.Join(append([]string{next}, rest...)...), m}, nil
			}
			at = place{next, m}
			continue
		}
		target, err := r.readlink(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return place{path.Join(append([]string{next}, rest...)...), at.mount}, nil
		case err != nil:
			return place{}, fmt.Errorf("%s: %w", next, err)
		case target == "":
			at.path = next
			continue
		}
		if links++; links > maxLinks {
			return place{}, fmt.Errorf("%s: %w", name, unix.ELOOP)
		}
		rest = append(strings.Split(target, "/"), rest...)
		if path.IsAbs(target) {
			at = place{"/", top}
		}
	}
	return at, nil
}

// readlink returns the target of a link, "" for everything else. The path has
// no links before its last part.
func (r *resolver) readlink(name string) (string, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(r.root, strings.TrimPrefix(name, "/"), &how)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", err
	}
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", text)
	if err != nil {
		return "", err
	}
	return string(text[:n]), nil
}

// inRAM reports whether the next boot empties a place: it is on a tmpfs, or on
// the overlay that is the root.
func (r *resolver) inRAM(p place) bool {
	if p.mount.Source == setup.CoverSource { // a server's mount is to come
		return false
	}
	switch p.mount.Type {
	case "tmpfs", "ramfs":
		return true
	case "overlay":
		return r.onRoot(p)
	}
	return false
}

// onRoot reports whether a place is on the file system of the root.
func (r *resolver) onRoot(p place) bool {
	top, ok := linux.MountAt(r.mounts, "/")
	return ok && p.mount.Device == top.Device
}
