// Package view owns the tree that people see on the machine: the root of the
// console, mounted once as an overlay and lent to the console's container and
// to the user engine's. It makes the tree, makes it anew for a console that
// starts again, and moves a running engine over to a new one. It refuses to
// know what is in it: the image brings that, and the console's set-up.
//
// An upper directory that is mounted twice is undefined in the kernel, so
// neither container mounts an overlay of its own.
package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

// Root is where the tree is mounted on the machine.
const Root = Dir + "/root"

// Lent is the same tree as a mount that shares nothing, for a container runtime
// to bind. What it has bound, it unmounts again with everything below, and that
// must not reach Root.
const Lent = Dir + "/for-runtime"

// Dir holds the upper layer and the mount point. It is a mount of its own that
// no bind of /run copies: the console sees the tree as its root and not once
// more below /run.
const Dir = "/run/pharos/view"

// View is the tree. Its methods are not safe for concurrent use.
type View struct {
	// Lower is the image's tree.
	Lower string
	// Dir is where it is made; the tree is mounted on Dir/root.
	Dir string
}

func (v View) root() string       { return filepath.Join(v.Dir, "root") }
func (v View) forRuntime() string { return filepath.Join(v.Dir, "for-runtime") }

// lent marks, in the upper layer's file system, that a console has had the tree.
func (v View) lent() string { return filepath.Join(v.Dir, "lent") }

// Make mounts the tree unless an earlier manager has.
func (v View) Make() error {
	mounted, err := isMounted(v.root())
	if err != nil || mounted {
		return err
	}
	if err := v.mount(); err != nil {
		return fmt.Errorf("tree of the console: %w", err)
	}
	return nil
}

func (v View) mount() error {
	if err := os.MkdirAll(v.Dir, 0o755); err != nil {
		return err
	}
	if err := linux.Mount("tmpfs", v.Dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	upper, work := filepath.Join(v.Dir, "upper"), filepath.Join(v.Dir, "work")
	for _, dir := range []string{upper, work, v.root(), v.forRuntime()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	options := strings.Join([]string{"lowerdir=" + v.Lower, "upperdir=" + upper, "workdir=" + work}, ",")
	if err := linux.Mount("overlay", v.root(), "overlay", 0, options); err != nil {
		return err
	}
	// After the overlay, which takes a copy of its upper layer's mount.
	if err := linux.Propagate(v.Dir, unix.MS_UNBINDABLE); err != nil {
		return err
	}
	if err := linux.Propagate(v.root(), unix.MS_PRIVATE); err != nil { // its parent was shared
		return err
	}
	if err := linux.Mount(v.root(), v.forRuntime(), "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return linux.Propagate(v.root(), unix.MS_SHARED)
}

// Lend prepares the tree for a console that starts. The first one gets it as
// it is. A later one gets a new tree, so that a restart brings everything back
// that was changed or deleted outside the directories that last; what is
// mounted in the old tree is mounted in the new one as well. Containers that
// run keep what they have of the old tree, whose memory is freed with the last
// of them.
func (v View) Lend() error {
	if err := v.Make(); err != nil {
		return err
	}
	mark, err := os.OpenFile(v.lent(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		return mark.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("tree of the console: %w", err)
	}
	if err := v.renew(); err != nil {
		return fmt.Errorf("new tree of the console: %w", err)
	}
	return nil
}

func (v View) renew() error {
	children, err := copies(v.root(), nil)
	defer func() { closeAll(children) }()
	if err != nil {
		return err
	}
	// Private first: unmounting must not reach the copies in containers.
	if err := linux.Propagate(v.root(), unix.MS_PRIVATE|unix.MS_REC); err != nil {
		return err
	}
	if err := linux.Unmount(v.Dir, unix.MNT_DETACH); err != nil {
		return err
	}
	if err := v.mount(); err != nil {
		return err
	}
	var errs []error
	for _, c := range children {
		errs = append(errs, attach(c.fd, filepath.Join(v.root(), c.path)))
	}
	return errors.Join(append(errs, os.WriteFile(v.lent(), nil, 0o600))...)
}

// Bind mounts source on a directory of the tree, unless something is mounted
// there. Both are made when they are missing.
func (v View) Bind(source, target string) error {
	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}
	at, err := inRoot(v.root(), target)
	if err != nil {
		return err
	}
	mounted, err := isMounted(at)
	if err != nil || mounted {
		return err
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	return linux.Mount(source, at, "", unix.MS_BIND, "")
}

// Join lets the root of a container, a bind of Lent that its runtime has made
// private, follow the mount at peers: what is mounted below that appears in the
// container, what is there already and what comes later. With back, what the
// container mounts appears there, too.
func Join(peers string, pid int, back bool) error {
	from, err := unix.OpenTree(unix.AT_FDCWD, peers, unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("tree of the console: %s: %w", peers, err)
	}
	defer unix.Close(from)
	own, err := linux.MountsOf(pid)
	if err != nil {
		return err
	}
	children, err := copies(peers, below("/", own))
	defer func() { closeAll(children) }()
	if err != nil {
		return err
	}
	return linux.InMountNamespace(pid, func() error {
		if err := linux.Propagate("/", unix.MS_PRIVATE); err != nil {
			return err
		}
		for _, c := range children {
			if err := attach(c.fd, c.path); err != nil {
				return err
			}
			if back {
				continue
			}
			if err := linux.Propagate(c.path, unix.MS_SLAVE|unix.MS_REC); err != nil {
				return err
			}
		}
		if err := linux.JoinPeers(from); err != nil {
			return err
		}
		if back {
			return nil
		}
		return linux.Propagate("/", unix.MS_SLAVE)
	})
}

// copies are those of the mounts below root, but for the paths in without.
func copies(root string, without []string) ([]child, error) {
	mounts, err := linux.Mounts()
	if err != nil {
		return nil, err
	}
	var list []child
	for _, path := range below(root, mounts) {
		if slices.Contains(without, path) {
			continue
		}
		fd, err := linux.CopyTree(filepath.Join(root, path))
		if err != nil {
			return list, err
		}
		list = append(list, child{path, fd})
	}
	return list, nil
}

// Stale reports whether the root of a process is another tree than the one
// that the console has now.
func (v View) Stale(pid int) (bool, error) {
	var now, has unix.Stat_t
	if err := unix.Stat(v.root(), &now); err != nil {
		return false, fmt.Errorf("tree of the console: %s: %w", v.root(), err)
	}
	path := fmt.Sprintf("/proc/%d/root", pid)
	if err := unix.Stat(path, &has); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return now.Dev != has.Dev, nil
}

// Hand makes the present tree the root of the mount namespace of a process.
// What is mounted on the old root there, by the container's runtime, by its
// programs or in the console, is mounted on the new one as well. Every process
// there whose root was the old tree has the new one at once; nothing is
// restarted.
func (v View) Hand(pid int) error {
	tree, err := linux.CopyMount(v.root())
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	mounts, err := linux.MountsOf(pid)
	if err != nil {
		return err
	}
	there := below("/", mounts)
	// What was mounted in the new tree since it is the console's.
	late, err := copies(v.root(), there)
	defer func() { closeAll(late) }()
	if err != nil {
		return err
	}
	return linux.InMountNamespace(pid, func() error { return pivot(tree, there, late) })
}

// child is a copy of the mounts on a path of the tree.
type child struct {
	path string
	fd   int
}

func closeAll(children []child) {
	for _, c := range children {
		unix.Close(c.fd)
	}
}

// next is where the new root stands while it is put together. It must be a
// directory of the old root itself, which is private by then: pivot_root(2)
// takes no root below a shared mount.
const next = "/.pharos-next"

func pivot(tree int, there []string, late []child) error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("old root: %w", err)
	}
	defer unix.Close(old)
	if err := linux.Propagate("/", unix.MS_PRIVATE); err != nil {
		return err
	}
	if err := os.Mkdir(next, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("place for the new root: %w", err)
	}
	if err := linux.Attach(tree, next); err != nil {
		return err
	}
	err = fill(there, late)
	if err == nil {
		err = errors.Join(os.Chdir(next), unix.PivotRoot(".", "."))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("change of the root: %w", err), linux.Unmount(next, unix.MNT_DETACH))
	}
	// The old root now lies on top of the new one.
	if err := unix.Fchdir(old); err != nil {
		return fmt.Errorf("old root: %w", err)
	}
	// Private first: the copies in the new root must stay mounted.
	if err := linux.Propagate(".", unix.MS_PRIVATE|unix.MS_REC); err != nil {
		return err
	}
	if err := linux.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("new root: %w", err)
	}
	// Containers may ask for slave or shared binds of the root.
	return linux.Propagate("/", unix.MS_SHARED)
}

// fill mounts on the new root what the old one has, and what came later.
func fill(there []string, late []child) error {
	// First of all: what is mounted in the console reaches the engine, and not
	// the other way.
	if err := linux.Propagate(next, unix.MS_SLAVE); err != nil {
		return err
	}
	for _, path := range there {
		fd, err := linux.CopyTree(path)
		if err != nil {
			return err
		}
		err = attach(fd, filepath.Join(next, path))
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	for _, c := range late {
		if err := attach(c.fd, filepath.Join(next, c.path)); err != nil {
			return err
		}
		if err := linux.Propagate(filepath.Join(next, c.path), unix.MS_SLAVE|unix.MS_REC); err != nil {
			return err
		}
	}
	return nil
}

// attach mounts a tree on target and makes the mount point, a directory or an
// empty file, when it is missing.
func attach(fd int, target string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("mount for %s: %w", target, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		return linux.Attach(fd, target)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), linux.Attach(fd, target))
}

// outermost drops the paths that are below another one.
func outermost(paths []string) []string {
	var list []string
	for _, p := range slices.Sorted(slices.Values(paths)) {
		covered := slices.ContainsFunc(list, func(q string) bool { return p == q || strings.HasPrefix(p, q+"/") })
		if !covered {
			list = append(list, p)
		}
	}
	return list
}

// below lists where in a tree something is mounted that is below no other
// mount of it.
func below(root string, mounts []linux.MountInfo) []string {
	prefix := strings.TrimSuffix(root, "/") + "/"
	var list []string
	for _, m := range mounts {
		if path, ok := strings.CutPrefix(m.Target, prefix); ok && path != "" {
			list = append(list, "/"+path)
		}
	}
	return outermost(list)
}

func isMounted(target string) (bool, error) {
	mounts, err := linux.Mounts()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(mounts, func(m linux.MountInfo) bool { return m.Target == target }), nil
}

// inRoot is a path in the tree as the machine sees it. A link on the way leads
// out of the tree, so it is refused.
func inRoot(root, path string) (string, error) {
	at := root
	for part := range strings.SplitSeq(strings.Trim(filepath.Clean(path), "/"), "/") {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return "", fmt.Errorf("%s: not a directory", path)
		}
	}
	return at, nil
}
