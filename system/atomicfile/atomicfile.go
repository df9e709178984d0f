// Package atomicfile replaces files so that a reader, or the machine after a
// power cut, finds either the old content or the new one, whole. It refuses
// everything else that can be done to a file.
package atomicfile

import (
	"os"
	"path/filepath"
)

// WriteFile makes data the content of the file at path, with the permissions
// perm whatever the umask: a temporary file beside it is written, synced and
// renamed, and the directory is synced. A symbolic link at path is replaced.
func WriteFile(path string, data []byte, perm os.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(perm); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
