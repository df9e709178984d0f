package nocloud

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

const (
	key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX alice"
	key2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH2wMqkvC9xUT0pky/Ou0fDuhjgApqz1Gk++QdbMKUN bob"
)

func TestFetch(t *testing.T) {
	tests := []struct {
		name   string
		volume fstest.MapFS
		want   datasource.Result
	}{
		{"all", datasourcetest.Volume("meta-data", "instance-id: i-1\nlocal-hostname: box\npublic-keys: ["+key1+"]\n", "user-data", "#cloud-config\n"),
			datasource.Result{InstanceID: "i-1", Hostname: "box", Keys: []string{key1}, UserData: []byte("#cloud-config\n")}},
		{"JSON", datasourcetest.Volume("meta-data", `{"instance-id": "i-1", "hostname": "box"}`),
			datasource.Result{InstanceID: "i-1", Hostname: "box"}},
		{"keys by name", datasourcetest.Volume("meta-data", "public-keys:\n  alice: "+key1+"\n  bob: {openssh-key: '"+key2+"'}\n"),
			datasource.Result{Keys: []string{key1, key2}}},
		{"keys in lines", datasourcetest.Volume("meta-data", "public-keys: |\n  "+key1+"\n\n  "+key2+"\n"),
			datasource.Result{Keys: []string{key1, key2}}},
		{"keys by number", datasourcetest.Volume("meta-data", "public-keys:\n  0:\n    openssh-key: "+key1+"\n"),
			datasource.Result{Keys: []string{key1}}},
		{"empty meta-data", datasourcetest.Volume("meta-data", "", "user-data", "#!/bin/sh\n"), datasource.Result{UserData: []byte("#!/bin/sh\n")}},
		{"user-data alone", datasourcetest.Volume("user-data", "x"), datasource.Result{UserData: []byte("x")}},
		{"names of plain ISO 9660", datasourcetest.Volume("META_DATA.;1", "instance-id: i-1\n", "USER_DATA.;1", "x"),
			datasource.Result{InstanceID: "i-1", UserData: []byte("x")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(tt.volume, "/dev/sr0").Fetch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Where, tt.want.UserDataFile = "/dev/sr0:meta-data", "/dev/sr0:user-data"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFetchNothing(t *testing.T) {
	_, err := New(datasourcetest.Volume("readme", "x"), "/dev/sr0").Fetch(t.Context())
	if !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestFetchBad(t *testing.T) {
	got, err := New(datasourcetest.Volume("meta-data", "a: b: c\n", "user-data", "x", "network-config", "a: [\n"), "/dev/sr0").Fetch(t.Context())
	if err != nil || string(got.UserData) != "x" {
		t.Errorf("user-data %q, %v", got.UserData, err)
	}
	for _, want := range []string{"/dev/sr0:meta-data:1:4: error: ", "/dev/sr0:network-config:1:4: error: "} {
		if !strings.Contains(got.Report.String(), want) {
			t.Errorf("report %q lacks %q", got.Report, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name, text string
		want       osconfig.Network
		say        string
	}{
		{"version 2", `
version: 2
renderer: networkd
ethernets:
  lan:
    match: {macaddress: "52:54:00:AA:BB:CC"}
    set-name: lan
    dhcp4: false
    addresses: [10.0.0.2/24, "fd00::2/64"]
    gateway4: 10.0.0.1
    gateway6: "fd00::1"
    mtu: 1400
    nameservers: {addresses: [10.0.0.1, 10.0.0.3], search: [lan]}
  enp0s3: {dhcp4: true, dhcp6: true}
`, osconfig.Network{
			Interfaces: map[string]osconfig.Interface{
				"lan": {Match: "mac=52:54:00:aa:bb:cc", SetName: "lan", DHCP: &no, Addresses: []string{"10.0.0.2/24", "fd00::2/64"}, Gateway: "10.0.0.1", GatewayIPv6: "fd00::1", MTU: 1400,
					DNS: osconfig.DNS{Nameservers: []string{"10.0.0.1", "10.0.0.3"}, Search: []string{"lan"}}},
				"enp0s3": {DHCP: &yes, DHCP6: &yes},
			},
		}, "renderer"},
		{"version 2 with a frame and routes", `
network:
  version: 2
  ethernets:
    e:
      match: {name: "en*"}
      addresses: [10.0.0.2/24]
      routes: [{to: default, via: 10.0.0.1}, {to: "::/0", via: "fd00::1"}, {to: 10.1.0.0/16, via: 10.0.0.9}]
  bonds: {}
  modems: {}
`, osconfig.Network{Interfaces: map[string]osconfig.Interface{
			"e": {Match: "en*", Addresses: []string{"10.0.0.2/24"}, Gateway: "10.0.0.1", GatewayIPv6: "fd00::1",
				Routes: []osconfig.Route{{To: "10.1.0.0/16", Via: "10.0.0.9"}}},
		}}, "modems"},
		{"version 1", `
version: 1
config:
  - type: physical
    name: eth0
    mac_address: '52:54:00:AA:BB:CC'
    mtu: 9000
    subnets:
      - {type: static, address: 10.0.0.2, netmask: 255.255.255.0, gateway: 10.0.0.1, dns_nameservers: [10.0.0.1]}
      - {type: static6, address: 'fd00::2/64', gateway: 'fd00::1'}
  - type: physical
    name: eth1
    subnets: [{type: dhcp4}]
  - type: nameserver
    address: [10.0.0.53]
    search: lan
  - type: tap
    name: tap0
`, osconfig.Network{
			DNS: osconfig.DNS{Nameservers: []string{"10.0.0.53"}, Search: []string{"lan"}},
			Interfaces: map[string]osconfig.Interface{
				"mac=52:54:00:aa:bb:cc": {MTU: 9000, Addresses: []string{"10.0.0.2/24", "fd00::2/64"}, Gateway: "10.0.0.1", GatewayIPv6: "fd00::1",
					DNS: osconfig.DNS{Nameservers: []string{"10.0.0.1"}}},
				"eth1": {DHCP: &yes},
			},
		}, "type tap"},
		{"no version", "hello: x\n", osconfig.Network{}, "without version"},
		{"odd kinds", "version: 1\nconfig: [x, {type: [a]}, {type: physical, name: e0, subnets: [y, {type: static}]}]\n",
			osconfig.Network{}, "static subnet without an address"},
		{"odd kinds 2", "version: 2\nethernets: {e: 5, f: {match: x, nameservers: [1], routes: [x], addresses: {a: b}}}\nwifis: 3\n",
			osconfig.Network{}, "wifis"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer, bad := osconfig.Parse("metadata", "network-config", []byte(tt.text))
			if len(bad) > 0 {
				t.Fatal(bad)
			}
			node, report := Network(layer.Doc)
			if (tt.say == "") != (len(report) == 0) || !strings.Contains(report.String(), tt.say) {
				t.Errorf("report %q does not say %q", report, tt.say)
			}
			cfg, wrong := osconfig.Decode(osconfig.Merge(datasource.Result{Network: node}.Metadata("metadata")))
			if strings.HasPrefix(tt.name, "odd") {
				return // it is enough that nothing panicked
			}
			if diff := cmp.Diff(tt.want, cfg.Rancher.Network); diff != "" || wrong.HasErrors() {
				t.Errorf("%s-want +got:\n%s", wrong, diff)
			}
		})
	}
}
