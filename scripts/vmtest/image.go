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
	sum := sha256.Sum256(layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64",
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{"/payload"}, "Cmd": []string{"serve"}},
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
	err = writeTar(&image, file{"config.json", 0o644, config}, file{"layer.tar", 0o644, layer.Bytes()}, file{"manifest.json", 0o644, manifest})
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
