package vmtest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// PayloadImage is the name of the image that BuildPayloadImage makes.
const PayloadImage = "payload:test"

// BuildPayloadImage compiles the payload and returns an image of it in the
// format of `docker save`.
func BuildPayloadImage(root, dir string) ([]byte, error) {
	bin := filepath.Join(dir, "payload")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin, "./scripts/vmtest/payload")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("payload: %w\n%s", err, out)
	}
	return writeImage(PayloadImage, bin)
}

// writeImage packs one static binary as the only file and the entrypoint of an image.
func writeImage(name, bin string) ([]byte, error) {
	data, err := os.ReadFile(bin)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	var layer bytes.Buffer
	if err := writeTar(&layer, file{"payload", 0o755, data}); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return packImage(name, layer.Bytes(), map[string]any{"Entrypoint": []string{"/payload"}, "Cmd": []string{"serve"}})
}

// ToolboxImage returns an image of programs of the toolbox, absolute paths, and
// the libraries that they load, in the format of `docker save`. Command is what
// a container runs that is not told otherwise.
func ToolboxImage(tools Toolbox, name string, programs, command []string) ([]byte, error) {
	files := programs
	for _, p := range programs {
		libraries, err := tools.Run("ldd", p)
		if err != nil && !strings.Contains(err.Error(), "not a dynamic executable") {
			return nil, fmt.Errorf("image: %w", err)
		}
		// "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", or a path alone
		for _, word := range strings.Fields(string(libraries)) {
			if strings.HasPrefix(word, "/") && !slices.Contains(files, word) {
				files = append(slices.Clip(files), word)
			}
		}
	}
	layer, err := tools.Run("tar", append([]string{"--create", "--dereference", "--absolute-names", "--transform=s,^/,,"}, files...)...)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return packImage(name, layer, map[string]any{"Cmd": command})
}

// packImage makes an image of one layer.
func packImage(name string, layer []byte, settings map[string]any) ([]byte, error) {
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64",
		"os":           "linux",
		"config":       settings,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	manifest, err := json.Marshal([]map[string]any{
		{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	var image bytes.Buffer
	err = writeTar(&image, file{"config.json", 0o644, config}, file{"layer.tar", 0o644, layer}, file{"manifest.json", 0o644, manifest})
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return image.Bytes(), nil
}

// file is one file of an archive.
type file struct {
	name string
	mode int64
	data []byte
}

func writeTar(out io.Writer, files ...file) error {
	w := tar.NewWriter(out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	return w.Close()
}
