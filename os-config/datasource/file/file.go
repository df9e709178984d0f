// Package file owns the datasource file:PATH: user-data in a file of this
// machine. It refuses metadata; a file has none.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

type source struct{ path, shown string }

// New makes a source of the file at path, which reports call shown.
func New(path, shown string) datasource.Source { return source{path, shown} }

func (s source) Name() string { return "file:" + s.shown }

func (s source) Fetch(context.Context) (datasource.Result, error) {
	f, err := os.Open(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return datasource.Result{}, fmt.Errorf("%s: %w", s.shown, datasource.ErrNotFound)
	case err != nil:
		return datasource.Result{}, fmt.Errorf("read user-data: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, osconfig.MaxSize+1))
	if err != nil {
		return datasource.Result{}, fmt.Errorf("read user-data: %w", err)
	}
	return datasource.Result{Where: s.shown, UserData: data, UserDataFile: s.shown}, nil
}
