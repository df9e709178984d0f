package datasource

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ReadFile reads a file of a volume that reports call where. No file is
// fs.ErrNotExist; more than osconfig.MaxSize is refused.
func ReadFile(files fs.FS, where, path string) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s:%s: %w", where, path, cause(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, osconfig.MaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s:%s: %w", where, path, cause(err))
	case len(data) > osconfig.MaxSize:
		return nil, fmt.Errorf("read %s:%s: more than %d bytes", where, path, osconfig.MaxSize)
	}
	return data, nil
}

// cause leaves out the path, which the volume's mount point makes no sense of.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
