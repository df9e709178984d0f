package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fill makes a directory with what the image has in its place, whole or not at
// all. One that is there stays as it is.
func fill(dir, from string) error {
	if _, err := os.Lstat(dir); err == nil {
		return nil
	}
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		return nil
	}
	next := dir + ".new"
	err := os.RemoveAll(next) // of an earlier try
	if err == nil {
		err = copyTree(next, from)
	}
	if err == nil {
		err = os.Rename(next, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(next)) // the disk may be full
	}
	return nil
}

// copyTree copies directories, files and links with their modes and owners.
func copyTree(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyOne(filepath.Join(to, below), path, entry)
	})
	if err != nil {
		return err
	}
	return syncFS(to) // before it gets its name: a power cut must not leave empty files
}

func copyOne(to, from string, entry fs.DirEntry) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	switch {
	case entry.IsDir():
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
	case entry.Type() == fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return errors.Join(os.Symlink(target, to), os.Lchown(to, int(st.Uid), int(st.Gid)))
	case entry.Type().IsRegular():
		if err := copyFile(to, from); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: neither a file, a directory nor a link", from)
	}
	if err := os.Lchown(to, int(st.Uid), int(st.Gid)); err != nil { // first: it takes the set-user-ID bit away
		return err
	}
	if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
		return fmt.Errorf("chmod %s: %w", to, err)
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func syncFS(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
