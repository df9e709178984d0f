package rtnl

import (
	"os"
	"path/filepath"
	"testing"
)

// tree makes a sysfs: what is a device has its bus, and perhaps its driver.
func tree(t *testing.T, devices [][3]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := func(to, from string) {
		if err := os.MkdirAll(filepath.Dir(from), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range devices {
		at := filepath.Join(root, "devices", d[0])
		link(filepath.Join(root, "bus", d[1]), filepath.Join(at, "subsystem"))
		link(at, filepath.Join(root, "bus", d[1], "devices", filepath.Base(at)))
		if d[2] != "" {
			link(filepath.Join(root, "bus", d[1], "drivers", d[2]), filepath.Join(at, "driver"))
		}
	}
	return root
}

// TestIdentify: paths as udev's path_id writes them.
func TestIdentify(t *testing.T) {
	root := tree(t, [][3]string{
		{"pci0000:00/0000:00:03.0", "pci", "virtio-pci"},
		{"pci0000:00/0000:00:03.0/virtio2", "virtio", "virtio_net"},
		{"pci0000:00/0000:00:1c.0", "pci", "pcieport"},
		{"pci0000:00/0000:00:1c.0/0000:02:00.1", "pci", "ixgbe"},
		{"pci0000:00/0000:00:14.0", "pci", "xhci_hcd"},
		{"pci0000:00/0000:00:14.0/usb1", "usb", "usb"},
		{"pci0000:00/0000:00:14.0/usb1/1-2", "usb", "usb"},
		{"pci0000:00/0000:00:14.0/usb1/1-2/1-2.4", "usb", "usb"},
		{"pci0000:00/0000:00:14.0/usb1/1-2/1-2.4/1-2.4:1.0", "usb", "cdc_ether"},
		{"platform/soc", "platform", ""},
		{"platform/soc/fd580000.ethernet", "platform", "bcmgenet"},
		{"platform/fd500000.pcie", "platform", "brcm-pcie"},
		{"platform/fd500000.pcie/pci0001:00/0001:00:00.0", "pci", "nvme"},
		{"vif-0", "xen", "vif"},
		{"LNXSYSTM:00/LNXSYBUS:00", "acpi", ""},
		{"LNXSYSTM:00/LNXSYBUS:00/VMBUS:01", "acpi", "hv_vmbus"},
		{"LNXSYSTM:00/LNXSYBUS:00/VMBUS:01/f8615163", "vmbus", "hv_netvsc"},
		{"virtual/odd0", "odd", ""},
	})
	for _, c := range []struct{ bus, device, driver, path string }{
		{"virtio", "virtio2", "virtio_net", "pci-0000:00:03.0"},
		{"pci", "0000:02:00.1", "ixgbe", "pci-0000:02:00.1"},
		{"usb", "1-2.4:1.0", "cdc_ether", "pci-0000:00:14.0-usb-0:2.4:1.0"},
		{"platform", "fd580000.ethernet", "bcmgenet", "platform-fd580000.ethernet"},
		{"pci", "0001:00:00.0", "nvme", "platform-fd500000.pcie-pci-0001:00:00.0"},
		{"xen", "vif-0", "vif", "xen-vif-0"},
		{"vmbus", "f8615163", "hv_netvsc", "acpi-VMBUS:01"},
		{"odd", "odd0", "", ""},
		{"pci", "0000:09:00.0", "", ""},
	} {
		if got, want := lookUp(root, c.bus, c.device), (identity{c.driver, c.path}); got != want {
			t.Errorf("%s: %+v, want %+v", c.device, got, want)
		}
	}
}

// TestIdentifyHere: of the hardware of this machine, if there is any, the
// driver is the one that sysfs shows.
func TestIdentifyHere(t *testing.T) {
	c, err := Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 { // the second time from memory
		links, err := c.Links()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			driver, _ := os.Readlink(filepath.Join("/sys/class/net", l.Name, "device", "driver"))
			if driver != "" && l.Driver != filepath.Base(driver) || driver == "" && l.Driver != "" || (l.Path != "") != (l.Driver != "") {
				t.Errorf("%s: driver %q, path %q; sysfs shows %q", l.Name, l.Driver, l.Path, driver)
			}
		}
	}
}
