package linux

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// CopyTree returns a descriptor of a detached copy of the mount at path and of
// all mounts below it, see open_tree(2). A link on the way is an error. Copies of shared mounts are peers of
// the originals.
func CopyTree(path string) (int, error) { return copyMounts(path, unix.AT_RECURSIVE) }

// CopyMount is CopyTree for one mount alone.
func CopyMount(path string) (int, error) { return copyMounts(path, 0) }

func copyMounts(path string, recursive uint) (int, error) {
	at, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, fmt.Errorf("copy the mounts at %s: %w", path, err)
	}
	defer unix.Close(at)
	fd, err := unix.OpenTree(at, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|recursive)
	if err != nil {
		return -1, fmt.Errorf("copy the mounts at %s: %w", path, err)
	}
	return fd, nil
}

// Attach mounts a copy on target, which is not followed when
// it is a link.
func Attach(fd int, target string) error {
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("attach mounts to %s: %w", target, err)
	}
	return nil
}

// Propagate sets how the mount at target shares what is mounted below it:
// MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, with MS_REC for all mounts
// below as well.
func Propagate(target string, flags uintptr) error {
	if err := retry(func() error { return unix.Mount("", target, "", flags, "") }); err != nil {
		return fmt.Errorf("propagation of the mount at %s (flags %#x): %w", target, flags, err)
	}
	return nil
}

// InMountNamespace runs f in the mount namespace of a process, with that
// namespace's root. The thread that ran it is not used again.
func InMountNamespace(pid int, f func() error) error {
	p, err := OpenProcess(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	return p.InMountNamespace(f)
}

// JoinPeers makes the root mount of the calling thread's namespace, which is
// private, a peer of a mount on the same file system, so that what is mounted
// below one appears below the other. from is that mount as open_tree(2) gives it.
func JoinPeers(from int) error {
	to, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("root mount: %w", err)
	}
	defer unix.Close(to)
	const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH | unix.MOVE_MOUNT_SET_GROUP
	if err := unix.MoveMount(from, "", to, "", flags); err != nil {
		return fmt.Errorf("root mount: join peers: %w", err)
	}
	return nil
}
