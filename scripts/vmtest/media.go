package vmtest

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteSeed makes a NoCloud disk: an ISO 9660 image at path with the label
// cidata that holds files, name → content ("meta-data", "user-data", …).
func WriteSeed(tools Toolbox, path string, files map[string]string) error {
	return WriteVolume(tools, path, "cidata", files)
}

// WriteVolume makes an ISO 9660 image at path with a label and files, path
// inside it → content.
func WriteVolume(tools Toolbox, path, label string, files map[string]string) error {
	dir := path + ".d"
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	}
	if _, err := tools.Run("xorriso", "-as", "mkisofs", "-quiet", "-V", label, "-J", "-r", "-o", path, dir); err != nil {
		return fmt.Errorf("volume: %w", err)
	}
	return nil
}

// WriteStateDisk makes a sparse disk of size bytes at path with an ext4 file
// system on all of it that Pharos takes for its state.
func WriteStateDisk(tools Toolbox, path string, size int64) error {
	if err := writeSparse(path, size); err != nil {
		return err
	}
	if _, err := tools.Run("mkfs.ext4", "-q", "-F", "-L", "PHAROS_STATE", path); err != nil {
		return fmt.Errorf("state disk: %w", err)
	}
	return nil
}

// CheckExt4 reports what e2fsck finds wrong in the file system on path,
// without changing it.
func CheckExt4(tools Toolbox, path string) error {
	if out, err := tools.Run("e2fsck", "-fn", path); err != nil {
		return fmt.Errorf("file system on %s: %w\n%s", path, err, out)
	}
	return nil
}

// WriteGarbageSeed makes an ISO 9660 image at path that carries the label
// cidata and is noise behind its volume descriptors: it looks like a seed and
// is none.
func WriteGarbageSeed(tools Toolbox, path string, noise func([]byte)) error {
	if err := WriteSeed(tools, path, map[string]string{"user-data": "#cloud-config\n", "meta-data": ""}); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("garbage seed: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("garbage seed: %w", err)
	}
	// The descriptors are sectors 16 (ISO 9660), 17 (Joliet) and 18 (end).
	const keep = 19 * 2048
	junk := make([]byte, st.Size()-keep)
	noise(junk)
	if _, err := f.WriteAt(junk, keep); err != nil {
		return fmt.Errorf("garbage seed: %w", err)
	}
	return nil
}

// FlipByte inverts the byte at off in the file at path.
func FlipByte(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("flip of a byte: %w", err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		return fmt.Errorf("flip of a byte: %w", err)
	}
	b[0] ^= 0xff
	if _, err := f.WriteAt(b[:], off); err != nil {
		return fmt.Errorf("flip of a byte: %w", err)
	}
	return nil
}

func writeSparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	return nil
}
