package hooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// shared are the machine's directories that a command sees.
func shared() []string {
	return []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var", "/home", "/opt"}
}

// enter gives the calling thread a mount namespace in which the tree has the
// machine's directories on it.
func enter(tree string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	// What is mounted here is seen nowhere else; what the machine unmounts
	// later goes here, too, so that no command keeps a file system busy.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	if err := unix.Mount(tree, tree, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", tree, err)
	}
	if err := unix.Mount("", tree, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount %s read-only: %w", tree, err)
	}
	for _, dir := range shared() {
		err := unix.Mount(dir, filepath.Join(tree, dir), "", unix.MS_BIND|unix.MS_REC, "")
		// A tree of somebody's own need not have all of them.
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("mount %s: %w", filepath.Join(tree, dir), err)
		}
	}
	return nil
}

// onThread runs f on a thread of its own, whose namespaces f may change: it
// ends with f. The process's first thread cannot end, and /proc/self is its;
// it is held while f runs on another one.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			done <- onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return <-done
}
