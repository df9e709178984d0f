// Package beneath owns resolving and reading paths in trees that containers can
// write to, such as the data root of the engine and the sources of bind mounts.
// Whatever somebody leaves there, or changes meanwhile, a link, a FIFO, a device,
// a huge file, a mount of a server that is away, cannot lead the caller
// elsewhere, block it or fill its memory. There are three ways to a path:
//
//   - Dir: below an open directory; links are errors.
//   - Root: a directory by its path in the root directory of a container that
//     may not run yet; links are followed in that root directory.
//   - Namespace: where a path leads for a process that runs; links are followed
//     in its root directory, and nothing is opened that may not answer.
//
// It refuses to follow magic links, to read anything but regular files and
// directories, and to write there.
package beneath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotRegular is the error for what is not a regular file.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge is the error for what is larger than the caller allows.
	ErrTooLarge = errors.New("too large")
)

// ReadFile reads the regular file name below the directory root, which is
// trusted. Symbolic links below root are errors, and so is a file of more than
// max bytes. Errors wrap those of openat2(2), ErrNotRegular and ErrTooLarge.
func ReadFile(root, name string, max int64) ([]byte, error) {
	d, err := Open(root)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadFile(name, max)
}

// Dir is an open directory.
type Dir struct {
	f *os.File
}

// Open opens a directory by a trusted path, whose links are followed.
func Open(path string) (*Dir, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &Dir{os.NewFile(uintptr(fd), path)}, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.f.Close() }

// Name is the path with which the directory was opened, for messages.
func (d *Dir) Name() string { return d.f.Name() }

// ReadFile is ReadFile for a file below the directory.
func (d *Dir) ReadFile(name string, max int64) ([]byte, error) {
	fd, err := d.look(name, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readRegular(fd, filepath.Join(d.Name(), name), max)
}

// readRegular reads a regular file that was opened with O_PATH.
func readRegular(fd int, path string, max int64) ([]byte, error) {
	f, _, err := openRegular(fd, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > max {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", f.Name(), ErrTooLarge, max)
	}
	return text, nil
}

// Has reports whether there is something of that name, of whatever type.
func (d *Dir) Has(name string) (bool, error) {
	fd, err := d.look(name, unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, unix.Close(fd)
}

// Names lists what is in the directory name below this one, most at most, in
// the order of the file system.
func (d *Dir) Names(name string, most int) ([]string, error) {
	sub, err := d.dir(name)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	names, err := sub.f.Readdirnames(most)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}

// dir opens a directory below this one.
func (d *Dir) dir(name string) (*Dir, error) {
	fd, err := d.look(name, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return reopened(fd, filepath.Join(d.Name(), name))
}

// reopened is a directory that can be listed, of one that was opened with O_PATH.
func reopened(fd int, path string) (*Dir, error) {
	fd, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &Dir{os.NewFile(uintptr(fd), path)}, nil
}

// open opens a regular file below the directory and returns its size.
func (d *Dir) open(name string) (*os.File, int64, error) {
	fd, err := d.look(name, 0)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd)
	return openRegular(fd, filepath.Join(d.Name(), name))
}

// openRegular opens a regular file for reading that was opened with O_PATH, and
// returns its size. The object is looked at before: to open a device may already
// do something, and to open a FIFO blocks. O_NONBLOCK is for a file with a lease
// (fcntl(2), F_SETLEASE), whose holder may take its time.
func openRegular(fd int, path string) (*os.File, int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	file, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(file), path), st.Size, nil
}

// look opens an object below the directory with O_PATH, that is without
// touching it.
func (d *Dir) look(name string, flags uint64) (int, error) {
	fd, err := unix.Openat2(int(d.f.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | flags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: filepath.Join(d.Name(), name), Err: err}
	}
	return fd, nil
}
