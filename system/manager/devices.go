package manager

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/state"
)

// media mounts labelled file systems for the configuration loader.
type media struct {
	disks func() ([]state.Disk, error)
	log   *slog.Logger
}

// Labelled finds file systems by label, whatever the case of its letters.
func (m media) Labelled(_ context.Context, labels ...string) ([]load.Device, error) {
	disks, err := m.disks()
	if err != nil {
		return nil, err
	}
	var found []load.Device
	for _, d := range disks {
		for _, l := range labels {
			if strings.EqualFold(d.Label, l) {
				found = append(found, load.Device{Path: d.Path, Label: d.Label, FSType: d.Type})
				break
			}
		}
	}
	return found, nil
}

// Mount makes a file system readable; the function unmounts it.
func (m media) Mount(_ context.Context, d load.Device) (fs.FS, func() error, error) {
	dir := filepath.Join(runDir, "media-"+filepath.Base(d.Path))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	const flags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC
	if err := unix.Mount(d.Path, dir, d.FSType, flags, ""); err != nil {
		return nil, nil, fmt.Errorf("mount %s (%s, label %s): %w", d.Path, d.FSType, d.Label, err)
	}
	done := func() error {
		if err := unix.Unmount(dir, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
		return os.Remove(dir)
	}
	return os.DirFS(dir), done, nil
}
