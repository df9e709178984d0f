package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/state"
)

// media mounts labelled file systems, and 9p shares by their tags, for the
// configuration loader.
type media struct {
	disks func() ([]state.Disk, error)
	sysfs string
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
		if hasLabel(d.Label, labels) {
			found = append(found, load.Device{Path: d.Path, Label: d.Label, FSType: d.Type})
		}
	}
	for _, tag := range mountTags(m.sysfs) {
		if hasLabel(tag, labels) {
			found = append(found, load.Device{Path: tag, Label: tag, FSType: "9p"})
		}
	}
	return found, nil
}

func hasLabel(label string, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool {
		if prefix, ok := strings.CutSuffix(w, "*"); ok {
			return len(label) >= len(prefix) && strings.EqualFold(label[:len(prefix)], prefix)
		}
		return strings.EqualFold(label, w)
	})
}

// mountTags lists the 9p shares that virtio brings; the driver shows their
// tags, each with a null byte at its end.
func mountTags(sysfs string) []string {
	paths, err := filepath.Glob(filepath.Join(sysfs, "bus/virtio/drivers/9pnet_virtio/virtio*/mount_tag"))
	if err != nil {
		return nil // cannot be: the pattern is constant
	}
	var tags []string
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil {
			tags = append(tags, strings.TrimRight(string(b), "\x00\n"))
		}
	}
	return tags
}

// Mount makes a file system readable; the function unmounts it.
func (m media) Mount(_ context.Context, d load.Device) (fs.FS, func() error, error) {
	dir := filepath.Join(runDir, "media-"+filepath.Base(d.Path))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	options := ""
	if d.FSType == "9p" {
		options = "trans=virtio,version=9p2000.L"
	}
	const flags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC
	if err := unix.Mount(d.Path, dir, d.FSType, flags, options); err != nil {
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

// loadMediaDrivers loads what shows QEMU's files and 9p shares, where there
// are any to show: udev does it too, but after the first pass.
func (m *Manager) loadMediaDrivers(sysfs string) {
	for _, name := range mediaDrivers(sysfs) {
		l, err := m.modules()
		if err == nil {
			err = l.Load(name, "")
		}
		if err != nil && !errors.Is(err, modules.ErrUnknown) {
			m.log.Warn("cannot load a driver", "module", name, "error", err)
		}
	}
}

func mediaDrivers(sysfs string) []string {
	var names []string
	if _, err := os.Stat(filepath.Join(sysfs, "bus/acpi/devices/QEMU0002:00")); err == nil {
		names = append(names, "qemu_fw_cfg")
	}
	devices, err := filepath.Glob(filepath.Join(sysfs, "bus/virtio/devices/*/device"))
	if err != nil {
		return names // cannot be: the pattern is constant
	}
	for _, path := range devices {
		const share = "0x0009" // VIRTIO_ID_9P
		if b, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(b)) == share {
			return append(names, "9pnet_virtio", "9p")
		}
	}
	return names
}
