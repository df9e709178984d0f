package modules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// firstBuses returns the buses whose drivers lead to a disk, in the order in
// which they do; cpu stands first for the accelerated hash functions.
func firstBuses() []string {
	return []string{"cpu", "virtio", "pci", "scsi", "nvme", "usb", "hid", "acpi", "platform"}
}

// Modaliases lists the modaliases of the devices that exist now, each once,
// those of firstBuses before others. Devices on no bus (class devices) are not
// looked at: none of them leads to a disk, and udev does them later.
func Modaliases(sysfs string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(sysfs, "bus"))
	if err != nil {
		return nil, fmt.Errorf("buses: %w", err)
	}
	buses := firstBuses()
	for _, e := range entries {
		if !slices.Contains(buses, e.Name()) {
			buses = append(buses, e.Name())
		}
	}
	var found []string
	seen := map[string]bool{}
	for _, bus := range buses {
		dir := filepath.Join(sysfs, "bus", bus, "devices")
		devices, err := os.ReadDir(dir)
		if err != nil {
			continue // this machine has no such bus
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
	}
	return found, nil
}
