package settings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

// machine is a machine of which only the configuration is real.
type machine struct {
	*Settings
	t       *testing.T
	root    string
	mu      sync.Mutex
	running load.Result
	applied []string // hostnames, in order
	yes     []bool   // whether each was to do what cannot be undone
	fails   error
	hold    chan struct{} // Apply waits for it to close, or for the end
}

const cmdlineText = "quiet rancher.environment.FROM=cmdline"

// newMachine has booted with these files; names are below conf.
func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	for name, text := range files {
		m.put(name, text)
	}
	m.boot()
	return m
}

// boot is a boot, also a second one.
func (m *machine) boot() string {
	m.t.Helper()
	log := slog.New(slog.DiscardHandler)
	m.Settings = New(Options{Root: m.root, Log: log, Apply: m.apply,
		Running: func() load.Result {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.running
		},
		Units: func(before, after osconfig.Config) (map[string]string, bool) {
			if before.Timezone != after.Timezone {
				return map[string]string{"syslog": "restarts", "docker": "restarts"}, true
			}
			return nil, false
		},
		Costs: func(_ context.Context, before, after osconfig.Config) []string {
			if before.Rancher.Docker.Swarm.On() && !after.Rancher.Docker.Swarm.On() {
				return []string{"the swarm ends"}
			}
			return nil
		}})
	said, err := m.Recover()
	if err != nil {
		m.t.Fatal(err)
	}
	l := load.Loader{Root: m.root, Cmdline: cmdlineText, Log: log}
	m.running = l.Load(context.Background())
	m.Remember()
	return said
}

func (m *machine) apply(ctx context.Context, _, after load.Result, yes bool) error {
	m.mu.Lock()
	m.running = after
	m.applied = append(m.applied, after.Config.Hostname)
	m.yes = append(m.yes, yes)
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	return m.fails
}

func (m *machine) put(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.root, load.ConfDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// user is the text of the user's file.
func (m *machine) user() string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, load.UserFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	return string(text)
}

func (m *machine) edit(e api.ConfigEdit) (api.ConfigWritten, error) {
	return m.Edit(e, "ann")
}

func (m *machine) set(key, value string) api.ConfigWritten {
	m.t.Helper()
	out, err := m.edit(api.ConfigEdit{Verb: api.VerbSet, Key: key, Value: value})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

func TestEdit(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.d/a.yml": "hostname: lake\nrancher: {modules: [wireguard]}\nssh_authorized_keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX a@b']\n"})
	for _, tc := range []struct {
		api.ConfigEdit
		file, note, err string
	}{
		{ConfigEdit: api.ConfigEdit{Verb: "set", Key: "rancher.debug", Value: "true"}, file: "#cloud-config\nrancher:\n  debug: true\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "set", Key: "hostname", Value: "sea"}, file: "#cloud-config\nrancher:\n  debug: true\nhostname: sea\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "unset", Key: "hostname"}, file: "#cloud-config\nrancher:\n  debug: true\n",
			note: "hostname is now what cloud-config.d/a.yml (/var/lib/pharos/conf/cloud-config.d/a.yml:1) says"},
		{ConfigEdit: api.ConfigEdit{Verb: "unset", Key: "hostname"},
			err: "hostname is not set in /var/lib/pharos/conf/cloud-config.yml; it comes from cloud-config.d/a.yml (/var/lib/pharos/conf/cloud-config.d/a.yml:1), and can be set to another value, not taken away"},
		{ConfigEdit: api.ConfigEdit{Verb: "unset", Key: "password"}, err: "password is not set in"},
		{ConfigEdit: api.ConfigEdit{Verb: "set", Key: "rancher.ssh.port", Value: "many"}, err: "rancher.ssh.port"},
		{ConfigEdit: api.ConfigEdit{Verb: "set", Key: "hostnam", Value: "x"}, err: "hostname"},
		{ConfigEdit: api.ConfigEdit{Verb: "set", Key: "rancher.environment.FROM", Value: "file"},
			file: "#cloud-config\nrancher:\n  debug: true\n  environment:\n    FROM: file\n", note: "kernel command line too, which wins"},
		{ConfigEdit: api.ConfigEdit{Verb: "unset", Key: "rancher.environment"}, file: "#cloud-config\nrancher:\n  debug: true\n", note: "is now what cmdline"},
		// A list that replaces begins with what was there.
		{ConfigEdit: api.ConfigEdit{Verb: "append", Key: "rancher.modules", Value: "zfs"}, file: "#cloud-config\nrancher:\n  debug: true\n  modules:\n    - wireguard\n    - zfs\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "remove", Key: "rancher.modules", Value: "wireguard"}, file: "#cloud-config\nrancher:\n  debug: true\n  modules:\n    - zfs\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "unset", Key: "rancher.modules"}, file: "#cloud-config\nrancher:\n  debug: true\n", note: "is now what cloud-config.d/a.yml"},
		{ConfigEdit: api.ConfigEdit{Verb: "remove", Key: "rancher.modules", Value: "wireguard"}, file: "#cloud-config\nrancher:\n  debug: true\n  modules: []\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "unset", Key: "rancher.modules"}, file: "#cloud-config\nrancher:\n  debug: true\n", note: "is now what cloud-config.d/a.yml"},
		// One that merges does not.
		{ConfigEdit: api.ConfigEdit{Verb: "append", Key: "ssh_authorized_keys", Value: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH2wMqkvC9xUT0pky/Ou0fDuhjgApqz1Gk++QdbMKUN c@d"},
			file: "#cloud-config\nrancher:\n  debug: true\nssh_authorized_keys:\n  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH2wMqkvC9xUT0pky/Ou0fDuhjgApqz1Gk++QdbMKUN c@d\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "remove", Key: "ssh_authorized_keys", Value: "a@b"}, err: "it comes from cloud-config.d/a.yml"},
		{ConfigEdit: api.ConfigEdit{Verb: "remove", Key: "ssh_authorized_keys", Value: "c@d"}, file: "#cloud-config\nrancher:\n  debug: true\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "merge", Text: "rancher: {debug: false}\n"}, file: "#cloud-config\nrancher:\n  debug: false\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "merge", Text: "rancher: {debug: perhaps}\n"}, err: "rancher.debug"},
		{ConfigEdit: api.ConfigEdit{Verb: "merge", Text: "rancher: [\n"}, err: "input:1:"},
		{ConfigEdit: api.ConfigEdit{Verb: "replace", Text: "hostname: hill\n", Base: "x"}, err: "somebody else"},
		{ConfigEdit: api.ConfigEdit{Verb: "replace", Text: "hostname: [\n"}, err: "cloud-config.yml:1:"},
		{ConfigEdit: api.ConfigEdit{Verb: "replace", Text: "# mine\nhostname: hill\n"}, file: "# mine\nhostname: hill\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "set", Key: "hostname", Value: "hill"}, file: "# mine\nhostname: hill\n"},
		{ConfigEdit: api.ConfigEdit{Verb: "frob"}, err: `"frob" is no verb`},
	} {
		before := m.user()
		out, err := m.edit(tc.ConfigEdit)
		name := fmt.Sprint(tc.Verb, " ", tc.Key, " ", tc.Value, tc.Text)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v, want %q", name, err, tc.err)
			}
			if m.user() != before {
				t.Errorf("%s: refused, but the file changed", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tc.file, m.user()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got := strings.Join(out.Notes, "\n"); !strings.Contains(got, tc.note) || tc.note == "" && got != "" {
			t.Errorf("%s: notes %q, want %q", name, got, tc.note)
		}
		if out.Changed != (before != tc.file) {
			t.Errorf("%s: %+v", name, out)
		}
	}
	for path, mode := range map[string]fs.FileMode{load.UserFile: 0o600, historyDir: fs.ModeDir | 0o700} {
		if info, err := os.Stat(filepath.Join(m.root, path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// What was wrong before does not stand in the way; more of it does.
func TestOldErrors(t *testing.T) {
	m := newMachine(t, map[string]string{
		"cloud-config.yml":     "hostname: lake\nrancher: {ssh: {port: many}}\n",
		"cloud-config.d/a.yml": "timezon: UTC\n",
	})
	m.set("locale", "C")
	if _, err := m.edit(api.ConfigEdit{Verb: "set", Key: "rancher.ssh.port", Value: "more"}); err == nil {
		t.Error("another error went in")
	}
	m.set("rancher.ssh.port", "2222")
	m.put("cloud-config.yml", "hostname: [\n")
	if _, err := m.edit(api.ConfigEdit{Verb: "set", Key: "locale", Value: "C"}); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "cloud-config.yml:") {
		t.Errorf("change of a file that does not parse: %v", err)
	}
	if _, err := m.edit(api.ConfigEdit{Verb: "replace", Text: "hostname: sea\n"}); err != nil {
		t.Errorf("a broken file cannot be replaced: %v", err)
	}
}

func TestReads(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\npassword: geheim\n"})
	if got, err := m.Get("hostname", true, false); got != "lake" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := m.Get("password", true, false); !errdefs.IsPermissionDenied(err) || got != "" || !strings.Contains(err.Error(), "sudo ros config get --private password") {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := m.Get("password", true, true); got != "geheim" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := m.Get("", false, false); strings.Contains(got, "geheim") || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := m.Get("locale", true, true); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
	want := api.ConfigOrigin{Layer: "cloud-config", File: load.UserFile, Line: 1, Column: 11}
	if got, err := m.Origin("hostname"); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	m.running = load.Result{}
	for _, err := range []error{
		second(m.Get("a", true, false)), second(m.Origin("a")), second(m.Diff()), second(m.edit(api.ConfigEdit{Verb: "set"})),
		second(m.Apply(t.Context(), 0, false, "ann")), second(m.Rollback(0, "ann")),
	} {
		if !errdefs.IsUnavailable(err) {
			t.Errorf("before the configuration is loaded: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestHistory(t *testing.T) {
	m := newMachine(t, map[string]string{"cloud-config.yml": "hostname: lake\n"})
	m.set("hostname", "sea")
	m.put("cloud-config.yml", "hostname: sea\nlocale: C\n")
	m.set("password", "geheim")
	list := func() []string {
		t.Helper()
		all, err := m.History()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, g := range all {
			mark := ""
			if g.Current {
				mark = "*"
			}
			out = append(out, fmt.Sprintf("%s%d %s, %s: %s", mark, g.Number, g.Who, g.Verb, g.Summary))
		}
		return out
	}
	want := []string{
		"*4 ann, set password: set password",
		"3 -, edited by hand: set locale",
		"2 ann, set hostname: changed hostname",
		"1 -, as it was before: set hostname",
	}
	if diff := cmp.Diff(want, list()); diff != "" {
		t.Error(diff)
	}
	if _, err := m.Rollback(0, "bob"); err != nil || m.user() != "hostname: sea\nlocale: C\n" {
		t.Errorf("%v, %q", err, m.user())
	}
	if out, err := m.Rollback(1, "bob"); err != nil || m.user() != "hostname: lake\n" || out.Generation != 6 {
		t.Errorf("%v, %+v, %q", err, out, m.user())
	}
	if _, err := m.Rollback(99, "bob"); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
	for i := range 20 {
		m.set("rancher.environment.N", fmt.Sprintf("'%d'", i))
	}
	if got := list(); len(got) != generations || !strings.HasPrefix(got[0], "*26 ") || !strings.HasPrefix(got[9], "17 ") {
		t.Errorf("%q", got)
	}
	// A damaged generation does not hide the others.
	if err := os.WriteFile(m.generationPath(20), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := list(); len(got) != generations-1 {
		t.Errorf("%q", got)
	}
}

// Nothing that is logged or listed shows a value that is secret.
func TestNoSecretsInHistory(t *testing.T) {
	m := newMachine(t, nil)
	out := m.set("password", "geheim")
	all, err := m.History()
	if err != nil || strings.Contains(fmt.Sprintf("%+v %+v", out, all), "geheim") {
		t.Errorf("%+v, %+v, %v", out, all, err)
	}
}
