package detect

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// sys makes a /sys with DMI fields, given as name, value.
func sys(fields ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(fields); i += 2 {
		out["class/dmi/id/"+fields[i]] = &fstest.MapFile{Data: []byte(fields[i+1] + "\n")}
	}
	return out
}

// machines are what clouds write into their machines' DMI tables.
func machines() []struct {
	name string
	sys  fs.FS
	want string
} {
	return []struct {
		name string
		sys  fs.FS
		want string
	}{
		{"DigitalOcean", sys("sys_vendor", "DigitalOcean", "product_name", "Droplet", "product_serial", "2756294", "bios_vendor", "DigitalOcean"), "digitalocean"},
		{"EC2 Nitro", sys("sys_vendor", "Amazon EC2", "product_name", "m5.large", "bios_vendor", "Amazon EC2", "chassis_asset_tag", "Amazon EC2", "board_asset_tag", "i-0af01c0123456789a"), "ec2"},
		{"EC2 Xen", sys("sys_vendor", "Xen", "product_name", "HVM domU", "product_uuid", "EC2AE145-D1DC-13B2-94ED-012345ABCDEF", "product_serial", "ec2ae145-d1dc-13b2-94ed-012345abcdef", "bios_version", "4.2.amazon"), "ec2"},
		{"GCE", sys("sys_vendor", "Google", "product_name", "Google Compute Engine", "product_serial", "GoogleCloud-8F2E88D6E5C1B1C1"), "gce"},
		{"Azure", sys("sys_vendor", "Microsoft Corporation", "product_name", "Virtual Machine", "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"), "azure"},
		{"Hyper-V is not Azure", sys("sys_vendor", "Microsoft Corporation", "product_name", "Virtual Machine", "chassis_asset_tag", "0000-0011-2233"), ""},
		{"Hetzner", sys("sys_vendor", "Hetzner", "product_name", "vServer", "product_serial", "1234567"), "hetzner"},
		{"Vultr", sys("sys_vendor", "Vultr", "product_name", "VC2"), "vultr"},
		{"Linode", sys("sys_vendor", "Linode", "product_name", "Compute Instance"), "linode"},
		{"Akamai", sys("sys_vendor", "Akamai", "product_name", "Compute Instance"), "linode"},
		{"Scaleway", sys("sys_vendor", "Scaleway", "product_name", "SCW-DEV1-S"), "scaleway"},
		{"Exoscale", sys("sys_vendor", "Exoscale", "product_name", "Exoscale Compute Platform"), "exoscale"},
		{"CloudStack", sys("sys_vendor", "Apache Software Foundation", "product_name", "CloudStack KVM Hypervisor"), "cloudstack"},
		{"OpenStack", sys("sys_vendor", "OpenStack Foundation", "product_name", "OpenStack Nova"), "openstack"},
		{"OpenStack of Red Hat", sys("sys_vendor", "Red Hat", "product_name", "OpenStack Compute"), "openstack"},
		{"Open Telekom Cloud", sys("sys_vendor", "Xen", "product_name", "HVM domU", "chassis_asset_tag", "OpenTelekomCloud"), "openstack"},
		{"Alibaba", sys("sys_vendor", "Alibaba Cloud", "product_name", "Alibaba Cloud ECS"), "aliyun"},
		{"Oracle", sys("sys_vendor", "QEMU", "product_name", "Standard PC (i440FX + PIIX, 1996)", "chassis_asset_tag", "OracleCloud.com"), "oracle"},
		{"VMware", sys("sys_vendor", "VMware, Inc.", "product_name", "VMware7,1", "product_serial", "VMware-56 4d 1f 7c"), "vmware"},
		{"Proxmox", sys("sys_vendor", "QEMU", "product_name", "Proxmox VE"), ""},
		{"QEMU", sys("sys_vendor", "QEMU", "product_name", "Standard PC (Q35 + ICH9, 2009)"), ""},
		{"a server of Equinix Metal", sys("sys_vendor", "Dell Inc.", "product_name", "PowerEdge R640"), ""},
		{"no DMI", fstest.MapFS{}, ""},
		{"no /sys", nil, ""},
		{"bytes", sys("sys_vendor", "\xff\xfe\x00"), ""},
	}
}

func TestCloud(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range machines() {
		c, ok := Cloud(m.sys)
		if ok != (m.want != "") || ok && c.Source != m.want {
			t.Errorf("%s: %+v, %t; want %q", m.name, c, ok, m.want)
		}
		if ok && !strings.Contains(c.Why, "the firmware's ") {
			t.Errorf("%s: why is %q", m.name, c.Why)
		}
		seen[c.Source] = true
	}
	for _, r := range rules() {
		if !seen[r.source] {
			t.Errorf("no test knows %s", r.source)
		}
	}
}

// names prints a decision: local | online.
func names(d Decision) string {
	var local, online []string
	for _, c := range d.Local {
		local = append(local, c.String())
	}
	for _, c := range d.Online {
		online = append(online, c.String())
	}
	if d.None {
		return "none"
	}
	return strings.TrimSpace(strings.Join(local, " ") + " | " + strings.Join(online, " "))
}

func TestDecide(t *testing.T) {
	droplet := sys("sys_vendor", "DigitalOcean")
	seeded := sys("product_serial", "ds=nocloud;s=http://10.0.2.2:8000/;h=box;i=id-1")
	fwcfg := fstest.MapFS{"firmware/qemu_fw_cfg/by_name/opt/pharos/user-data/raw": {Data: []byte("x")}}
	own := fstest.MapFS{"firmware/qemu_fw_cfg/by_name/opt/ovmf/X-PciMmio64Mb/raw": {Data: []byte("x")}}
	tests := []struct {
		name string
		m    Machine
		want string
	}{
		{"a plain machine", Machine{Sys: sys()}, "nocloud configdrive |"},
		{"a droplet", Machine{Sys: droplet}, "nocloud configdrive | digitalocean"},
		{"VMware", Machine{Sys: sys("sys_vendor", "VMware, Inc.")}, "nocloud configdrive vmware |"},
		{"fw_cfg", Machine{Sys: fwcfg}, "nocloud configdrive fwcfg |"},
		{"fw_cfg of the firmware", Machine{Sys: own}, "nocloud configdrive |"},
		{"serial", Machine{Sys: seeded}, "nocloud configdrive | nocloud:http://10.0.2.2:8000/"},
		{"a serial that is a number", Machine{Sys: sys("product_serial", "nocloud;s=http://x/")}, "nocloud configdrive |"},
		{"ds", Machine{Sys: droplet, DS: "nocloud;s=http://seed/"}, "nocloud configdrive | nocloud:http://seed/"},
		{"ds nocloud-net", Machine{Sys: sys(), DS: "nocloud-net;s=https://seed/a/"}, "nocloud configdrive | nocloud:https://seed/a/"},
		{"ds without a place", Machine{Sys: droplet, DS: "nocloud"}, "nocloud configdrive | digitalocean"},
		{"ds with a path", Machine{Sys: sys(), DS: "nocloud;s=/var/seed/"}, "nocloud:/var/seed/ nocloud configdrive |"},
		{"ds escaped", Machine{Sys: sys(), DS: `nocloud\;s=http://seed/`}, "nocloud configdrive | nocloud:http://seed/"},
		{"tftp", Machine{Sys: sys(), Wanted: []string{"tftp:10.0.0.1/a"}}, "nocloud configdrive |"},
		{"another ds", Machine{Sys: sys(), DS: "ec2"}, "nocloud configdrive |"},
		{"URL", Machine{Sys: sys(), ConfigURL: "http://x/c.yml"}, "nocloud configdrive | cmdline:http://x/c.yml"},
		{"URL on a droplet", Machine{Sys: droplet, ConfigURL: "http://x/c.yml"}, "nocloud configdrive | cmdline:http://x/c.yml"},
		{"none", Machine{Sys: droplet, Wanted: []string{"none"}, DS: "nocloud;s=http://x/"}, "none"},
		{"a list", Machine{Sys: droplet, Wanted: []string{"nocloud"}}, "nocloud |"},
		{"a place", Machine{Sys: sys(), Wanted: []string{"digitalocean:http://127.0.0.1:80"}}, "| digitalocean:http://127.0.0.1:80"},
		{"other names", Machine{Wanted: []string{"packet", "proxmox"}}, "nocloud | equinix"},
		{"RancherOS's mount points", Machine{Wanted: []string{"configdrive:/media/config-2", "proxmox:/media/pve-config"}}, "configdrive nocloud |"},
		{"RancherOS's iPXE list", Machine{Sys: droplet, Wanted: []string{"configdrive", "ec2", "gce", "packet", "digitalocean"}}, "configdrive | digitalocean"},
		{"a list without the cloud", Machine{Sys: droplet, Wanted: []string{"ec2", "gce"}}, "| ec2 gce"},
		{"a list and ds", Machine{Sys: droplet, Wanted: []string{"nocloud"}, DS: "nocloud;s=http://x/"}, "nocloud | nocloud:http://x/"},
		{"a list with cmdline", Machine{Wanted: []string{"cmdline"}, ConfigURL: "http://x/"}, "| cmdline:http://x/"},
		{"all", Machine{Sys: droplet, Wanted: []string{"*"}}, "nocloud configdrive | digitalocean"},
		{"files and URLs", Machine{Wanted: []string{"file:/a.yml", "url:http://x/y", "nocloud:http://z/"}}, "file:/a.yml | url:http://x/y nocloud:http://z/"},
	}
	for _, tt := range tests {
		if got := names(Decide(tt.m)); got != strings.TrimSpace(tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	want := Choice{Source: "nocloud", Place: "http://10.0.2.2:8000/", HostName: "box", InstanceID: "id-1", Why: "the system's serial number"}
	if diff := cmp.Diff(want, Decide(Machine{Sys: seeded}).Online[0]); diff != "" {
		t.Error(diff)
	}
}

func TestAllows(t *testing.T) {
	if d := Decide(Machine{Wanted: []string{"ec2"}}); d.Allows("nocloud") || !d.Allows("ec2") {
		t.Error("a list allows what is on it")
	}
	if d := Decide(Machine{}); !d.Allows("nocloud") || !d.Allows("digitalocean") {
		t.Error("without a list everything is allowed")
	}
	if d := Decide(Machine{Wanted: []string{"none"}}); d.Allows("nocloud") {
		t.Error("none allows nothing")
	}
}

func TestIdentity(t *testing.T) {
	a := Identity(sys("product_uuid", "AB-CD", "product_serial", "1"))
	if a != "ab-cd/1" || a == Identity(sys("product_uuid", "AB-CD", "product_serial", "2")) {
		t.Errorf("%q", a)
	}
}

func FuzzDecide(f *testing.F) {
	f.Add("nocloud;s=http://x/;h=a;i=b", "ds=nocloud;s=http://x/", "ec2:http://x", "DigitalOcean")
	f.Fuzz(func(_ *testing.T, ds, serial, wanted, vendor string) {
		names(Decide(Machine{Sys: sys("product_serial", serial, "sys_vendor", vendor), DS: ds, Wanted: []string{wanted, "nocloud"}}))
	})
}
