package pid1

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

const (
	termGrace  = 3 * time.Second  // between SIGTERM and SIGKILL to everything
	killGrace  = 2 * time.Second  // for what was killed to be gone
	finalGrace = 20 * time.Second // for unmounting and syncing; then without
	// serverGrace is for a server to take what was written. What is mounted
	// from it is out of the tree by then, or never will be.
	serverGrace = 3 * time.Second
)

// Final ends the machine when nothing is left to be stopped in order. It does
// not return.
type Final struct {
	Log      *slog.Logger
	Reaper   *Reaper
	Watchdog *Watchdog
}

// End stops every process, unmounts what can be, and calls reboot(2): the only
// place that does.
func (f *Final) End(action linux.Action) {
	f.Log.Warn("ending", "action", string(action))
	f.Watchdog.Feed()
	f.killAll()
	f.Watchdog.Feed() // for the last time: a hang from here on ends in a reset
	clean := make(chan struct{})
	go func() {
		defer close(clean)
		defer func() {
			if r := recover(); r != nil {
				f.Log.Error("panic while unmounting", "stack", string(debug.Stack()))
			}
		}()
		f.swapOff()
		f.unmountAll()
		unix.Sync()
	}()
	select {
	case <-clean:
	case <-time.After(finalGrace):
		f.Log.Error("file systems do not answer, going without them")
	}
	if action == linux.Halt {
		f.Watchdog.Disarm()
	}
	for {
		f.Log.Warn("calling the kernel", "action", string(action))
		err := linux.RebootNow(action)
		f.Log.Error("the kernel refused", "err", err)
		<-time.After(time.Second)
		action = linux.Reboot
	}
}

func (f *Final) killAll() {
	for _, step := range []struct {
		signal unix.Signal
		grace  time.Duration
	}{{unix.SIGTERM, termGrace}, {unix.SIGKILL, killGrace}} {
		unix.Kill(-1, step.signal) // ESRCH: nobody there
		ctx, cancel := context.WithTimeout(context.Background(), step.grace)
		err := f.Reaper.Drain(ctx)
		cancel()
		if err == nil {
			return
		}
	}
}

// swapOff ends swapping: a file system with a swap file on it is not to be
// unmounted. What does not fit into memory any more has been killed by now.
func (f *Final) swapOff() {
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return // a kernel without swapping
	}
	for i, line := range strings.Split(string(swaps), "\n") {
		fields := strings.Fields(line)
		if i == 0 || len(fields) == 0 { // a heading
			continue
		}
		if err := swapOff(fields[0]); err != nil {
			f.Log.Error("still swaps", "err", err)
		}
	}
}

// swapOff ends swapping to what the kernel calls name. A file that a container
// swaps to is named from the root of a mount of that container's: it is below
// one of ours.
func swapOff(name string) error {
	err := linux.Swapoff(name)
	if err == nil || !errors.Is(err, unix.ENOENT) {
		return err
	}
	mounts, listed := linux.Mounts()
	if listed != nil {
		return errors.Join(err, listed)
	}
	for _, m := range mounts {
		if linux.Swapoff(filepath.Join(m.Target, name)) == nil {
			return nil
		}
	}
	return err
}

// unmountAll unmounts newest first, as often as that gets anywhere, then makes
// read-only what is left, so that its file system is clean.
func (f *Final) unmountAll() {
	left := -1
	for {
		mounts := ending()
		if len(mounts) == 0 || len(mounts) == left {
			break
		}
		left = len(mounts)
		for _, m := range mounts {
			unmount(m)
		}
		detachLoops()
	}
	for _, m := range ending() {
		if m.Remote() {
			f.Log.Error("not unmounted", "target", m.Target)
			continue
		}
		err := linux.Mount("none", m.Target, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		if err != nil && !strings.HasPrefix(m.Target, "/run/pharos/media") {
			f.Log.Error("not unmounted", "target", m.Target, "err", err)
		}
	}
}

// unmount unmounts what is not in use. A server that is away holds up neither
// the machine's disks nor the end: umount2(2) waits for it in a thread of its
// own.
func unmount(m linux.MountInfo) {
	if !m.Remote() {
		linux.Unmount(m.Target, 0)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		linux.Unmount(m.Target, 0)
	}()
	select {
	case <-done:
	case <-time.After(serverGrace):
	}
}

// ending lists the mounts to be undone, newest first: not the kernel's own, nor
// the root, which is read-only.
func ending() []linux.MountInfo {
	mounts, err := linux.Mounts()
	if err != nil {
		return nil
	}
	var out []linux.MountInfo
	for i := len(mounts) - 1; i >= 0; i-- {
		switch m := mounts[i]; {
		case m.Target == "/", m.Type == "proc", m.Type == "sysfs", m.Type == "devtmpfs", m.Type == "rootfs":
		case m.Target == "/run" && m.Type == "tmpfs":
		default:
			out = append(out, m)
		}
	}
	return out
}

func detachLoops() {
	backed, _ := filepath.Glob("/sys/block/loop*/loop/backing_file") // the pattern is well-formed
	for _, path := range backed {
		dev := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(path)))
		if _, err := os.Stat(dev); err == nil {
			linux.DetachLoop(dev) // busy ones, the root's among them, stay
		}
	}
}
