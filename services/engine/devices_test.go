package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestMissingDevices(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := MissingDevices(osconfig.Engine{}, root); len(got) != 0 {
		t.Errorf("without containers: %q", got)
	}
	const dir = "var/lib/docker/containers/"
	write("dev/net/tun", "")
	write(dir+"a/hostconfig.json", `{"RestartPolicy": {"Name": "always"}, "Devices": [{"PathOnHost": "/dev/net/tun"}, {"PathOnHost": "/dev/ttyUSB0"}]}`)
	write(dir+"b/hostconfig.json", `{"RestartPolicy": {"Name": "unless-stopped"}, "Devices": [{"PathOnHost": "/dev/dri"}, {"PathOnHost": "/dev/ttyUSB0"}]}`)
	write(dir+"c/hostconfig.json", `{"RestartPolicy": {"Name": "no"}, "Devices": [{"PathOnHost": "/dev/other"}]}`)
	write(dir+"d/hostconfig.json", `{"Devices": [{"PathOnHost": "/dev/other"}]}`)
	write(dir+"e/hostconfig.json", `{"RestartPolicy": {"Name": "always"}, "Devices": null}`)
	write(dir+"f/hostconfig.json", `{"RestartPolicy": `)
	if d := cmp.Diff([]string{"/dev/dri", "/dev/ttyUSB0"}, MissingDevices(osconfig.Engine{}, root)); d != "" {
		t.Error(d)
	}
	if got := MissingDevices(osconfig.Engine{DataRoot: "/mnt/docker"}, root); len(got) != 0 {
		t.Errorf("another data root: %q", got)
	}
	write("dev/dri/card0", "")
	write("dev/ttyUSB0", "")
	if got := MissingDevices(osconfig.Engine{}, root); len(got) != 0 {
		t.Errorf("all are there: %q", got)
	}
}
