package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good,really.yml": "#cloud-config\nhostname: a\n",
		"bad.yml":         "hostname: a\nrancher:\n  network:\n    interfaces:\n      eth0:\n        dhpc: true\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		args, stdin, out string
		code             int
	}{
		{args: "-i DIR/good,really.yml"},
		{args: "-i DIR/good,really.yml --json", out: "[]\n"},
		{stdin: "hostname: a\n"},
		{args: "-i -", stdin: "hostname: a\n"},
		{args: "-i DIR/bad.yml", code: 1, out: "DIR/bad.yml:6:9: error: rancher.network.interfaces.eth0.dhpc: "},
		{args: "DIR/good,really.yml DIR/bad.yml", code: 1, out: "DIR/bad.yml:6:9: error: rancher.network.interfaces.eth0.dhpc: "},
		{args: "-i DIR/none.yml -i DIR/bad.yml", code: 1, out: "DIR/none.yml:1:1: error: not readable: no such file or directory\nDIR/bad.yml:6:9: error: "},
		{args: "DIR", code: 1, out: "DIR:1:1: error: not readable: is a directory\n"},
		{stdin: strings.Repeat("#", 2<<20), code: 1, out: "stdin:1:1: error: too large; the limit is 1048576 bytes\n"},
		{stdin: "hostname: [a, b]\n", code: 1, out: "stdin:1:"},
		{stdin: "{", code: 1, out: "stdin:1:"},
	} {
		t.Run(tc.args+" "+tc.stdin[:min(len(tc.stdin), 20)], func(t *testing.T) {
			term, out := screen(t, nil) // nobody manages this machine
			term.in = strings.NewReader(tc.stdin)
			args := strings.Fields(strings.ReplaceAll(tc.args, "DIR", dir))
			err := runCLI(t.Context(), term, append([]string{"config", "validate"}, args...))
			if codeOf(err) != tc.code {
				t.Errorf("exit code %d, want %d: %v", codeOf(err), tc.code, err)
			}
			got := strings.ReplaceAll(out.String(), dir, "DIR")
			if !strings.HasPrefix(got, tc.out) || tc.out == "" && got != "" {
				t.Errorf("prints %q, want %q", got, tc.out)
			}
		})
	}
}
