package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

// InInitramfs reports whether the root is still the kernel's initramfs.
func InInitramfs() (bool, error) {
	var s unix.Statfs_t
	if err := unix.Statfs("/", &s); err != nil {
		return false, fmt.Errorf("root file system: %w", err)
	}
	return s.Type == unix.RAMFS_MAGIC || s.Type == unix.TMPFS_MAGIC, nil
}

// Switch makes the file system mounted at Sysroot the root: it moves the
// kernel's mounts over, frees the initramfs and changes the root of this
// process. The mount is moved, not pivoted: the kernel's own initramfs cannot
// be unmounted.
func Switch() error {
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run"} {
		if err := linux.Mount(dir, Sysroot+dir, "", unix.MS_MOVE, ""); err != nil {
			return err
		}
	}
	if err := os.Chdir(Sysroot); err != nil {
		return fmt.Errorf("system image: %w", err)
	}
	if err := clearInitramfs("/"); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	if err := linux.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	return os.Chdir("/")
}

// clearInitramfs deletes what is below dir on dir's own file system. It must never be
// run on anything but an initramfs, so it looks again.
func clearInitramfs(dir string) error {
	if initramfs, err := InInitramfs(); err != nil || !initramfs {
		return errors.Join(err, errors.New("root is not an initramfs"))
	}
	var root unix.Stat_t
	if err := unix.Lstat(dir, &root); err != nil {
		return err
	}
	removeBelow(dir, root.Dev)
	return nil
}

// removeBelow keeps what cannot be removed: it costs memory, no more.
func removeBelow(dir string, device uint64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		var s unix.Stat_t
		if unix.Lstat(path, &s) != nil || s.Dev != device {
			continue
		}
		if e.IsDir() {
			removeBelow(path, device)
		}
		os.Remove(path)
	}
}
