package modules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Buses lists the buses of the machine in the order in which their drivers
// lead to a disk. The cpu's aliases are those of accelerated hash functions.
func Buses(sysfs string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(sysfs, "bus"))
	if err != nil {
		return nil, fmt.Errorf("buses: %w", err)
	}
	first := []string{"virtio", "cpu", "pci", "scsi", "nvme", "usb", "hid", "acpi", "platform"}
	var found, others []string
	for _, e := range entries {
		if !slices.Contains(first, e.Name()) {
			others = append(others, e.Name())
		}
	}
	for _, name := range append(first, others...) {
		if _, err := os.Stat(filepath.Join(sysfs, "bus", name, "devices")); err == nil {
			found = append(found, name)
		}
	}
	return found, nil
}

// Modaliases lists the modaliases of the devices that are on a bus now, each
// once. Devices on no bus (class devices) have no list: none of them leads to
// a disk, and udev does them later.
func Modaliases(sysfs, bus string) []string {
	var found []string
	seen := map[string]bool{}
	dir := filepath.Join(sysfs, "bus", bus, "devices")
	devices, err := os.ReadDir(dir)
	if err != nil {
		return nil // gone
	}
	for _, d := range devices {
		data, err := os.ReadFile(filepath.Join(dir, d.Name(), "modalias"))
		modalias := strings.TrimSpace(string(data))
		if err != nil || modalias == "" || seen[modalias] {
			continue
		}
		seen[modalias] = true
		found = append(found, modalias)
	}
	return found
}
