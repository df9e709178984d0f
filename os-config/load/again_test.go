package load

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is below conf is read again; what came from elsewhere stays, although
// its source is away now.
func TestAgain(t *testing.T) {
	root := t.TempDir()
	write(t, root, DropInDir+"/a.yml", "rancher: {environment: {A: one, B: one}}\n")
	write(t, root, UserFile, "locale: C\n")
	l := &Loader{Root: root, Cmdline: "rancher.environment.F=cmdline", Devices: cidata("instance-id: i-7\nlocal-hostname: meta\n", "#cloud-config\ntimezone: UTC\nlocale: de_DE.UTF-8\n")}
	before := l.Load(t.Context())
	l.Devices, l.Cmdline = nil, ""

	write(t, root, DropInDir+"/b.yml", "rancher: {environment: {B: two}}\n")
	if err := os.Remove(filepath.Join(root, UserFile)); err != nil {
		t.Fatal(err)
	}
	got := l.Again(before, nil)
	if got.Report.HasErrors() {
		t.Errorf("reported:\n%s", got.Report)
	}
	want := before.Config
	want.Locale = "de_DE.UTF-8"
	want.Rancher.Environment = map[string]string{"A": "one", "B": "two", "F": "cmdline"}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.InstanceID != "i-7" {
		t.Errorf("instance %q", got.InstanceID)
	}
	got = l.Again(got, map[string][]byte{UserFile: []byte("locale: fr_FR.UTF-8\nrancher: {environment: {F: file}}\n")})
	if got.Config.Locale != "fr_FR.UTF-8" || got.Config.Rancher.Environment["F"] != "cmdline" {
		t.Errorf("%+v", got.Config)
	}
	if pos, _ := got.Document.Source("locale"); pos.Layer != UserLayer || pos.File != UserFile {
		t.Errorf("locale comes from %+v", pos)
	}
}
