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
	// mountsDone names what has been mounted since the boot, in the order in
	// which it was mounted. The console may be another one meanwhile: it finds
	// the mounts in its tree.
	mountsDone = "/run/pharos/console/mounts"
	// localWait bounds how long all rows together wait for their devices.
	localWait  = 30 * time.Second
	mountEvery = 500 * time.Millisecond
)

// localMounts mounts what is new in the plan and on this machine, and unmounts
// what is gone from the plan.
func (s *setup) localMounts(ctx context.Context, p Plan) error {
	wanted := rows(p.Mounts, p.MountDefaults)
	errs := []error{s.dropAttempts(wanted), s.uncover(ctx, wanted)}
	errs = append(errs, s.unmountGone(ctx, wanted, s.mountsDone())...)
	errs = append(errs, s.uncover(ctx, wanted)) // of those
	wait, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	done := s.mountsDone()
	for _, r := range wanted {
		if r.onServer() || r.noauto || slices.Contains(done, r.key()) {
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
	if err := r.wrong(); err != nil {
		return err
	}
	device, err := s.await(wait, r)
	if err != nil {
		return err
	}
	if r.fstype == "swap" {
		_, err := s.tool(ctx, "", swapOn(device, r.options)...)
		return err
	}
	if err := os.MkdirAll(s.path(r.point), 0o755); err != nil {
		return err
	}
	return s.callMount(ctx, r.mount(device))
}

// callMount runs mount(8). What went wrong is the first line that it prints;
// advice follows.
func (s *setup) callMount(ctx context.Context, args []string) error {
	text, err := s.tool(ctx, "", args...)
	if line, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); err != nil && line != "" {
		return errors.New(strings.TrimSpace(line))
	}
	return err
}

// await returns the path of a row's device when it is there.
func (s *setup) await(wait context.Context, r row) (device string, err error) {
	_ = s.until(wait, mountEvery, func() bool { // its last result counts
		device, err = s.find(wait, r)
		return err == nil
	})
	return device, err
}

// find returns the path of a row's device, if it is there now.
func (s *setup) find(ctx context.Context, r row) (string, error) {
	if pseudo(r.fstype) || r.remote() {
		return r.device, nil
	}
	if strings.Contains(r.device, "=") && !strings.HasPrefix(r.device, "/") {
		text, err := s.tool(ctx, "", "findfs", r.device)
		if device := strings.TrimSpace(text); err == nil && device != "" {
			return device, nil
		}
	} else if _, err := os.Stat(s.path(r.device)); !errors.Is(err, fs.ErrNotExist) {
		return r.device, nil
	}
	return "", fmt.Errorf("%s is not there", r.device)
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
