package load

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// TestSectionsWithVariables: a section of a last good copy is kept as it was
// written; its variables stand for the addresses of now.
func TestSectionsWithVariables(t *testing.T) {
	d := newDroplet(t)
	root := t.TempDir()
	d.say("#cloud-config\nwrite_files: [{path: /a, content: 'at $public_ipv4'}]\n")
	if _, second, err := boot(t, d.machine(root, "1"), time.Minute); err != nil || second.Report.HasErrors() {
		t.Fatal(err, second.Report)
	}
	d.say("#cloud-config\nwrite_files: [{path: /a, content: 'at $public_ipv4', permissions: x}]\n")
	_, second, err := boot(t, d.machine(root, "1"), time.Minute)
	if files := second.Config.WriteFiles; err != nil || len(files) != 1 || files[0].Content != "at 192.0.2.1" {
		t.Errorf("%v\n%s%+v", err, second.Report, second.Config.WriteFiles)
	}
	if s := second.Report.String(); !strings.Contains(s, "write_files: not used; what the last good copy says takes its place") {
		t.Error(s)
	}
}

// TestSectionOfBadCopy: what a copy of an older version says may be refused
// by a newer one, and then that is told.
func TestSectionOfBadCopy(t *testing.T) {
	l := &Loader{Root: t.TempDir()}
	write(t, l.Root, lastGood+"/cloud-config.yml", "rancher: {ssh: {port: old}}\n")
	write(t, l.Root, UserFile, "hostname: a\nrancher: {ssh: {port: new}}\n")
	got := l.Load(t.Context())
	s := got.Report.String()
	if got.Config.Hostname != "a" || got.Config.Rancher.SSH.Port != 0 ||
		!strings.Contains(s, `found the text "new"`) || !strings.Contains(s, lastGood+`/cloud-config.yml:1:23: error: rancher.ssh.port: want a whole number, found the text "old"`) {
		t.Errorf("%s%+v", s, got.Config)
	}
}

// TestCopyThatIncludes: a last good copy that includes has what it included.
func TestCopyThatIncludes(t *testing.T) {
	const address = "http://192.0.2.9/more"
	l := &Loader{Root: t.TempDir(), KeepLastGood: true, Devices: cidata("instance-id: i-1\n", "#include "+address+"\n"),
		Included: map[string][]byte{address: []byte("#cloud-config\nhostname: included\n")}}
	if got := l.Load(t.Context()); got.Report.HasErrors() || got.Config.Hostname != "included" {
		t.Fatalf("%s%+v", got.Report, got.Config)
	}
	l.Devices = cidata("instance-id: i-1\n", "#cloud-config\nhostname: \"x\ny\n")
	if got := l.Load(t.Context()); got.Config.Hostname != "included" {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
}

// TestIncludesShareTheTime: an address that is away does not cost the others.
func TestIncludesShareTheTime(t *testing.T) {
	d := newDroplet(t)
	l := &Loader{Root: t.TempDir(), IMDS: imds.Options{
		HTTP: &http.Client{}, Backoff: func(int) time.Duration { return time.Millisecond },
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	good := d.url + "/metadata/v1/user-data"
	texts, err := l.FetchIncludes(ctx, Result{Includes: []string{"http://127.0.0.1:1/away", good}})
	if err == nil || !strings.Contains(err.Error(), "away") || len(texts[good]) == 0 {
		t.Errorf("%v, %q", err, texts)
	}
}

// TestCopiesOfNobody: copies without the answer that they go with may be
// another instance's.
func TestCopiesOfNobody(t *testing.T) {
	l := &Loader{Root: t.TempDir(), KeepLastGood: true, Devices: cidata("instance-id: i-1\n", "#cloud-config\nhostname: \"x\ny\n")}
	write(t, l.Root, lastGood+"/user-data.yml", "#cloud-config\nhostname: other\n")
	if got := l.Load(t.Context()); got.Config.Hostname != "" {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
	if _, err := os.Stat(filepath.Join(l.Root, lastGood, "user-data.yml")); err == nil {
		t.Error("the copy stays")
	}
}
