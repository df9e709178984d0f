package services

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/console"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/oci"
	"github.com/pharos-os/pharos/system/unit"
)

var update = flag.Bool("update", false, "write the golden files")

// TestSpecs keeps the OCI spec of every core unit: what one may do is
// reviewed as a file.
func TestSpecs(t *testing.T) {
	m := Machine{RAM: 2048 * mib, CPUs: 2, Wifi: true}
	cfg := osconfig.Config{Rancher: osconfig.Rancher{Network: osconfig.Network{
		WifiNetworks: map[string]osconfig.WifiNetwork{"home": {SSID: "home", CACerts: []string{"/opt/wifi/ca.pem"}}},
		Interfaces:   map[string]osconfig.Interface{"wlan0": {WifiNetwork: "home"}},
	}}}
	units := append(Core(cfg, m), console.Unit(console.Options{RAM: m.RAM, LibModules: true}))
	for _, u := range units {
		t.Run(u.Name, func(t *testing.T) {
			if err := u.Validate(); err != nil {
				t.Fatal(err)
			}
			spec, err := oci.Spec(u, oci.ImageConfig{Env: []string{"PATH=/usr/sbin:/usr/bin"}}, oci.Host{Controllers: []string{"cpu", "io", "memory", "pids"}, IOWeight: true})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(spec, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := filepath.Join("testdata", u.Name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error(cmp.Diff(string(want), string(got)))
			}
		})
	}
}

func TestCoreSwitches(t *testing.T) {
	no := false
	names := func(units []unit.Unit) (list []string) {
		for _, u := range units {
			list = append(list, u.Name)
		}
		return list
	}
	cases := map[string]struct {
		rancher osconfig.Rancher
		want    []string
	}{
		"all":           {want: []string{"udev", "syslog", "ntp", "docker"}},
		"no ntp":        {rancher: osconfig.Rancher{ServicesInclude: map[string]bool{"ntp": false, "syslog": true}}, want: []string{"udev", "syslog", "docker"}},
		"udev stays":    {rancher: osconfig.Rancher{ServicesInclude: map[string]bool{"udev": false}}, want: []string{"udev", "syslog", "ntp", "docker"}},
		"engine is off": {rancher: osconfig.Rancher{Docker: osconfig.Engine{Enabled: &no}}, want: []string{"udev", "syslog", "ntp"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, names(Core(osconfig.Config{Rancher: c.rancher}, Machine{RAM: 512 * mib, CPUs: 1}))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReserve(t *testing.T) {
	cases := map[int64]Budget{
		512 * mib:   {SystemMemoryMin: 48 * mib, UserMemoryMax: 416 * mib, UserPidsMax: 4096, UserCPUWeight: 50, UserIOWeight: 50},
		2048 * mib:  {SystemMemoryMin: 128 * mib, UserMemoryMax: 1792 * mib, UserPidsMax: 8192, UserCPUWeight: 50, UserIOWeight: 50},
		65536 * mib: {SystemMemoryMin: 512 * mib, UserMemoryMax: 64512 * mib, UserPidsMax: 262144, UserCPUWeight: 50, UserIOWeight: 50},
	}
	for ram, want := range cases {
		if d := cmp.Diff(want, Reserve(ram)); d != "" {
			t.Errorf("%d MiB: %s", ram/mib, d)
		}
	}
}
