package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/settings"
)

// realConfig is a manager whose configuration is real: files, validation,
// history, trials.
type realConfig struct {
	*fakeManager
	s       *settings.Settings
	running load.Result
}

func newRealConfig(t *testing.T, root string) *realConfig {
	t.Helper()
	m := &realConfig{fakeManager: newFakeManager()}
	m.s = settings.New(settings.Options{
		Root: root, Log: slog.New(slog.DiscardHandler),
		Running: func() load.Result { return m.running },
		Apply:   func(_ context.Context, _, after load.Result, _ bool) error { m.running = after; return nil },
	})
	m.running = (&load.Loader{Root: root, Cmdline: "rancher.debug=true"}).Load(t.Context())
	m.s.Remember()
	return m
}

func (m *realConfig) Config(key string, full, private bool) (string, error) {
	return m.s.Get(key, full, private)
}
func (m *realConfig) ConfigEdit(e api.ConfigEdit, who string) (api.ConfigWritten, error) {
	return m.s.Edit(e, who)
}
func (m *realConfig) ConfigFile() (api.ConfigFile, error)               { return m.s.File() }
func (m *realConfig) ConfigOrigin(key string) (api.ConfigOrigin, error) { return m.s.Origin(key) }
func (m *realConfig) ConfigDiff() (api.ConfigDiff, error)               { return m.s.Diff() }
func (m *realConfig) ConfigConfirm(who string) error                    { return m.s.Confirm(who) }
func (m *realConfig) ConfigHistory() ([]api.ConfigGeneration, error)    { return m.s.History() }
func (m *realConfig) ConfigRollback(n int, who string) (api.ConfigWritten, error) {
	return m.s.Rollback(n, who)
}
func (m *realConfig) ConfigApply(ctx context.Context, try time.Duration, yes bool, who string) (api.ConfigDiff, error) {
	return m.s.Apply(ctx, try, yes, who)
}

// A session from the first change to the rollback, through the socket and on
// real files: what is said, and what the file holds then.
func TestSession(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, load.UserFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("#cloud-config\n# my lake\nhostname: lake # blue\npassword: geheim\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	term, out := screen(t, newRealConfig(t, root))
	for _, step := range []struct {
		args       string
		code       int
		says, file string // parts
	}{
		{"get hostname", 0, "lake\n", ""},
		{"get hostname --source", 0, "cloud-config /var/lib/pharos/conf/cloud-config.yml:3\n", ""},
		{"get rancher.debug --source", 0, "cmdline cmdline", ""},
		{"get password", 1, "sudo ros config get --private password", ""},
		{"diff", 0, "The machine runs what is configured.", ""},
		{"set hostname sea", 0, "changed hostname (generation 2)", "# my lake\nhostname: sea # blue\n"},
		{"set rancher.debug false", 0, "kernel command line too, which wins", "debug: false"},
		{"set rancher.ssh.port no", 1, "error: rancher.ssh.port: ", "password: geheim\nrancher:\n  debug: false\n"},
		{"set hostnme x", 1, "did you mean hostname?", "rancher:\n  debug: false\n"},
		{"append rancher.modules wireguard", 0, "set rancher.modules", "modules:\n    - wireguard\n"},
		{"append rancher.modules wireguard", 0, "no change", "modules:\n    - wireguard\n"},
		{"remove rancher.modules zfs", 1, `"zfs" is not set at rancher.modules`, ""},
		{"diff", 0, "at once:\n  hostname is \"sea\" instead of \"lake\"", ""},
		{"apply --try 1h", 0, "On trial: `ros config confirm` keeps it. Otherwise the machine goes back in 1h0m0s", ""},
		{"get hostname", 0, "sea\n", ""},
		{"set hostname hill", 1, "a configuration is on trial for 1h0m0s more", "hostname: sea"},
		{"diff", 0, "On trial for 1h0m0s more", ""},
		{"rollback", 0, "the trial is over", "#cloud-config\n# my lake\nhostname: lake # blue\npassword: geheim\n"},
		{"get hostname", 0, "lake\n", ""},
		{"rollback 2", 0, "changed hostname", "hostname: sea # blue"},
		{"apply --try 1h", 0, "On trial", ""},
		{"confirm", 0, "The configuration stays.", "hostname: sea # blue"},
		{"confirm", 1, "no configuration is on trial", ""},
		{"unset password", 0, "unset password", "hostname: sea # blue\n"},
		{"rollback", 0, "set password", "password: geheim"},
		{"rollback", 0, "unset password", "hostname: sea # blue\n"},
		{"rollback 99", 1, "there is no generation 99; the oldest is", ""},
		{"history", 0, "rollback to ", ""},
		{"export", 0, "hostname: sea", ""},
	} {
		out.Reset()
		err := runCLI(t.Context(), term, append([]string{"config"}, strings.Fields(step.args)...))
		said := out.String()
		if err != nil {
			said += err.Error()
		}
		if codeOf(err) != step.code || !strings.Contains(said, step.says) {
			t.Errorf("%s: exit code %d, says %q, want %q", step.args, codeOf(err), said, step.says)
		}
		if strings.Contains(said, "geheim") {
			t.Errorf("%s shows a secret: %q", step.args, said)
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(step.file)) {
			t.Errorf("%s: %v, %q, want %q", step.args, err, text, step.file)
		}
	}
}

// The exit code and the text do not depend on how a file comes in, and
// --strict and --layer do what they say.
func TestValidateFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(file, []byte("rancher:\n  state: {dev: LABEL=X}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"-i FILE":                                {0, ""},
		"FILE":                                   {0, ""},
		"--strict FILE":                          {0, ""},
		"--layer user-data FILE":                 {0, "FILE:2:16: warning: rancher.state.dev: has no effect in user-data"},
		"--layer user-data --strict FILE":        {1, "FILE:2:16: warning: rancher.state.dev: has no effect in user-data"},
		"--layer iso --strict FILE":              {0, ""},
		"--layer user-data --json --strict FILE": {1, `"severity": "warning"`},
	} {
		term, out := screen(t, nil)
		err := runCLI(t.Context(), term, append([]string{"config", "validate"}, strings.Fields(strings.ReplaceAll(args, "FILE", file))...))
		said := strings.ReplaceAll(out.String(), file, "FILE")
		if codeOf(err) != want.code || !strings.Contains(said, want.says) || want.says == "" && said != "" {
			t.Errorf("%s: exit code %d, %q", args, codeOf(err), said)
		}
	}
}
