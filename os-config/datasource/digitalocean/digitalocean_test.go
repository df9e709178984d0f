package digitalocean

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/metadata/v1.json"}}, "droplet", "plain")
}

func sample(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/droplet/metadata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAnchorAndPrivate: one default route, whatever gateways the document has.
func TestAnchorAndPrivate(t *testing.T) {
	got, err := Parse("v1.json", sample(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg, report := osconfig.Decode(osconfig.Merge(got.Metadata("metadata")))
	if report.HasErrors() {
		t.Fatal(report)
	}
	links := cfg.Rancher.Network.Interfaces
	public, private := links["mac=04:01:2a:0f:2a:01"], links["mac=04:01:2a:0f:2a:02"]
	if public.Gateway != "104.131.0.1" || public.GatewayIPv6 == "" || len(public.Addresses) != 3 || public.Addresses[2] != "10.17.0.9/16" {
		t.Errorf("public: %+v", public)
	}
	if private.Gateway != "" || private.Addresses[0] != "10.132.255.113/16" {
		t.Errorf("private: %+v", private)
	}
	if got.Detail != "region nyc3, reserved IP 159.203.144.12" {
		t.Errorf("detail: %s", got.Detail)
	}
}

func TestDrive(t *testing.T) {
	files := fstest.MapFS{DriveFile: {Data: sample(t)}}
	got, err := NewDrive(files, "/dev/sr0").Fetch(t.Context())
	if err != nil || got.InstanceID != "2756294" || got.Where != "/dev/sr0:"+DriveFile {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := NewDrive(fstest.MapFS{}, "/dev/sr0").Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("no document: %v", err)
	}
	if _, err := NewDrive(fstest.MapFS{DriveFile: {Data: []byte("{")}}, "/dev/sr0").Fetch(t.Context()); err == nil || errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("half a document: %v", err)
	}
}

func TestParseBad(t *testing.T) {
	for text, say := range map[string]string{
		"":                                   "no usable JSON",
		"<html>":                             "no usable JSON",
		"[]":                                 "unexpected JSON array",
		`{"message": "denied"}`:              "no droplet's metadata",
		`{"droplet_id": 1, "interfaces": 5}`: "unexpected JSON number",
	} {
		if _, err := Parse("v1.json", []byte(text)); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want %q", text, err, say)
		}
	}
	got, err := Parse("v1.json", []byte(`{"droplet_id": 1, "interfaces": {"public": [
		{"mac": "junk", "ipv4": {"ip_address": "10.0.0.1", "netmask": "255.0.0.0"}},
		{"mac": "04:01:2a:0f:2a:01", "ipv4": {"ip_address": "300.0.0.1", "netmask": "255.0.0.0", "gateway": "x"}}]}}`))
	if err != nil || !strings.Contains(got.Report.String(), "junk") || !strings.Contains(got.Report.String(), "300.0.0.1") {
		t.Errorf("%s, %v", got.Report, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(`{"droplet_id":1,"interfaces":{"public":[{"mac":"x","ipv4":null}],"private":[null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Parse("v1.json", data)
		if err != nil {
			return
		}
		_, _, report := osconfig.DecodeLenient(got.Metadata("metadata"))
		for _, p := range report {
			if strings.HasPrefix(p.Path, "rancher.network") && p.Severity == osconfig.Error {
				t.Errorf("an invalid network: %s", p)
			}
		}
	})
}
