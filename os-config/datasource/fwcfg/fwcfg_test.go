package fwcfg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestFetch(t *testing.T) {
	datasourcetest.Goldens(t, func(name string) datasource.Source {
		return New(filepath.Join("testdata", name))
	}, "all", "user")
}

func TestNotThere(t *testing.T) {
	for _, dir := range []string{"testdata/gone", "testdata"} {
		if _, err := New(dir).Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	dir := f.TempDir()
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		for _, name := range []string{"meta-data", "network-config"} {
			folder := filepath.Join(dir, Prefix, name)
			if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "raw"), data, 0o644)); err != nil {
				f.Error(err)
			}
		}
		out, err := New(dir).Fetch(context.Background())
		out.Network = nil // what people write wrong there, the validator tells by its line
		return out, err
	})
}
