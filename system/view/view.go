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

	"github.com/pharos-os/pharos/system/atomicfile"
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
	// MountPoints are directories of the tree on which containers have mounts of
	// their own. They are made, and are immutable: if "rm -rf" in a container that
	// sees the tree without those mounts removed one, the kernel would unmount it
	// everywhere else. This is for accidents; docs/security.md says what is a
	// security boundary and what is not.
	MountPoints []string
}

// LostError says what was mounted in the tree before and is not any more.
type LostError struct{ Mounts []string }

func (e *LostError) Error() string {
	return "not mounted any more: " + strings.Join(e.Mounts, ", ")
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
	for _, dir := range v.MountPoints {
		fd, err := v.keepMountPoint(dir)
		if err != nil {
			return err
		}
		unix.Close(fd)
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

// keepMountPoint makes a directory of the tree that stays, and opens it.
func (v View) keepMountPoint(dir string) (int, error) {
	fd, err := v.directory(dir)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	path := fmt.Sprintf("/proc/self/fd/%d", fd) // what may be mounted on it by now is not meant
	if err == nil {
		// A change copies it to the upper layer: EROFS knows no such flag.
		err = unix.Chmod(path, st.Mode&0o7777)
	}
	if err == nil {
		err = linux.KeepDirectory(path)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("mount point %s of the tree: %w", dir, err)
	}
	return fd, nil
}

// directory opens a directory of the tree and makes what is missing of it.
// Containers write in the tree: a link on the way is an error.
func (v View) directory(path string) (int, error) {
	at, err := unix.Open(v.root(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", v.root(), err)
	}
	for part := range strings.SplitSeq(strings.Trim(filepath.Clean("/"+path), "/"), "/") {
		err := unix.Mkdirat(at, part, 0o755)
		if err == nil || errors.Is(err, unix.EEXIST) {
			var fd int
			fd, err = unix.Openat(at, part, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if err == nil {
				unix.Close(at)
				at = fd
				continue
			}
		}
		unix.Close(at)
		return -1, fmt.Errorf("%s: %s: %w", path, part, err)
	}
	return at, nil
}

// WriteFile replaces a file of the tree, as atomicfile does.
func (v View) WriteFile(path string, data []byte, perm os.FileMode) error {
	dir, err := v.directory(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return atomicfile.WriteFile(filepath.Join(fmt.Sprintf("/proc/self/fd/%d", dir), filepath.Base(path)), data, perm)
}

// Lend prepares the tree for a console that starts. The first one gets it as
// it is. A later one gets a new tree, so that a restart brings everything back
// that was changed or deleted outside the directories that last; what is
// mounted in the old tree is mounted in the new one as well. Containers that
// run keep what they have of the old tree, whose memory is freed with the last
// of them. A *LostError says that the tree is there without some of its mounts.
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
	err = v.renew()
	if _, ok := errors.AsType[*LostError](err); err != nil && !ok {
		return fmt.Errorf("new tree of the console: %w", err)
	}
	return err
}

func (v View) renew() error {
	children, err := copies(v.root(), nil, nil)
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
	var lost LostError
	for _, c := range children {
		if err := attach(c.fd, filepath.Join(v.root(), c.path)); err != nil {
			lost.Mounts = append(lost.Mounts, fmt.Sprintf("%s (%v)", c.path, err))
		}
	}
	if err := os.WriteFile(v.lent(), nil, 0o600); err != nil {
		return err
	}
	if len(lost.Mounts) > 0 {
		return &lost
	}
	return nil
}

// Bind mounts source on a directory of the tree, unless something is mounted
// there. Both are made when they are missing.
func (v View) Bind(source, target string) error {
	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}
	mounted, err := isMounted(filepath.Join(v.root(), target))
	if err != nil || mounted {
		return err
	}
	at, err := v.keepMountPoint(target)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	fd, err := linux.CopyMount(source)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s on %s of the tree: %w", source, target, err)
	}
	return nil
}

// restrict lets set-user-ID files and devices on a mount have no effect.
func restrict(target string) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_SYMLINK_NOFOLLOW, &attr); err != nil {
		return fmt.Errorf("nosuid and nodev for the mount at %s: %w", target, err)
	}
	return nil
}

// Join lets the root of a container, a bind of Lent that its runtime has made
// private, follow the mount at peers: what is mounted below that appears in the
// container, what is there already and what comes later. With back, what the
// container mounts appears there, too, and what it finds mounted is nosuid and
// nodev in it; nobody may mount anything at peers meanwhile.
func Join(peers string, pid int, back bool) error {
	p, err := linux.OpenProcess(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	from, err := unix.OpenTree(unix.AT_FDCWD, peers, unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("tree of the console: %s: %w", peers, err)
	}
	defer unix.Close(from)
	if back {
		// First: attached to a peer, the copies would appear at peers as well.
		err := p.InMountNamespace(func() error { return linux.Propagate("/", unix.MS_PRIVATE) })
		if err != nil {
			return err
		}
		if err := addMounts(peers, "/", nil, p, restrict); err != nil {
			return err
		}
		return p.InMountNamespace(func() error { return linux.JoinPeers(from) })
	}
	err = p.InMountNamespace(func() error {
		if err := linux.Propagate("/", unix.MS_PRIVATE); err != nil {
			return err
		}
		if err := linux.JoinPeers(from); err != nil {
			return err
		}
		return linux.Propagate("/", unix.MS_SLAVE)
	})
	if err != nil {
		return err
	}
	return addMounts(peers, "/", nil, p, func(target string) error { return linux.Propagate(target, unix.MS_SLAVE|unix.MS_REC) })
}

// Fill mounts in a container, on target, what is mounted below source on the
// machine, of which its runtime has bound the mount at source alone. Mounts at
// the paths in except, and below them, do not come. What is mounted or
// unmounted later arrives by itself.
func Fill(pid int, source, target string, except []string) error {
	p, err := linux.OpenProcess(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	var secret []string
	for _, path := range except {
		secret = append(secret, strings.TrimPrefix(path, source))
	}
	return addMounts(source, target, secret, p, func(target string) error { return linux.Propagate(target, unix.MS_SLAVE|unix.MS_REC) })
}

// Without unmounts in a container what it must not have of the directories that
// its runtime has bound.
func Without(pid int, targets []string) error {
	if len(targets) == 0 {
		return nil
	}
	p, err := linux.OpenProcess(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	mounts, err := p.Mounts()
	if err != nil {
		return err
	}
	return p.InMountNamespace(func() error {
		for _, target := range targets {
			if !slices.ContainsFunc(mounts, func(m linux.MountInfo) bool { return m.Target == target }) {
				continue
			}
			if err := linux.Unmount(target, unix.MNT_DETACH); err != nil {
				return err
			}
		}
		return nil
	})
}

// addMounts mounts below a path of a container what is mounted below a path here
// and not yet there, but for the paths in except and below them.
func addMounts(here, there string, except []string, p linux.Process, then func(target string) error) error {
	children, err := missing(here, there, except, p)
	defer func() { closeAll(children) }()
	if err != nil {
		return err
	}
	return p.InMountNamespace(func() error {
		for _, c := range children {
			target := filepath.Join(there, c.path)
			if err := attach(c.fd, target); err != nil {
				return err
			}
			if err := then(target); err != nil {
				return err
			}
		}
		return nil
	})
}

// missing are copies of the mounts below a path here that have no counterpart
// below a path of a process, but for the paths in except and below them. What
// comes while it looks, and arrives there by itself, is not among them.
func missing(here, there string, except []string, p linux.Process) ([]child, error) {
	own, err := p.Mounts()
	if err != nil {
		return nil, err
	}
	list, err := copies(here, below(there, own), except)
	if err != nil {
		return list, err
	}
	if own, err = p.Mounts(); err != nil {
		return list, err
	}
	arrived := below(there, own)
	return slices.DeleteFunc(list, func(c child) bool {
		if !slices.Contains(arrived, c.path) {
			return false
		}
		unix.Close(c.fd)
		return true
	}), nil
}

// copies are those of the mounts below root, but for the paths in without, and
// for those in except and below them. A mount that has gone meanwhile or is
// unbindable has none.
func copies(root string, without, except []string) ([]child, error) {
	mounts, err := linux.Mounts()
	if err != nil {
		return nil, err
	}
	var list []child
	for _, path := range below(root, mounts) {
		if slices.Contains(without, path) || covered(path, except) {
			continue
		}
		fd, err := linux.CopyTree(filepath.Join(root, path))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) {
			continue
		}
		if err != nil {
			return list, err
		}
		list = append(list, child{path, fd})
	}
	return list, nil
}

// Stale reports whether the root of a process is another tree than the one
// that the console has now. The error wraps ESRCH or fs.ErrNotExist when the
// process has ended.
func (v View) Stale(pid int) (bool, error) {
	p, err := linux.OpenProcess(pid)
	if err != nil {
		return false, err
	}
	defer p.Close()
	return v.stale(p)
}

func (v View) stale(p linux.Process) (bool, error) {
	now, err := os.Stat(v.root())
	if err != nil {
		return false, fmt.Errorf("tree of the console: %w", err)
	}
	has, err := p.Root()
	if err != nil {
		return false, err
	}
	return !os.SameFile(now, has), nil
}

// Hand makes the present tree the root of the mount namespace of a process.
// What is mounted on the old root there, by the container's runtime, by its
// programs or in the console, is mounted on the new one as well. Every process
// there whose root was the old tree has the new one at once; nothing is
// restarted. When it fails, the process keeps the old root with all its mounts,
// and does not get what is mounted in the console's new tree.
func (v View) Hand(pid int) error {
	p, err := linux.OpenProcess(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	return v.hand(p)
}

func (v View) hand(p linux.Process) error {
	tree, err := linux.CopyMount(v.root())
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	var next string
	err = p.InMountNamespace(func() error {
		next, err = stage(tree)
		return err
	})
	if err != nil {
		return fmt.Errorf("place for the new root: %w", err)
	}
	if err := v.complete(p, next); err != nil {
		return errors.Join(err, p.InMountNamespace(func() error { return unstage(next) }))
	}
	return nil
}

// complete fills the new root and changes to it.
func (v View) complete(p linux.Process, next string) error {
	mounts, err := p.Mounts()
	if err != nil {
		return err
	}
	there := slices.DeleteFunc(below("/", mounts), func(path string) bool { return path == next })
	late, err := missing(v.root(), next, nil, p)
	defer func() { closeAll(late) }()
	if err != nil {
		return err
	}
	// What the old root has, too, comes with the rest of it.
	late = slices.DeleteFunc(late, func(c child) bool {
		old := slices.Contains(there, c.path)
		if old {
			unix.Close(c.fd)
		}
		return old
	})
	// Opened here: the /proc of the other namespace may be of other processes.
	table, err := p.OpenMounts()
	if err != nil {
		return err
	}
	defer table.Close()
	return p.InMountNamespace(func() error {
		if err := fill(next, there, late, table); err != nil {
			return err
		}
		return pivot(next)
	})
}

// nextPrefix begins the names of directories for new roots.
const nextPrefix = ".pharos-next-"

// stage mounts the new root on a new directory of the old one, which becomes
// private: pivot_root(2) takes no root below a shared mount. The new root
// follows the console from here on.
func stage(tree int) (next string, err error) {
	if err := linux.Propagate("/", unix.MS_PRIVATE); err != nil {
		return "", err
	}
	discardLeft()
	if next, err = os.MkdirTemp("/", nextPrefix); err != nil {
		return "", errors.Join(err, linux.Propagate("/", unix.MS_SHARED))
	}
	err = linux.Attach(tree, next)
	if err == nil {
		err = linux.Propagate(next, unix.MS_SLAVE)
	}
	if err != nil {
		return "", errors.Join(err, unstage(next))
	}
	return next, nil
}

// unstage undoes stage, and what has been mounted on the new root since.
func unstage(next string) error {
	return errors.Join(discard(next), linux.Propagate("/", unix.MS_SHARED))
}

func discard(next string) error {
	// Private first: the originals of the copies must stay mounted.
	err := linux.Propagate(next, unix.MS_PRIVATE|unix.MS_REC)
	if errors.Is(err, unix.EINVAL) { // nothing is mounted there
		return os.Remove(next)
	}
	if err != nil {
		return err
	}
	return errors.Join(linux.Unmount(next, unix.MNT_DETACH), os.Remove(next))
}

// discardLeft takes away what a manager that was killed in Hand has left. What
// stays is in nobody's way: a directory of that name may be a user's.
func discardLeft() {
	left, _ := filepath.Glob("/" + nextPrefix + "*") // no error with a good pattern
	for _, dir := range left {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			discard(dir)
		}
	}
}

// pivot makes next the root and takes the old one away.
func pivot(next string) error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("old root: %w", err)
	}
	defer unix.Close(old)
	if err := errors.Join(os.Chdir(next), unix.PivotRoot(".", ".")); err != nil {
		return fmt.Errorf("change of the root: %w", err)
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
func fill(next string, there []string, late []child, table *linux.MountTable) error {
	for _, path := range there {
		if err := rebind(path, filepath.Join(next, path)); err != nil {
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
	return caughtUp(next, there, table)
}

// catchUps bounds how often caughtUp looks again.
const catchUps = 50

// caughtUp makes the mounts below next those of the old root, where they came or
// went while they were copied: a copy that is not attached yet does not follow
// its original.
func caughtUp(next string, there []string, table *linux.MountTable) error {
	for range catchUps {
		mounts, err := table.Read()
		if err != nil {
			return err
		}
		lacks, extra := compare(mounts, next, there)
		if len(lacks)+len(extra) == 0 {
			return nil
		}
		for _, path := range extra {
			if err := linux.Unmount(filepath.Join(next, path), unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
				return err
			}
		}
		for _, path := range lacks {
			fd, err := linux.CopyTree(path)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) { // it is gone again
				continue
			}
			if err != nil {
				return err
			}
			err = attach(fd, filepath.Join(next, path))
			unix.Close(fd)
			if err != nil {
				return err
			}
		}
	}
	return errors.New("mounts come and go all the time")
}

// compare lists what is mounted below the old root and not below next, and what
// is mounted below next, in the copies of what was there, and not below the old root.
func compare(mounts []linux.MountInfo, next string, there []string) (lacks, extra []string) {
	old, has := map[string]bool{}, map[string]bool{}
	for _, m := range mounts {
		if path, ok := strings.CutPrefix(m.Target, next+"/"); ok {
			has["/"+path] = true
		} else if m.Target != "/" && m.Target != next {
			old[m.Target] = true
		}
	}
	for path := range old {
		if !has[path] {
			lacks = append(lacks, path)
		}
	}
	for path := range has {
		copied := slices.ContainsFunc(there, func(t string) bool { return strings.HasPrefix(path, t+"/") })
		if copied && !old[path] {
			extra = append(extra, path)
		}
	}
	return outermost(lacks), outermost(extra)
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

// attach mounts a tree on target, and makes the mount point when it is missing.
func attach(fd int, target string) error {
	directory, err := isDirectory(fd)
	if err != nil {
		return fmt.Errorf("mount for %s: %w", target, err)
	}
	if err := mountPoint(target, directory); err != nil {
		return err
	}
	return linux.Attach(fd, target)
}

// rebind mounts on target what is mounted at path and below. It is one step for
// the kernel, so a mount that comes meanwhile below a path that is shared is in
// the copy or arrives there: to add it later would mount it on the machine again.
func rebind(path, target string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("mount at %s: %w", path, err)
	}
	defer unix.Close(fd)
	directory, err := isDirectory(fd)
	if err != nil {
		return fmt.Errorf("mount at %s: %w", path, err)
	}
	if err := mountPoint(target, directory); err != nil {
		return err
	}
	return linux.Mount(path, target, "", unix.MS_BIND|unix.MS_REC, "")
}

// isDirectory does not ask the file system, which may belong to a program that
// has died, or to a server that is away.
func isDirectory(fd int) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// mountPoint makes a directory or an empty file, unless it is there.
func mountPoint(target string, directory bool) error {
	if directory {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// outermost drops the paths that are below another one.
func outermost(paths []string) []string {
	var list []string
	for _, p := range slices.Sorted(slices.Values(paths)) {
		if !covered(p, list) {
			list = append(list, p)
		}
	}
	return list
}

// covered reports whether a path is one of list or below one.
func covered(path string, list []string) bool {
	return slices.ContainsFunc(list, func(q string) bool { return path == q || strings.HasPrefix(path, q+"/") })
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
