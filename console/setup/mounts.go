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
	// mountsDone names what has been mounted since the boot. The console may
	// be another one meanwhile: it finds the mounts in its tree.
	mountsDone = "/run/pharos/console/mounts"
	// localWait and remoteWait bound how long all rows together wait for
	// their devices, and for their servers.
	localWait  = 30 * time.Second
	remoteWait = 60 * time.Second
	mountEvery = 500 * time.Millisecond
)

// localMounts mounts what is new in the plan and on this machine, and unmounts
// what is gone from the plan.
func (s *setup) localMounts(ctx context.Context, p Plan) error {
	wanted := rows(p.Mounts, p.MountDefaults)
	errs := s.unmountGone(ctx, wanted, s.mountsDone())
	wait, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	return errors.Join(append(errs, s.mountRows(ctx, wait, wanted, false))...)
}

// remoteMounts mounts what is new in the plan and on servers. Users' containers
// do not wait for it.
func (s *setup) remoteMounts(ctx context.Context, p Plan) error {
	wait, cancel := context.WithTimeout(ctx, remoteWait)
	defer cancel()
	return s.mountRows(ctx, wait, rows(p.Mounts, p.MountDefaults), true)
}

func (s *setup) mountRows(ctx, wait context.Context, wanted []row, remote bool) error {
	done := s.mountsDone()
	var errs []error
	for _, r := range wanted {
		if r.remote() != remote || r.noauto || slices.Contains(done, r.key()) {
			continue
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

// onRemote reports whether a path is in the place of a mount on a server.
func onRemote(p Plan, path string) bool {
	return slices.ContainsFunc(rows(p.Mounts, p.MountDefaults), func(r row) bool {
		return r.remote() && !r.noauto && below(path, []string{filepath.Clean(r.point)})
	})
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
	point := filepath.Clean(r.point)
	if err := os.MkdirAll(s.path(point), 0o755); err != nil {
		return err
	}
	return s.callMount(ctx, wait, r, device, point)
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
	_, err := s.tool(ctx, "", "umount", filepath.Clean(r.point))
	return err
}
