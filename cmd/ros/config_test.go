package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
)

// withChanges is a machine whose files say other things than it runs.
func withChanges(m *fakeManager) {
	m.config.diff = api.ConfigDiff{
		Changes: []api.ConfigChange{
			{Key: "hostname", How: "live", Text: `hostname is "sea" instead of "lake": the machine takes the name at once`},
			{Key: "growpart", How: "nothing", Text: "growpart is set: accepted, without effect"},
			{Key: "rancher.docker", How: "restart", Unit: "docker", Text: "rancher.docker changes (bip): the engine restarts; containers stop, and those with a restart policy start again"},
			{How: "restart", Unit: "syslog", Text: "service syslog restarts"},
			{Key: "rancher.state", How: "reboot", Text: "rancher.state is set (dev): the state partition is looked for at boot"},
		},
		Problems: []string{"/var/lib/pharos/conf/cloud-config.yml:3:1: error: rancher.ssh.port: want a number"},
	}
}

func TestMerge(t *testing.T) {
	m := newFakeManager()
	term, out := screen(t, m)
	term.in = strings.NewReader("hostname: sea\n")
	if err := runCLI(t.Context(), term, []string{"config", "merge"}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "more.yml")
	if err := os.WriteFile(file, []byte("hostname: hill\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := runCLI(t.Context(), term, []string{"c", "merge", "-i", file}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`merge  "" "hostname: sea\n"`, `merge  "" "hostname: hill\n"`}, m.asked); diff != "" {
		t.Error(diff)
	}
	// What is no YAML is told by the file's own lines, and never sent.
	if err := os.WriteFile(file, []byte("a: b\nhostname: [\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	err := runCLI(t.Context(), term, []string{"config", "merge", "-i", file})
	if codeOf(err) != 1 || !strings.HasPrefix(err.Error(), file+":2:") || len(m.asked) != 2 || out.Len() > 0 {
		t.Errorf("%v, %q, %q", err, m.asked, out)
	}
}

func TestValueFromStdin(t *testing.T) {
	m := newFakeManager()
	term, _ := screen(t, m)
	term.in = strings.NewReader("-----BEGIN X-----\nabc\n")
	if err := runCLI(t.Context(), term, []string{"config", "set", "rancher.docker.ca_cert", "-"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`set rancher.docker.ca_cert "-----BEGIN X-----\nabc\n" ""`}, m.asked); diff != "" {
		t.Error(diff)
	}
}

// editor makes a program that puts the texts into the file, one each time.
func editor(t *testing.T, texts ...string) {
	t.Helper()
	dir := t.TempDir()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := "#!/bin/sh\nfor f in " + dir + "/[a-z]; do cat $f >$2; rm $f; exit; done\n"
	path := filepath.Join(dir, "EDITOR")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", path+" --wait")
	t.Setenv("TMPDIR", t.TempDir())
}

func TestEdit(t *testing.T) {
	for name, tc := range map[string]struct {
		file, answers string
		texts         []string
		want          string // the file after it
		says          string
		code          int
		drafts        int
	}{
		"saved":         {file: "hostname: lake\n", texts: []string{"hostname: sea\n"}, want: "hostname: sea\n", says: "generation 4"},
		"first":         {texts: []string{"hostname: sea\n"}, want: "hostname: sea\n", says: "generation 4"},
		"nothing":       {file: "a: b\n", texts: []string{"a: b\n"}, want: "a: b\n", says: "no change"},
		"wrong, again":  {texts: []string{"BAD\n", "good: x\n"}, answers: "y\n", want: "good: x\n", says: "Edit again?"},
		"wrong, enough": {file: "a: b\n", texts: []string{"BAD\n"}, answers: "n\n", want: "a: b\n", says: "error: BAD: no", code: 1, drafts: 1},
		"wrong, nobody": {file: "a: b\n", texts: []string{"BAD\n"}, want: "a: b\n", says: "error: BAD: no", code: 1, drafts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			editor(t, tc.texts...)
			m := newFakeManager()
			m.config = fakeConfig{file: tc.file, wrong: "BAD"}
			term, out := screen(t, m)
			term.in = strings.NewReader(tc.answers)
			err := runCLI(t.Context(), term, []string{"config", "edit"})
			if os.Geteuid() != 0 {
				if codeOf(err) != 1 || !strings.Contains(err.Error(), "use sudo") {
					t.Errorf("not as root: %v", err)
				}
				return
			}
			if codeOf(err) != tc.code || m.config.file != tc.want || !strings.Contains(out.String(), tc.says) {
				t.Errorf("%v, %q, %q", err, m.config.file, out)
			}
			drafts, globErr := filepath.Glob(os.Getenv("TMPDIR") + "/ros-config-*/*")
			if globErr != nil || len(drafts) != tc.drafts {
				t.Errorf("drafts %q, %v", drafts, globErr)
			}
			if tc.drafts > 0 && !strings.Contains(err.Error(), drafts[0]) {
				t.Errorf("%v does not name the draft %s", err, drafts[0])
			}
		})
	}
}

// TestEditorsTerminal: an editor needs the terminal itself, not a pipe to it.
func TestEditorsTerminal(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "editor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nto=$(readlink /proc/$$/fd/1)\necho \"$to\" >\"$1\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	term, _ := screen(t, newFakeManager())
	term.out = &printed{to: out}
	answer := filepath.Join(dir, "answer")
	if err := term.runEditor(t.Context(), []string{script}, answer); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(answer); err != nil || strings.TrimSpace(string(got)) != out.Name() {
		t.Errorf("its output is %q, %v", got, err)
	}
}

func TestNoEditor(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := findEditor("", "nonsense -x"); err == nil || !strings.Contains(err.Error(), "set EDITOR") {
		t.Error(err)
	}
}

func TestSchema(t *testing.T) {
	term, out := screen(t, nil) // no manager
	if err := runCLI(t.Context(), term, []string{"config", "schema"}); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v, %d bytes", err, out.Len())
	}
}

// Keys that are completed exist, and hold no place for names.
func TestKeys(t *testing.T) {
	all := keys()
	if again := keys(); !slices.Equal(all, again) {
		t.Errorf("a second time: %q", again)
	}
	for _, want := range []string{"hostname", "rancher.docker.bip", "rancher.network.dns.nameservers", "users"} {
		found := false
		for _, k := range all {
			found = found || k == want
			if k == "" || strings.ContainsAny(k, "*[] '") {
				t.Errorf("key %q", k)
			}
		}
		if !found {
			t.Errorf("%s is not completed", want)
		}
	}
}
