package load

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestLocalWins: with a volume nobody asks the cloud.
func TestLocalWins(t *testing.T) {
	l := &Loader{Root: t.TempDir(), Sys: dmi("1"), Devices: cidata("", "#cloud-config\nhostname: volume\n")}
	if got := l.Load(t.Context()); len(got.Pending) > 0 || got.Config.Hostname != "volume" {
		t.Errorf("%+v %+v", got.Pending, got.Config)
	}
	l.Devices = &disks{}
	if got := l.Load(t.Context()); len(got.Pending) != 1 || got.Pending[0].Source != "digitalocean" {
		t.Errorf("%+v", got.Pending)
	}
}

// TestURLBesideVolume: a URL that somebody wrote is read besides a volume, and
// is the stronger; who the machine is, the volume says.
func TestURLBesideVolume(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "#cloud-config\nhostname: url\n")
	}))
	defer s.Close()
	l := &Loader{Root: t.TempDir(), Sys: dmi("1"), KeepLastGood: true, Cmdline: "cloud-config-url=" + s.URL + "/c.yml",
		Devices: cidata("instance-id: i-1\n", "#cloud-config\nhostname: volume\ntimezone: UTC\n")}
	for range 2 {
		l.Answer, l.Asked = nil, false
		first, second, err := boot(t, l, time.Minute)
		if err != nil || first.Config.Hostname != "volume" || second.Config.Hostname != "url" || second.Config.Timezone != "UTC" || second.InstanceID != "i-1" {
			t.Errorf("%v %+v %+v", err, first.Sources, second.Sources)
		}
		if a := l.cached(); a == nil || a.Source != "nocloud" {
			t.Errorf("kept %+v", a)
		}
	}
}

func TestConfigDrives(t *testing.T) {
	d := &disks{labels: map[string]string{"/dev/sr0": "config-2"}, volumes: map[string]fstest.MapFS{"/dev/sr0": {
		"openstack/latest/meta_data.json": {Data: []byte(`{"uuid": "u-1", "hostname": "nova"}`)},
	}}}
	l := &Loader{Root: t.TempDir(), Devices: d}
	if got := l.Load(t.Context()); got.Config.Hostname != "nova" || got.InstanceID != "u-1" || got.Datasource != "configdrive" {
		t.Errorf("%+v", got.Config)
	}
	d.volumes["/dev/sr0"] = fstest.MapFS{"digitalocean_meta_data.json": {Data: []byte(`{"droplet_id": 5, "hostname": "drive", "user_data": "#cloud-config\nlocale: C\n"}`)}}
	if got := l.Load(t.Context()); got.Config.Hostname != "drive" || got.InstanceID != "5" || got.Datasource != "digitalocean" || got.Config.Locale != "C" {
		t.Errorf("%+v", got.Config)
	}
}

func TestUselessVolumes(t *testing.T) {
	d := &disks{volumes: map[string]fstest.MapFS{"/dev/sr0": {"readme": {Data: []byte("x")}}}}
	l := &Loader{Root: t.TempDir(), Devices: d}
	got := l.Load(t.Context())
	if !strings.Contains(got.Report.String(), "nocloud: error: not used: /dev/sr0 has neither meta-data nor user-data") {
		t.Errorf("%s", got.Report)
	}
	d.volumes["/dev/vda"] = fstest.MapFS{"user-data": {Data: []byte("hostname: a\n")}}
	d.volumes["/dev/vdb"] = fstest.MapFS{"user-data": {Data: []byte("hostname: b\n")}}
	if got := l.Load(t.Context()); got.Config.Hostname != "a" || !strings.Contains(got.Report.String(), "/dev/vdb:meta-data: warning: not used: /dev/vda:meta-data was found first") {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
	d.volumes = map[string]fstest.MapFS{"/dev/vda": {"user-data": {Data: []byte("hostname: a\n")}, "network-config": {Data: []byte("version: 2\nethernets: {e0: {addresses: [x]}}\n")}}}
	d.volumes["/dev/vda"]["network-config"].Data = []byte("version: 2\nethernets: {e0: {mtu: 1400}}\n")
	got = l.Load(t.Context())
	if n := got.Config.Rancher.Network.Interfaces; len(n) != 1 || n["e*"].DHCP == nil || !strings.Contains(got.Report.String(), "its network is not used") {
		t.Errorf("%s%+v", got.Report, n)
	}
}

// TestSections: a section with an error makes way for the one of the last
// good copy; the others are the new ones.
func TestSections(t *testing.T) {
	l := &Loader{Root: t.TempDir(), KeepLastGood: true}
	write(t, l.Root, UserFile, "hostname: one\nrancher: {network: {interfaces: {eth0: {address: 10.0.0.2/24, mtu: 1400}}}, sysctl: {vm.swappiness: 1}}\n")
	if got := l.Load(t.Context()); got.Report.HasErrors() {
		t.Fatal(got.Report)
	}
	write(t, l.Root, UserFile, "hostname: two\nrancher: {network: {interfaces: {eth0: {address: 10.0.0.3/24, mtu: x}}}, sysctl: {vm.swappiness: 2}}\n")
	got := l.Load(t.Context())
	eth0 := got.Config.Rancher.Network.Interfaces["eth0"]
	if eth0.Address != "10.0.0.2/24" || eth0.MTU != 1400 || got.Config.Hostname != "two" || got.Config.Rancher.Sysctl["vm.swappiness"] != "2" {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
	if !strings.Contains(got.Report.String(), "rancher.network: not used; what the last good copy says takes its place: "+lastGood+"/cloud-config.yml") || got.Sources[0].State != Partly {
		t.Errorf("%+v\n%s", got.Sources, got.Report)
	}
	if pos, _ := got.Document.Source("rancher.network.interfaces.eth0.mtu"); pos.File != lastGood+"/cloud-config.yml" {
		t.Errorf("mtu comes from %+v", pos)
	}
}

// TestBond: a machine whose metadata bonds its links has the bond, and nothing
// else asks for addresses.
func TestBond(t *testing.T) {
	d := &disks{labels: map[string]string{"/dev/sr0": "config-2"}, volumes: map[string]fstest.MapFS{"/dev/sr0": {
		"openstack/latest/meta_data.json": {Data: []byte(`{"uuid": "u-1"}`)},
		"openstack/latest/network_data.json": {Data: []byte(`{
			"links": [{"id": "a", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:0A"}, {"id": "b", "type": "bond", "bond_links": ["a"], "bond_mode": "4"}],
			"networks": [{"link": "b", "type": "ipv4", "ip_address": "192.0.2.1", "netmask": "255.255.255.0"}]}`)},
	}}}
	got := (&Loader{Root: t.TempDir(), Devices: d}).Load(t.Context())
	links := got.Config.Rancher.Network.Interfaces
	if b, l := links["bond0"], links["mac=52:54:00:00:00:0a"]; b.Type != "bond" || len(b.Addresses) != 1 || l.Bond != "bond0" || len(links) != 2 {
		t.Errorf("%+v", links)
	}
	if s := got.Report.String(); got.Report.HasErrors() || strings.Contains(s, "not carried out") {
		t.Error(s)
	}
}
