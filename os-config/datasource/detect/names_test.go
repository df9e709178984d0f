package detect_test

import (
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource/clouds"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// TestNamesAreOfOneList: what the validator takes as a datasource is looked
// for, and what can be asked is taken by the validator.
func TestNamesAreOfOneList(t *testing.T) {
	valid := func(name string) bool {
		if name == "url" {
			name = "url:http://192.0.2.1/x"
		}
		l, report := osconfig.Parse("x", "x.yml", []byte("rancher: {cloud_init: {datasources: ['"+name+"']}}\n"))
		return len(append(report, osconfig.Validate(osconfig.Merge(l))...)) == 0
	}
	for _, kind := range clouds.Kinds() {
		if !valid(kind) {
			t.Errorf("%s can be asked, and the validator refuses it", kind)
		}
	}
	// Other names of the same, cloud-init's among them.
	for _, name := range []string{"akamai", "alibaba", "config-drive", "nocloud-net", "packet", "proxmox"} {
		d := detect.Decide(detect.Machine{Wanted: []string{name}})
		if !valid(name) || len(d.Local)+len(d.Online) != 1 {
			t.Errorf("%s: %+v, valid: %v", name, d, valid(name))
		}
		for _, c := range d.Online {
			if _, ok := clouds.New(c.Source, c.Place, imds.Options{}); !ok {
				t.Errorf("%s: nothing knows %s", name, c.Source)
			}
		}
	}
}
