// Package boot owns stage 1: it finds the system image, has the kernel verify
// it and mounts it at rootfs.Sysroot. It refuses everything else: no network,
// no configuration beyond its own few words on the kernel command line.
package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/init/rootfs"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/linux"
)

// ReportFile is where stage 1 leaves what it did, for the manager.
const ReportFile = "/run/pharos/boot.json"

// Report is the content of ReportFile.
type Report struct {
	Slot   string      `json:"slot"`   // "A", "B", "iso", "initrd", "disk"
	Source string      `json:"source"` // device, or device:path of the image on it
	Stages []api.Stage `json:"stages"`
}

// stage runs one step and records it. Times are since the kernel started.
func (r *Report) stage(log *slog.Logger, name string, step func() error) error {
	start := linux.SinceBoot()
	err := step()
	end := linux.SinceBoot()
	s := api.Stage{Name: name, Lane: "init", Start: start.Seconds(), End: end.Seconds()}
	if err != nil {
		s.Error = err.Error()
		err = fmt.Errorf("%s: %w", name, err)
	}
	r.Stages = append(r.Stages, s)
	log.Info("finished", "stage", name, "took", (end - start).Round(time.Millisecond))
	return err
}

// Run brings the machine from "the kernel started us" to a verified system
// image at rootfs.Sysroot. The kernel's file systems must be mounted.
func Run(ctx context.Context, log *slog.Logger, o Options) error {
	started := linux.SinceBoot()
	report := Report{Stages: []api.Stage{{Name: "kernel", Lane: "init", End: started.Seconds()}}}

	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var src source
	err := report.stage(log, "find system image", func() (err error) {
		src, err = findWithModules(ctx, log, o)
		return err
	})
	if err != nil {
		return err
	}
	log.Info("system image", "slot", src.slot, "source", src.name)
	report.Slot, report.Source = src.slot, src.name

	var device string
	err = report.stage(log, "verify", func() (err error) {
		defer src.close()
		device, err = linux.CreateDM("pharos-root", "PHAROS-VERITY-root", src.image.target(src.device))
		return err
	})
	if err != nil {
		return err
	}
	err = report.stage(log, "mount system image", func() error {
		if err := linux.Mount(device, rootfs.Sysroot, "erofs", unix.MS_RDONLY|unix.MS_NODEV, ""); err != nil {
			return err
		}
		_, err := os.Stat(rootfs.Sysroot + "/usr/sbin/init")
		return err
	})
	if err != nil {
		return err
	}
	return report.write()
}

func (r *Report) write() error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("boot report: %w", err)
	}
	// Nobody reads it before this process is replaced: no need for a rename.
	if err := os.WriteFile(ReportFile, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("boot report: %w", err)
	}
	return nil
}

// findWithModules loads drivers for the hardware and looks for the image among
// the block devices that they bring, at the same time. Drivers that are not
// needed to find the image are left to udev.
func findWithModules(ctx context.Context, log *slog.Logger, o Options) (source, error) {
	loader, err := modules.OpenRunning(func(file, params string) error {
		start := linux.SinceBoot()
		err := linux.FinitModule(file, params)
		log.Info("module", "name", modules.Name(file), "took", (linux.SinceBoot() - start).Round(time.Millisecond))
		return err
	})
	if err != nil {
		return source{}, err
	}
	uevents, err := linux.ListenUevents() // first, so that nothing is missed
	if err != nil {
		return source{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	h := newHotplug(log, loader)
	h.start(ctx, uevents)
	defer h.wait()
	defer cancel()

	src, err := newFinder(log, o, loader).find(ctx, h.blocks)
	if err != nil {
		return source{}, err
	}
	cancel() // what is not needed to get here is left to udev
	var errs []error
	for _, name := range baseModules() {
		errs = append(errs, loader.Load(name, ""))
	}
	return src, errors.Join(errs...)
}

// AddStage adds to ReportFile a stage that began at start and ends now.
func AddStage(name string, start time.Duration) error {
	data, err := os.ReadFile(ReportFile)
	if err != nil {
		return fmt.Errorf("boot report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("boot report: %w", err)
	}
	r.Stages = append(r.Stages, api.Stage{Name: name, Lane: "init", Start: start.Seconds(), End: linux.SinceBoot().Seconds()})
	return r.write()
}
