package openstack

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/openstack/latest/meta_data.json"}}, "kvm", "metal")
}

func TestVendorData(t *testing.T) {
	for in, want := range map[string]string{
		`"#cloud-config\n"`:                 "#cloud-config\n",
		`{"cloud-init": "a"}`:               "a",
		`{"cloud-init": ["", 1, "a", "b"]}`: "a",
		`{"cloud-init": {"a": "b"}}`:        "",
		`["a"]`:                             "a",
		`{}`:                                "",
		`nonsense`:                          "",
		``:                                  "",
	} {
		if got := string(ParseVendorData([]byte(in))); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		out, err := ParseMetaData("fuzz", data)
		out.VendorData = ParseVendorData(data)
		out.Network, out.Report = ParseNetworkData("fuzz", data)
		return out, err
	})
}
