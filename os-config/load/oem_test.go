package load

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// An OEM's file counts below everything else but the defaults, on either
// partition; what is wrong with it does not stop anything.
func TestOEM(t *testing.T) {
	root := t.TempDir()
	write(t, root, MediaFile, "rancher: {environment: {B: iso}}\n")
	d := &disks{
		labels: map[string]string{"/dev/sr0": "rancher_oem", "/dev/vda": "PHAROS_EFI", "/dev/vdb": "PHAROS_EFI"},
		volumes: map[string]fstest.MapFS{
			"/dev/sr0": {"oem-config.yml": {Data: []byte("hostname: old\nrancher: {environment: {A: old, B: old}}\n")}},
			"/dev/vda": {"pharos/cloud-config.yml": {Data: []byte("rancher: {environment: {A: efi, B: efi}}\n")}, "oem-config.yml": {Data: []byte("hostname: no\n")}},
			"/dev/vdb": {"EFI/boot/bootx64.efi": {}}, // none: an ordinary EFI partition
		},
	}
	got := (&Loader{Root: root, Devices: d}).Load(t.Context())
	if len(got.Report) > 0 {
		t.Errorf("reported:\n%s", got.Report)
	}
	if diff := cmp.Diff(map[string]string{"A": "efi", "B": "iso"}, got.Config.Rancher.Environment); diff != "" || got.Config.Hostname != "old" {
		t.Errorf("hostname %q, environment -want +got:\n%s", got.Config.Hostname, diff)
	}
	want := []Source{
		{"oem/sr0", "/dev/sr0:oem-config.yml", Used}, {"oem/vda", "/dev/vda:pharos/cloud-config.yml", Used},
		{"iso", MediaFile, Used},
	}
	if diff := cmp.Diff(want, got.Sources[:3]); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if d.mounted != 0 {
		t.Errorf("%d volumes stay mounted", d.mounted)
	}

	d.volumes["/dev/vda"]["pharos/cloud-config.yml"].Data = []byte("hostname: [\n")
	d.broken = map[string]bool{"/dev/vdb": true}
	got = (&Loader{Root: root, Devices: d}).Load(t.Context())
	if got.Config.Hostname != "old" || got.Report.Count(osconfig.Error) != 3 {
		t.Errorf("hostname %q, reported:\n%s", got.Config.Hostname, got.Report)
	}
}
