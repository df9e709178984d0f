package load

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const (
	key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX"
	key2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH2wMqkvC9xUT0pky/Ou0fDuhjgApqz1Gk++QdbMKUN"
)

// disks are volumes in memory; it fails the test when one stays mounted.
type disks struct {
	volumes map[string]fstest.MapFS // by device
	broken  map[string]bool         // devices that do not mount
	labels  map[string]string       // by device; else CIDATA
	mounted int
}

func (d *disks) Labelled(_ context.Context, labels ...string) ([]Device, error) {
	var out []Device
	for _, path := range []string{"/dev/sr0", "/dev/vda", "/dev/vdb"} {
		label := d.labels[path]
		if label == "" {
			label = "CIDATA"
		}
		matches := func(wanted string) bool {
			prefix, glob := strings.CutSuffix(wanted, "*")
			return strings.EqualFold(label, wanted) || glob && strings.HasPrefix(label, prefix)
		}
		if (d.volumes[path] != nil || d.broken[path]) && slices.ContainsFunc(labels, matches) {
			out = append(out, Device{Path: path, Label: label, FSType: "iso9660"})
		}
	}
	return out, nil
}

func (d *disks) Mount(_ context.Context, dev Device) (fs.FS, func() error, error) {
	if d.broken[dev.Path] {
		return nil, nil, errors.New("bad superblock")
	}
	d.mounted++
	return d.volumes[dev.Path], func() error { d.mounted--; return nil }, nil
}

func cidata(meta, user string) *disks {
	return &disks{volumes: map[string]fstest.MapFS{"/dev/sr0": {
		"meta-data": {Data: []byte(meta)}, "user-data": {Data: []byte(user)},
	}}}
}

func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadOrder(t *testing.T) {
	root := t.TempDir()
	// Each layer sets its own key and all that come later.
	write(t, root, MediaFile, "hostname: iso\nrancher: {environment: {A: iso, B: iso, C: iso, D: iso, E: iso, F: iso}}\n")
	write(t, root, DropInDir+"/10-a.yml", "hostname: ten\nrancher: {environment: {C: ten, D: ten, E: ten, F: ten}}\n")
	write(t, root, DropInDir+"/20-b.yml", "hostname: twenty\nrancher: {environment: {D: twenty, E: twenty, F: twenty}}\n")
	write(t, root, DropInDir+"/notes.txt", "not: read\n")
	write(t, root, UserFile, "hostname: conf\nrancher: {environment: {E: conf, F: conf}}\n")
	d := cidata("instance-id: i-7\nlocal-hostname: meta\npublic-keys: ['"+key1+"']\n",
		"#cloud-config\nhostname: user\nssh_authorized_keys: ['"+key2+"']\nrancher: {environment: {B: user, C: user, D: user, E: user, F: user}}\n")
	l := &Loader{Root: root, Cmdline: "quiet rancher.environment.F=cmdline\n", Devices: d}
	got := l.Load(t.Context())
	if len(got.Report) > 0 {
		t.Errorf("reported:\n%s", got.Report)
	}
	yes := true
	want := osconfig.Config{
		Hostname:          "conf",
		SSHAuthorizedKeys: []string{key1, key2},
		Rancher: osconfig.Rancher{
			Environment: map[string]string{"A": "iso", "B": "user", "C": "ten", "D": "twenty", "E": "conf", "F": "cmdline"},
			Network:     osconfig.Network{Interfaces: map[string]osconfig.Interface{"e*": {DHCP: &yes}}},
		},
	}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	wantSources := []Source{
		{"iso", MediaFile, Used},
		{"metadata", "/dev/sr0:meta-data", Used},
		{"user-data", "/dev/sr0:user-data", Used},
		{"cloud-config.d/10-a.yml", DropInDir + "/10-a.yml", Used},
		{"cloud-config.d/20-b.yml", DropInDir + "/20-b.yml", Used},
		{"cloud-config", UserFile, Used},
		{"cmdline", "cmdline", Used},
	}
	if diff := cmp.Diff(wantSources, got.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if got.InstanceID != "i-7" || d.mounted != 0 {
		t.Errorf("instance %q, %d volumes mounted", got.InstanceID, d.mounted)
	}
	if pos, _ := got.Document.Source("rancher.environment.B"); pos.Layer != "user-data" || pos.File != "/dev/sr0:user-data" || pos.Line != 4 {
		t.Errorf("B comes from %+v", pos)
	}
	if pos, _ := got.Document.Source("rancher.network.interfaces.e*.dhcp"); pos.Layer != osconfig.DefaultsLayer {
		t.Errorf("e* comes from %+v", pos)
	}
	if _, err := os.Stat(filepath.Join(root, lastGood)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copies kept without being asked: %v", err)
	}
}

func TestLoadNothing(t *testing.T) {
	got := (&Loader{Root: t.TempDir()}).Load(t.Context())
	if len(got.Report) > 0 || len(got.Config.Rancher.Network.Interfaces) != 1 {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
}

func TestLastGood(t *testing.T) {
	root := t.TempDir()
	l := &Loader{Root: root, KeepLastGood: true, Devices: cidata("", "#cloud-config\nhostname: first\n")}
	write(t, root, DropInDir+"/a.yml", "rancher: {debug: true}\n")
	if got := l.Load(t.Context()); len(got.Report) > 0 || got.Config.Hostname != "first" {
		t.Fatalf("%s%+v", got.Report, got.Config)
	}
	for _, name := range []string{"user-data.yml", "cloud-config.d_a.yml"} {
		info, err := os.Stat(filepath.Join(root, lastGood, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("copy %s: %v, %v", name, info, err)
		}
	}

	// A layer with a wrong value is used in part and not kept.
	l.Devices = cidata("", "#cloud-config\nhostname: second\nrancher: {ssh: {port: x}}\n")
	if got := l.Load(t.Context()); got.Config.Hostname != "second" || got.Sources[0].State != Partly {
		t.Errorf("%+v\n%s%+v", got.Sources, got.Report, got.Config)
	}

	// One that does not parse makes way for its last good copy.
	l.Devices = cidata("", "#cloud-config\nhostname: \"third\nx\n")
	write(t, root, DropInDir+"/a.yml", "\t\n[")
	write(t, root, DropInDir+"/b.yml", "x\n")
	got := l.Load(t.Context())
	if got.Config.Hostname != "first" || !got.Config.Rancher.Debug {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
	states := map[string]string{}
	for _, s := range got.Sources {
		states[s.Layer] = s.State
	}
	want := map[string]string{"user-data": OldCopy, "cloud-config.d/a.yml": OldCopy, "cloud-config.d/b.yml": Dropped, "cmdline": Used}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	for _, say := range []string{"its last good copy takes its place", "there is no good copy of it"} {
		if !strings.Contains(got.Report.String(), say) {
			t.Errorf("report %q does not say %q", got.Report, say)
		}
	}
}

func TestBadMetadata(t *testing.T) {
	got := (&Loader{Root: t.TempDir(), Devices: cidata("local-hostname: a_b\npublic-keys: [junk, '"+key1+"']\n", "#cloud-config\nhostname: ok\n")}).Load(t.Context())
	if got.Config.Hostname != "ok" || len(got.Config.SSHAuthorizedKeys) != 1 || got.Sources[0].State != Partly {
		t.Errorf("%+v\n%s%+v", got.Sources, got.Report, got.Config)
	}
}

func TestDatasources(t *testing.T) {
	d := cidata("", "#cloud-config\nhostname: volume\n")
	root := t.TempDir()
	write(t, root, "/seed.yml", "#cloud-config\nhostname: seed\n")
	for cmdline, want := range map[string]string{
		"":                                       "volume",
		"rancher.cloud_init.datasources=[none]":  "",
		"rancher.cloud_init.datasources=nocloud": "volume",
		"rancher.cloud_init.datasources=[ec2]":   "",
		"rancher.cloud_init.datasources=[file:/seed.yml,file:/absent]": "seed",
		"rancher.cloud_init.datasources=[nocloud,file:/seed.yml]":      "seed",
	} {
		got := (&Loader{Root: root, Cmdline: cmdline, Devices: d}).Load(t.Context())
		if got.Config.Hostname != want || got.Report.HasErrors() {
			t.Errorf("%q: hostname %q, want %q\n%s", cmdline, got.Config.Hostname, want, got.Report)
		}
	}
}

func TestBrokenVolume(t *testing.T) {
	d := cidata("", "#cloud-config\nhostname: ok\n")
	d.broken = map[string]bool{"/dev/vda": true}
	got := (&Loader{Root: t.TempDir(), Devices: d}).Load(t.Context())
	if got.Config.Hostname != "ok" || !strings.Contains(got.Report.String(), "/dev/vda: error: not readable: bad superblock") {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
}

func TestValidateFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "good.yml", "hostname: a\n")
	write(t, dir, "bad.yml", "hostnam: a\n")
	good, bad := filepath.Join(dir, "good.yml"), filepath.Join(dir, "bad.yml")
	absent := filepath.Join(dir, "absent")
	want := bad + ":1:1: error: hostnam: unknown key; did you mean hostname?\n" +
		absent + ":1:1: error: not readable: no such file or directory\n" +
		"stdin:1:9: error: runcmd: want a list, found the text \"x\" (write it as \"- x\" on a line of its own)\n"
	report := ValidateFiles(strings.NewReader("runcmd: x\n"), good, bad, absent, "-")
	if diff := cmp.Diff(want, report.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if report := ValidateFiles(nil, good); len(report) > 0 {
		t.Errorf("good file: %s", report)
	}
}
