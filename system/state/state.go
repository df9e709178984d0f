package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/linux"
)

const (
	// Root is where the state file system, or the RAM in its place, is mounted.
	Root = "/run/pharos/stateroot"
	// DefaultDevice is looked for when the configuration names none.
	DefaultDevice = "LABEL=PHAROS_STATE"
	// RAM stands for the device when there is none.
	RAM = "ram"
)

// ownState is the machine's own, for root. It has a directory of its own on the
// state file system, so that the user engine, which has /var, has nothing of it.
const ownState = "/var/lib/pharos"

// places says what of the machine lives where on the state file system.
func places() []place {
	var list []place
	for _, target := range osconfig.LastingDirectories() {
		p := place{strings.ReplaceAll(target[1:], "/", "-"), target, 0o755, false}
		switch target {
		case "/root":
			p.perm, p.furnished = 0o700, true
		case "/usr/local":
			p.furnished = true
		}
		list = append(list, p)
	}
	return append(list, place{"pharos", ownState, 0o755, false}, place{"conf", ownState + "/conf", 0o700, false}) // below /var
}

// place is a directory of the state file system and where it is bound.
type place struct {
	dir, target string
	perm        os.FileMode
	furnished   bool // one that is made begins with what the image has at target
}

// Extra is the directory of the state file system for a path of
// rancher.state.directories.
func Extra(path string) string { return filepath.Join(Root, "directories", filepath.Clean("/"+path)) }

// dirs are made below /var: what services expect to be there.
func dirs() map[string]os.FileMode {
	return map[string]os.FileMode{
		"/var/lib/docker": 0o710, "/var/lib/kubelet": 0o755,
		"/var/lib/cni": 0o755, "/var/log": 0o755, "/var/cache": 0o755, "/var/spool": 0o755,
		"/var/lib/cloud/instances": 0o755, "/var/tmp": 0o1777,
	}
}

// Options is what Mount needs.
type Options struct {
	Spec osconfig.State
	// Expected says that this machine is installed: no state is a problem.
	Expected bool
	// Image is the console's tree: what a new directory begins with.
	Image string
	// Fsck is the file system checker, /usr/sbin/e2fsck.
	Fsck string
	// Disks lists block devices.
	Disks func() ([]Disk, error)
	// Wait is how long to look for a device that is expected.
	Wait time.Duration
	Log  *slog.Logger
}

// Mounted is what the directories that last are on.
type Mounted struct {
	Device string // RAM when there is no state file system
	FSType string
}

// Mount puts the directories that last and the configuration on the state
// file system, or on RAM when there is none. The error says what is wrong
// with the state; the directories are usable all the same unless
// Mounted.Device is empty.
func Mount(ctx context.Context, o Options) (Mounted, error) {
	if m, ok := alreadyMounted(); ok {
		return m, nil
	}
	if err := os.MkdirAll(Root, 0o755); err != nil {
		return Mounted{}, fmt.Errorf("state: %w", err)
	}
	m, problem := mountDisk(ctx, o)
	if m.Device == "" {
		if err := unix.Mount("tmpfs", Root, "tmpfs", unix.MS_NODEV, "size=75%,mode=755"); err != nil {
			return Mounted{}, fmt.Errorf("mount tmpfs on %s: %w", Root, err)
		}
		m = Mounted{Device: RAM, FSType: "tmpfs"}
	}
	return m, errors.Join(problem, bindPlaces("/", o.Image, bindMount))
}

// alreadyMounted finds what an earlier manager has mounted.
func alreadyMounted() (Mounted, bool) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return Mounted{}, false
	}
	dev, fstype, ok := findMount(string(b), Root)
	if ok && fstype == "tmpfs" {
		dev = RAM
	}
	return Mounted{Device: dev, FSType: fstype}, ok
}

func mountDisk(ctx context.Context, o Options) (Mounted, error) {
	spec := o.Spec.Dev
	if spec == "none" {
		return Mounted{}, nil
	}
	expected := o.Expected || spec != ""
	if spec == "" {
		spec = DefaultDevice
	}
	d, ok, err := find(ctx, o, spec, expected)
	if err != nil {
		return Mounted{}, err
	}
	if !ok {
		if expected {
			return Mounted{}, fmt.Errorf("state file system %s was not found; nothing that is written lasts", spec)
		}
		return Mounted{}, nil
	}
	fstype := o.Spec.FSType
	if fstype == "" || fstype == "auto" {
		fstype = d.Type
	}
	if fstype == "" {
		return Mounted{}, fmt.Errorf("state device %s holds no file system that is known; it is left as it is, nothing that is written lasts", d.Path)
	}
	if fstype == "ext4" {
		if err := check(ctx, o, d.Path); err != nil {
			return Mounted{}, err
		}
	}
	if err := unix.Mount(d.Path, Root, fstype, unix.MS_NODEV|unix.MS_NOATIME, ""); err != nil {
		return Mounted{}, fmt.Errorf("mount state file system %s (%s): %w; it is left as it is, nothing that is written lasts", d.Path, fstype, err)
	}
	if fstype == "ext4" {
		if err := grow(d.Path); err != nil {
			o.Log.Warn("state file system does not fill its device", "device", d.Path, "error", err)
		}
	}
	return Mounted{Device: d.Path, FSType: fstype}, nil
}

// find looks for the device, again and again until Wait has passed when it is
// expected: a disk behind USB or SAS may need seconds to show up.
func find(ctx context.Context, o Options, spec string, expected bool) (Disk, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		disks, err := o.Disks()
		if err != nil {
			return Disk{}, false, err
		}
		for _, d := range disks {
			if d.Match(spec) {
				return d, true, nil
			}
		}
		if !expected {
			return Disk{}, false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return Disk{}, false, nil
		}
	}
}

// check repairs what can be repaired without asking. A clean file system
// costs one read.
func check(ctx context.Context, o Options, dev string) error {
	sb, err := readSuperblock(dev)
	if err != nil {
		return fmt.Errorf("state file system %s: %w", dev, err)
	}
	if sb.clean {
		return nil
	}
	out, err := exec.CommandContext(ctx, o.Fsck, "-p", dev).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.As(err, &exit) && exit.ExitCode() <= 2: // repaired
		o.Log.Info("state file system checked", "device", dev, "output", string(out))
		return nil
	case errors.As(err, &exit):
		return fmt.Errorf("state file system %s is damaged (e2fsck ended with %d: %s); it is left as it is, nothing that is written lasts; repair it with 'sudo e2fsck %s'", dev, exit.ExitCode(), lastLine(out), dev)
	}
	return fmt.Errorf("check of state file system %s: %w", dev, err)
}

// bindPlaces puts the machine's directories on the state file system. What
// cannot be made, on a full disk for instance, keeps nothing from its place
// that is there already. root stands before every path.
func bindPlaces(root, image string, bind func(source, target string) error) error {
	var errs []error
	for _, p := range places() {
		source, target := filepath.Join(root, Root, p.dir), filepath.Join(root, p.target)
		if p.furnished {
			if err := fill(source, filepath.Join(image, p.target)); err != nil {
				// Not an empty one: it would never be filled.
				errs = append(errs, fmt.Errorf("state: %s is not kept until it can be copied from the image: %w", p.target, err))
				continue
			}
		}
		if p.target == ownState {
			errs = append(errs, takeOut(filepath.Join(root, Root, ownState), source))
		}
		errs = append(errs, mkdir(source, p.perm))
		if err := os.MkdirAll(target, p.perm); err != nil {
			errs = append(errs, fmt.Errorf("state: %w", err))
			continue
		}
		if err := bind(source, target); err != nil {
			errs = append(errs, fmt.Errorf("bind %s on %s: %w", source, target, err))
			continue
		}
		if p.target == "/var" {
			errs = append(errs, fillVar(root))
		}
	}
	return errors.Join(errs...)
}

// takeOut moves what an earlier version has below /var to a directory of its
// own, and keeps the one that is left, a mount point, from being removed.
func takeOut(from, to string) error {
	err := os.MkdirAll(from, 0o755)
	if _, missing := os.Lstat(to); errors.Is(missing, os.ErrNotExist) && err == nil {
		err = errors.Join(os.Rename(from, to), os.Mkdir(from, 0o755))
	}
	if err == nil {
		err = linux.KeepDirectory(from)
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

func bindMount(source, target string) error {
	return unix.Mount(source, target, "", unix.MS_BIND, "")
}

func fillVar(root string) error {
	var errs []error
	for path, perm := range dirs() {
		errs = append(errs, mkdir(filepath.Join(root, path), perm))
	}
	for link, target := range map[string]string{"/var/run": "/run", "/var/lock": "/run/lock"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil && !errors.Is(err, os.ErrExist) {
			errs = append(errs, fmt.Errorf("state: %w", err))
		}
	}
	return errors.Join(errs...)
}

// mkdir makes a directory with exactly these permissions, sticky bit included;
// what is missing above it is open to everybody.
func mkdir(path string, perm os.FileMode) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	var st unix.Stat_t // what is right is not touched: the file system may be read-only
	if unix.Stat(path, &st) == nil && st.Mode&0o7777 == uint32(perm) {
		return nil
	}
	if err := unix.Chmod(path, uint32(perm)); err != nil {
		return fmt.Errorf("chmod %s: %w", path, err)
	}
	return nil
}
