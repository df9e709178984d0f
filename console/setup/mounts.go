package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// mountsAside is where a mount stands whose point is in no directory that
	// the console shares with the machine: from here it reaches the engine.
	mountsAside = "/run/pharos/mounts"
	// mountsDone names what has been mounted since the boot; the console may
	// be another one meanwhile.
	mountsDone = "/run/pharos/console/mounts"
	// localWait and remoteWait bound how long all rows together wait for
	// their devices and servers.
	localWait  = 30 * time.Second
	remoteWait = 60 * time.Second
	mountEvery = 500 * time.Millisecond
)

// mounts mounts what is new in the plan and unmounts what is gone from it.
// Nothing waits for a device that does not come longer than the two
// deadlines.
func (s *setup) mounts(ctx context.Context, p Plan) error {
	wanted := rows(p.Mounts, p.MountDefaults)
	done := s.mountsDone()
	errs := s.unmountGone(ctx, wanted, done)
	local, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	remote, cancelRemote := context.WithTimeout(ctx, remoteWait)
	defer cancelRemote()
	for _, r := range wanted {
		if r.noauto || slices.Contains(done, r.key()) && s.standsHere(r) {
			continue
		}
		wait := local
		if r.remote() {
			wait = remote
		}
		if err := s.mount(ctx, wait, r); err != nil {
			errs = append(errs, r.failed(err))
			continue
		}
		done = append(done, r.key())
		errs = append(errs, s.keepMountsDone(done))
	}
	return errors.Join(errs...)
}

// standsHere reports whether a mount of an earlier console is in this one's
// view, too.
func (s *setup) standsHere(r row) bool {
	return r.fstype == "swap" || HostPath(r.point) == filepath.Clean(r.point) || s.isMounted(r.point)
}

func (s *setup) isMounted(point string) bool {
	text, err := os.ReadFile(s.path("/proc/self/mountinfo"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == escaped(filepath.Clean(point)) {
			return true
		}
	}
	return false
}

// escaped is a path as the kernel writes it in tables, see proc_pid_mountinfo(5).
func escaped(path string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(path)
}

func (s *setup) mountsDone() []string {
	text, err := os.ReadFile(s.path(mountsDone))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (s *setup) keepMountsDone(done []string) error {
	return writeState(s.path(mountsDone), []byte(strings.Join(done, "\n")+"\n"), 0o600)
}

// mount is one row: the device, the directory, the mount.
func (s *setup) mount(ctx, wait context.Context, r row) error {
	if strings.HasPrefix(r.fstype, "nfs") || r.remote() && r.fstype == "auto" {
		if _, err := lookPath("mount.nfs"); err != nil && s.Tool == nil {
			return errors.New("the console has no NFS client (mount.nfs); mount it as a volume of a container")
		}
	}
	if strings.HasPrefix(r.device, "-") { // an option, for the programs below
		return fmt.Errorf("%q is no device", r.device)
	}
	device, err := s.await(wait, r)
	if err != nil {
		return err
	}
	if r.fstype == "swap" {
		_, err := s.tool(ctx, "", swapOn(device, r.options)...)
		return err
	}
	if !filepath.IsAbs(r.point) || filepath.Clean(r.point) == "/" {
		return fmt.Errorf("%q is no place to mount something", r.point)
	}
	real := HostPath(r.point)
	if err := os.MkdirAll(s.path(real), 0o755); err != nil {
		return err
	}
	if !s.isMounted(real) || onSharedMount(r.point) {
		if err := s.callMount(ctx, wait, r, device, real); err != nil {
			return err
		}
	}
	if real == filepath.Clean(r.point) {
		return nil
	}
	if err := os.MkdirAll(s.path(r.point), 0o755); err != nil {
		return err
	}
	_, err = s.tool(ctx, "", "mount", "--rbind", real, filepath.Clean(r.point))
	return err
}

// callMount is mount(8), until a server answers.
func (s *setup) callMount(ctx, wait context.Context, r row, device, point string) error {
	args := []string{"mount"}
	bind := slices.Contains(r.options, "bind") || slices.Contains(r.options, "rbind")
	if r.fstype != "auto" && r.fstype != "none" && !bind {
		args = append(args, "-t", r.fstype)
	}
	if len(r.options) > 0 {
		args = append(args, "-o", strings.Join(r.options, ","))
	}
	args = append(args, device, point)
	if !r.remote() {
		_, err := s.tool(ctx, "", args...)
		return err
	}
	var err error
	waited := s.until(wait, mountEvery, func() bool {
		_, err = s.tool(wait, "", args...)
		return err == nil
	})
	if waited == nil {
		return nil
	}
	return err
}

// await returns the path of a row's device when it is there.
func (s *setup) await(wait context.Context, r row) (string, error) {
	if pseudo(r.fstype) || r.remote() {
		return r.device, nil
	}
	var found string
	err := s.until(wait, mountEvery, func() bool {
		found = r.device
		if strings.Contains(r.device, "=") && !strings.HasPrefix(r.device, "/") {
			text, err := s.tool(wait, "", "findfs", r.device)
			found = strings.TrimSpace(text)
			return err == nil && found != ""
		}
		_, err := os.Stat(s.path(r.device))
		return !errors.Is(err, fs.ErrNotExist)
	})
	if err != nil {
		return "", fmt.Errorf("%s is not there", r.device)
	}
	return found, nil
}

// until tries at once and then again, until it works or ctx ends.
func (s *setup) until(ctx context.Context, every time.Duration, try func() bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !try() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// unmountGone undoes rows that are not in the plan any more.
func (s *setup) unmountGone(ctx context.Context, wanted []row, done []string) []error {
	var errs []error
	before := rows(s.plan.Mounts, s.plan.MountDefaults)
	slices.Reverse(before)
	for _, r := range before {
		if !slices.Contains(done, r.key()) || slices.ContainsFunc(wanted, func(o row) bool { return o.key() == r.key() }) {
			continue
		}
		if err := s.unmount(ctx, r); err != nil {
			errs = append(errs, r.failed(err))
			continue
		}
		done = slices.DeleteFunc(done, func(k string) bool { return k == r.key() })
		errs = append(errs, s.keepMountsDone(done))
	}
	return errs
}

func (s *setup) unmount(ctx context.Context, r row) error {
	if r.fstype == "swap" {
		_, err := s.tool(ctx, "", "swapoff", r.device)
		return err
	}
	if real := HostPath(r.point); real != filepath.Clean(r.point) {
		if _, err := s.tool(ctx, "", "umount", filepath.Clean(r.point)); err != nil {
			return err
		}
		_, err := s.tool(ctx, "", "umount", real)
		return err
	}
	_, err := s.tool(ctx, "", "umount", filepath.Clean(r.point))
	return err
}
