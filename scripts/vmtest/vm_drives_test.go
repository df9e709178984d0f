package vmtest

import (
	"fmt"
	"strings"
	"testing"
)

const (
	firstMAC  = "52:54:00:12:34:56" // of Spec.NICs
	secondMAC = "52:54:00:12:34:57"
)

// drive boots a machine with two cards and a volume that configures it.
func (l lab) drive(t *testing.T, label string, files map[string]string) *guest {
	t.Helper()
	volume := l.path("drive.iso")
	if err := WriteVolume(l.tools, volume, label, files); err != nil {
		t.Fatal(err)
	}
	spec := l.direct(l.files.SystemImg)
	spec.NICs = 2
	spec.Disks = append(spec.Disks, Disk{Path: volume, ReadOnly: true})
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	return g
}

// checkDrive looks for what both drives say.
func checkDrive(t *testing.T, g *guest, hostname, source string) {
	t.Helper()
	tests := []struct{ what, command, want string }{
		{"host name", "hostname", hostname},
		{"user-data", "cat /opt/vmtest/who", "user-data"},
		{"vendor-data", "cat /opt/vmtest/vendor", "vendor-data"},
		{"instance", "readlink /var/lib/cloud/instance", "instances/i-drive"},
	}
	for _, tt := range tests {
		if got := g.try(t, tt.command); strings.TrimSpace(got.Stdout) != tt.want {
			t.Errorf("%s: %s prints %q (%s), want %q", tt.what, tt.command, got.Stdout, got.Stderr, tt.want)
		}
	}
	for mac, address := range map[string]string{firstMAC: "10.0.2.15/24", secondMAC: "10.0.3.77/24"} {
		link := g.run(t, "ip -o link | grep "+mac+" | cut -d: -f2")
		if out := g.run(t, "ip -o -4 addr show dev "+strings.TrimSpace(link)); !strings.Contains(out, address) || strings.Count(out, "inet ") != 1 {
			t.Errorf("the card %s has %s, want %s", mac, out, address)
		}
	}
	if out := g.run(t, "cat /etc/resolv.conf"); !strings.Contains(out, "nameserver 10.0.3.53") {
		t.Errorf("resolv.conf:\n%s", out)
	}
	out := g.run(t, "ros config sources")
	if !strings.Contains(out, source) || !strings.Contains(out, "i-drive") {
		t.Errorf("ros config sources does not name %s and the instance", source)
	}
	t.Logf("ros config sources:\n%s", out)
}

const (
	driveUserData   = "#cloud-config\nwrite_files:\n  - {path: /opt/vmtest/who, content: \"user-data\\n\"}\n"
	driveVendorData = "#cloud-config\nhostname: vendor\nwrite_files:\n  - {path: /opt/vmtest/who, content: \"vendor\\n\"}\n  - {path: /opt/vmtest/vendor, content: \"vendor-data\\n\"}\n"
)

func TestVMNoCloudNetworkConfig(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.drive(t, "CIDATA", map[string]string{
		"meta-data":   "instance-id: i-drive\nlocal-hostname: seeded\npublic-keys: [\"" + l.key.Authorized() + "\"]\n",
		"user-data":   driveUserData,
		"vendor-data": driveVendorData,
		"network-config": fmt.Sprintf(`version: 2
ethernets:
  lan:
    match: {macaddress: "%s"}
    dhcp4: true
  storage:
    match: {macaddress: "%s"}
    addresses: [10.0.3.77/24]
    nameservers: {addresses: [10.0.3.53], search: [lab.example.org]}
`, firstMAC, secondMAC),
	})
	checkDrive(t, g, "seeded", "nocloud")
	if out := g.run(t, "cat /etc/resolv.conf"); !strings.Contains(out, "search lab.example.org") {
		t.Errorf("resolv.conf:\n%s", out)
	}
}

func TestVMConfigDrive(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.drive(t, "config-2", map[string]string{
		"openstack/latest/meta_data.json":   `{"uuid": "i-drive", "hostname": "driven.example.org", "name": "driven", "public_keys": {"lab": "` + l.key.Authorized() + `"}}`,
		"openstack/latest/user_data":        driveUserData,
		"openstack/latest/vendor_data.json": fmt.Sprintf(`{"cloud-init": %q}`, driveVendorData),
		"openstack/latest/network_data.json": fmt.Sprintf(`{
			"links": [{"id": "a", "type": "phy", "ethernet_mac_address": "%s", "mtu": 1500}, {"id": "b", "type": "phy", "ethernet_mac_address": "%s"}],
			"networks": [
				{"id": "n0", "type": "ipv4_dhcp", "link": "a", "network_id": "x"},
				{"id": "n1", "type": "ipv4", "link": "b", "ip_address": "10.0.3.77", "netmask": "255.255.255.0", "routes": [], "network_id": "y"}],
			"services": [{"type": "dns", "address": "10.0.3.53"}]}`, firstMAC, secondMAC),
	})
	checkDrive(t, g, "driven", "configdrive")
}
