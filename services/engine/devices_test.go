package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/beneath"
)

// host is a machine with containers and devices.
type host struct {
	t    *testing.T
	root string
}

func newHost(t *testing.T) host { return host{t, t.TempDir()} }

func (h host) write(path, text string) {
	h.t.Helper()
	path = filepath.Join(h.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

const hostContainers = "var/lib/docker/containers/"

// container adds a container that names devices.
func (h host) container(id, policy string, devices ...string) {
	h.t.Helper()
	var list []string
	for _, d := range devices {
		list = append(list, fmt.Sprintf(`{"PathOnHost": %q}`, d))
	}
	h.write(hostContainers+id+"/hostconfig.json", fmt.Sprintf(`{"RestartPolicy": {"Name": %q}, "Devices": [%s]}`, policy, strings.Join(list, ",")))
}

// missing asks with a deadline that only something that blocks can reach.
func (h host) missing(dataRoot string) []string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	got, err := MissingDevices(ctx, beneath.Place{Root: beneath.Root{Tree: h.root}, Path: dataRoot}, filepath.Join(h.root, "dev"))
	if err != nil {
		h.t.Error(err)
	}
	return got
}

func TestMissingDevices(t *testing.T) {
	h := newHost(t)
	if got := h.missing("/var/lib/docker"); len(got) != 0 {
		t.Errorf("without containers: %q", got)
	}
	h.write("dev/net/tun", "")
	h.container("a", "always", "/dev/net/tun", "/dev/ttyUSB0")
	h.container("b", "unless-stopped", "/dev/dri", "/dev/ttyUSB0", "/dev/dri/../../etc/none", "/srv/none")
	h.container("c", "no", "/dev/other")
	h.container("d", "", "/dev/other")
	h.write(hostContainers+"e/hostconfig.json", `{"RestartPolicy": {"Name": "always"}, "Devices": null}`)
	h.write(hostContainers+"f/hostconfig.json", `{"RestartPolicy": `)
	if d := cmp.Diff([]string{"/dev/dri", "/dev/ttyUSB0"}, h.missing("/var/lib/docker")); d != "" {
		t.Error(d)
	}
	if got := h.missing("/mnt/docker"); len(got) != 0 {
		t.Errorf("another data root: %q", got)
	}
	h.write("dev/dri/card0", "")
	h.write("dev/ttyUSB0", "")
	if got := h.missing("/var/lib/docker"); len(got) != 0 {
		t.Errorf("all are there: %q", got)
	}
}

// Containers can write to the data root. What they leave there neither blocks
// the boot nor fills the memory, and hides nothing.
func TestMissingDevicesHostile(t *testing.T) {
	h := newHost(t)
	h.container("real", "always", "/dev/real")
	h.write("secret/hostconfig.json", `{"RestartPolicy": {"Name": "always"}, "Devices": [{"PathOnHost": "/dev/secret"}]}`)
	at := func(path string) string { return filepath.Join(h.root, hostContainers, path) }
	for _, id := range []string{"fifo", "zero", "link", "huge", "directory"} {
		if err := os.Mkdir(at(id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		unix.Mkfifo(at("fifo/hostconfig.json"), 0o600),
		os.Symlink("/dev/zero", at("zero/hostconfig.json")),
		os.Symlink(filepath.Join(h.root, "secret/hostconfig.json"), at("link/hostconfig.json")),
		os.Symlink(filepath.Join(h.root, "secret"), at("linked")),
		os.WriteFile(at("huge/hostconfig.json"), nil, 0o600),
		os.Truncate(at("huge/hostconfig.json"), 1<<40),
		os.Mkdir(at("directory/hostconfig.json"), 0o700),
		unix.Mkfifo(at("entry"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"/dev/real"}, h.missing("/var/lib/docker")); d != "" {
		t.Error(d)
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("/dev/%d", i))
	}
	h.container("many", "always", many...)
	if got := h.missing("/var/lib/docker"); len(got) != mostMissing {
		t.Errorf("%d devices are named", len(got))
	}
}

func TestMissingDevicesInTime(t *testing.T) {
	h := newHost(t)
	h.container("a", "always", "/dev/a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := MissingDevices(ctx, beneath.Place{Root: beneath.Root{Tree: h.root}, Path: "/var/lib/docker"}, "/dev")
	if got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzDevices: whatever a container's file says, only devices are looked for.
func FuzzDevices(f *testing.F) {
	f.Add([]byte(`{"RestartPolicy": {"Name": "always"}, "Devices": [{"PathOnHost": "/dev/net/tun"}, {"PathOnHost": "/dev/../etc"}]}`))
	f.Add([]byte(`{"RestartPolicy": {"Name": "no"}, "Devices": [{"PathOnHost": "/dev/a"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, d := range devices(text) {
			if !strings.HasPrefix(d, "/dev/") || strings.Contains(d, "/../") || len(d) >= maxPath {
				t.Errorf("%q", d)
			}
		}
	})
}
