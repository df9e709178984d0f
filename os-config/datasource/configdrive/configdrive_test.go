package configdrive

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestDrives(t *testing.T) {
	datasourcetest.Goldens(t, func(name string) datasource.Source {
		return New(os.DirFS("testdata/"+name), "/dev/sr0")
	}, "nova", "ec2")
}

func TestFetch(t *testing.T) {
	tests := []struct {
		name  string
		files fstest.MapFS
		want  string // of the text
	}{
		{"user-data alone", datasourcetest.Volume("openstack/latest/user_data", "x"), `user-data /dev/sr0:openstack/latest/user_data: "x"`},
		{"dates", datasourcetest.Volume("openstack/2012-08-10/meta_data.json", `{"uuid": "old"}`, "openstack/2018-08-27/meta_data.json", `{"uuid": "new"}`, "openstack/content/0000", "x"), "instance-id: new"},
		{"broken metadata", datasourcetest.Volume("openstack/latest/meta_data.json", "{", "openstack/latest/user_data", "x"), `user-data /dev/sr0:openstack/latest/user_data: "x"`},
		{"and says so", datasourcetest.Volume("openstack/latest/meta_data.json", "{", "openstack/latest/user_data", "x"), "/dev/sr0:openstack/latest/meta_data.json: error: "},
		{"broken network", datasourcetest.Volume("openstack/latest/meta_data.json", `{"uuid": "a"}`, "openstack/latest/network_data.json", "["), "/dev/sr0:openstack/latest/network_data.json: error: "},
		{"broken EC2", datasourcetest.Volume("ec2/latest/meta-data.json", "[]"), "/dev/sr0:ec2/latest/meta-data.json: error: "},
	}
	for _, tt := range tests {
		got, err := New(tt.files, "/dev/sr0").Fetch(t.Context())
		if err != nil || !strings.Contains(datasourcetest.Text(got), tt.want) {
			t.Errorf("%s: %v\n%swant %s", tt.name, err, datasourcetest.Text(got), tt.want)
		}
	}
	for name, files := range map[string]fstest.MapFS{
		"empty": datasourcetest.Volume(), "other files": datasourcetest.Volume("readme", "x"), "an empty folder": datasourcetest.Volume("openstack/latest/other", "x"), "no version": datasourcetest.Volume("openstack/content/0000", "x"),
	} {
		if _, err := New(files, "/dev/sr0").Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	_, err := New(datasourcetest.Volume("openstack/latest/user_data", strings.Repeat("a", 2<<20)), "/dev/sr0").Fetch(t.Context())
	if err == nil || !strings.Contains(err.Error(), "read /dev/sr0:openstack/latest/user_data: more than") {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		out := parseEC2("w", data)
		out.Network = parse("w", files{meta: data, network: data, vendor: data}).Network
		return out, nil
	})
}
