package rtnl

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pharos-os/pharos/netconf"
)

// sysfs is where the kernel shows devices. Below bus/ and devices/ it is the
// same in every network namespace.
const sysfs = "/sys"

// identity is what does not change as long as a link is there.
type identity struct{ driver, path string }

// identify looks up the device that a link is the network side of; its name
// and bus come with the link (IFLA_PARENT_DEV_NAME, since Linux 5.14). c.mu is
// held.
func (c *Conn) identify(id netconf.LinkID, bus, device string) identity {
	if bus == "" || device == "" {
		return identity{}
	}
	if hw, ok := c.hardware[id]; ok {
		return hw
	}
	hw := lookUp(sysfs, bus, device)
	c.hardware[id] = hw
	return hw
}

// lookUp reads a device's driver and path below root, sysfs.
func lookUp(root, bus, device string) identity {
	at, err := filepath.EvalSymlinks(filepath.Join(root, "bus", bus, "devices", device))
	if err != nil {
		return identity{}
	}
	var hw identity
	if driver, err := os.Readlink(filepath.Join(at, "driver")); err == nil {
		hw.driver = filepath.Base(driver)
	}
	var parts []string
	last := "" // bus of the part that was added
	for ; strings.HasPrefix(at, root+string(filepath.Separator)); at = filepath.Dir(at) {
		link, err := os.Readlink(filepath.Join(at, "subsystem"))
		if err != nil {
			continue
		}
		bus := filepath.Base(link)
		if bus == last { // of bridges and hubs on the way only the far end counts
			continue
		}
		if part := pathPart(bus, filepath.Base(at)); part != "" {
			parts = append([]string{part}, parts...)
			last = bus
		}
	}
	hw.path = strings.Join(parts, "-")
	return hw
}

// pathPart is what udev's path_id makes of one device on the way; empty if it
// does not count. Virtio devices are named by what they are plugged into.
func pathPart(bus, device string) string {
	switch bus {
	case "pci", "platform", "acpi", "xen", "ccw", "ccwgroup", "bcma", "ssb":
		return bus + "-" + device
	case "usb":
		if m := regexp.MustCompile(`^[0-9]+-([0-9.]+:[0-9.]+)$`).FindStringSubmatch(device); m != nil {
			return "usb-0:" + m[1]
		}
	}
	return ""
}
