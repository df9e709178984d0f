package vmtest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteImage(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.WriteFile(bin, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	image, err := writeImage("name:tag", bin)
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, image)
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("manifest %s, %v", files["manifest.json"], err)
	}
	m := manifest[0]
	if d := cmp.Diff([]string{"name:tag"}, m.RepoTags); d != "" {
		t.Error(d)
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(files[m.Config], &config); err != nil {
		t.Fatal(err)
	}
	layer := files[m.Layers[0]]
	sum := sha256.Sum256(layer)
	if d := cmp.Diff([]string{"sha256:" + hex.EncodeToString(sum[:])}, config.RootFS.DiffIDs); d != "" {
		t.Error(d)
	}
	if got := unpack(t, layer)["payload"]; string(got) != "program" {
		t.Errorf("the layer holds %q", got)
	}
}

// TestToolboxImage packs a program of this machine, which env(1) runs tools on.
func TestToolboxImage(t *testing.T) {
	image, err := ToolboxImage("/usr/bin/env", "name:tag", []string{"/usr/bin/tar"}, []string{"tar", "--version"})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, image)
	if c := string(files["config.json"]); !strings.Contains(c, `"Cmd":["tar","--version"]`) {
		t.Errorf("configuration %s", c)
	}
	layer := unpack(t, files["layer.tar"])
	if len(layer["usr/bin/tar"]) == 0 {
		t.Error("the program is missing")
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(layer)), func(name string) bool { return strings.HasSuffix(name, "/libc.so.6") }) {
		t.Errorf("the C library is not among the %d files", len(layer))
	}
	if _, err := ToolboxImage("/usr/bin/env", "name:tag", []string{"/usr/bin/no such program"}, nil); err == nil {
		t.Error("a program that there is not is no error")
	}
}
