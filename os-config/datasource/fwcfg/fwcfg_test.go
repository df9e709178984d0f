package fwcfg

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestFetch(t *testing.T) {
	for _, name := range []string{"all", "user"} {
		result, err := New(filepath.Join("testdata", name)).Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		datasourcetest.Golden(t, name, result, *update)
	}
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
