package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Coldplug makes the kernel announce every device again, as "udevadm trigger
// --action=add" does, so that udevd sees those that were there before it. It
// first waits until udevd answers; ctx bounds that. sysfs is /sys.
//
// It differs from udevadm in what it leaves out: subsystems, drivers and
// modules, for which Debian has no rule, and the devices of quiet(). Under
// emulation every event costs milliseconds of one of few processors.
func Coldplug(ctx context.Context, sysfs string) error {
	if err := answered(ctx, sysfs); err != nil {
		return fmt.Errorf("coldplug: %w", err)
	}
	devices, err := coldDevices(sysfs)
	if err != nil {
		return fmt.Errorf("coldplug: %w", err)
	}
	var failed []error
	for _, d := range devices {
		if err := trigger(d, "add"); err != nil && !gone(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func trigger(device, text string) error {
	f, err := os.OpenFile(filepath.Join(device, "uevent"), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("trigger: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("trigger: %w", err)
	}
	return nil
}

// gone reports what a device answers that vanished or does not do events.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EACCES)
}

// quiet are buses and classes whose coldplug changes nothing: the kernel's
// own devtmpfs mode is right, and they carry no modalias.
func quiet() []string {
	return []string{
		"bdi", "clockevents", "clocksource", "cpuid", "dma", "edac", "event_source", "iommu",
		"machinecheck", "mem", "memory", "msr", "node", "pci_bus", "pci_express", "pci_slot",
		"serial-base", "vc", "vtconsole", "wakeup", "workqueue", "ata_device", "ata_link", "ata_port",
	}
}

// first are announced before the rest, in this order: what somebody waits for.
func first() []string { return []string{"block", "net", "virtio", "pci", "usb", "tty", "input"} }

// coldDevices lists the device directories below sysfs, each once.
func coldDevices(sysfs string) ([]string, error) {
	type device struct{ path, subsystem string }
	var devices []device
	for _, pattern := range []string{"bus/*/devices/*", "class/*/*"} {
		links, err := filepath.Glob(filepath.Join(sysfs, pattern))
		if err != nil {
			return nil, fmt.Errorf("devices: %w", err)
		}
		for _, link := range links {
			below := strings.Split(strings.TrimPrefix(link, sysfs+"/"), "/")
			target, err := os.Readlink(link)
			if err != nil { // an attribute of the class, or gone
				continue
			}
			d := device{filepath.Join(filepath.Dir(link), target), below[1]}
			if wanted(d.subsystem, filepath.Base(d.path), d.path) {
				devices = append(devices, d)
			}
		}
	}
	if len(devices) == 0 {
		return nil, fmt.Errorf("devices: none below %s", sysfs)
	}
	rank := func(d device) int {
		if i := slices.Index(first(), d.subsystem); i >= 0 {
			return i
		}
		return len(first())
	}
	slices.SortFunc(devices, func(a, b device) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.path, b.path))
	})
	var paths []string
	for _, d := range devices {
		paths = append(paths, d.path)
	}
	return slices.Compact(paths), nil
}

func wanted(subsystem, name, path string) bool {
	switch {
	case slices.Contains(quiet(), subsystem):
		return false
	case subsystem == "cpu": // one speaks for all: the same modalias
		return name == "cpu0"
	case subsystem == "tty": // virtual terminals: agetty sets their owner
		return !strings.Contains(path, "/virtual/tty/")
	}
	return true
}
