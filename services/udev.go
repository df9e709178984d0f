package services

import (
	"fmt"
	"time"

	"github.com/pharos-os/pharos/system/unit"
)

// udevControl is the socket that systemd-udevd listens on once it has read
// its rules; it is SOCK_SEQPACKET, so its existence is what is checked.
const udevControl = "/run/udev/control"

// Udev is systemd's device manager: it loads drivers by modalias, names links
// and makes /dev/disk/by-*. It starts before everything that needs a device.
func Udev(m Machine) unit.Unit {
	return unit.Unit{
		Name:  "udev",
		Image: "udev",
		// Events are short and many; more workers than this only cost memory
		// on a small machine. udevd's own default is 8 a CPU and more with RAM.
		Args: []string{"/usr/lib/systemd/systemd-udevd", fmt.Sprintf("--children-max=%d", max(2*m.CPUs, 4))},
		// It cannot watch its cgroup's memory pressure from in here, and says
		// so at every start unless told not to try (systemd's MEMORY_PRESSURE).
		Env: []string{"MEMORY_PRESSURE_WATCH=/dev/null"},
		Mounts: []unit.Mount{
			// The device database, read by everybody's libudev.
			{Source: "/run/udev", Target: "/run/udev", Options: []string{"rw"}, Mkdir: 0o755},
			// Drivers to load; the verified root's own, never the image's.
			{Source: "/usr/lib/modules", Target: "/usr/lib/modules", Options: []string{"ro"}},
			logSocketMount(),
		},
		HostDev:     true, // links and permissions are made in the machine's /dev
		WritableSys: true, // attributes set by rules, uevent files
		HostNet:     true, // kernel uevents and link names belong to this network namespace
		AllDevices:  true, // blkid and the *_id helpers open what they name
		Capabilities: []string{
			"CAP_SYS_MODULE",   // kmod builtin: load a driver by modalias
			"CAP_NET_ADMIN",    // rename links, send to the udev netlink group, force receive buffers
			"CAP_SYS_ADMIN",    // re-read partition tables, ata_id and cdrom_id ioctls, loop status
			"CAP_SYS_RAWIO",    // scsi_id: SG_IO commands beyond the safe list
			"CAP_MKNOD",        // static nodes that modules.devname names
			"CAP_CHOWN",        // GROUP= and OWNER= of rules
			"CAP_FOWNER",       // MODE= on a node that a rule gave to somebody else
			"CAP_DAC_OVERRIDE", // sysfs attributes and nodes that are not root's
		},
		NoNewPrivileges: true,
		Limits: unit.Limits{
			MemoryMax:   min(max(m.RAM/4, 64*mib), 512*mib),
			PidsMax:     256,
			CPUWeight:   20, // a coldplug takes seconds of CPU that the rest of the boot needs more
			OOMScoreAdj: oomUdev,
		},
		Cgroup:      "system",
		Group:       unit.CoreGroup,
		Requires:    []string{NeedsModules},
		Ready:       unit.Probe{File: udevControl, Timeout: 30 * time.Second},
		Restart:     unit.RestartAlways,
		StopTimeout: 5 * time.Second,
	}
}
