package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestEdit: each expression has to change something. One that no longer matches
// the source of a newer module would otherwise be lost in silence.
func TestEdit(t *testing.T) {
	const source = "one\ntwo\n"
	for name, tc := range map[string]struct {
		expressions []string
		want        string // empty: refused
	}{
		"one":                     {[]string{"s/one/1/"}, "1\ntwo\n"},
		"two":                     {[]string{"s/one/1/", "/^two$/d"}, "1\n"},
		"one after another":       {[]string{"s/one/two/", "s/two/2/"}, "2\n2\n"},
		"none matches":            {[]string{"s/three/3/"}, ""},
		"the first does not":      {[]string{"s/three/3/", "s/one/1/"}, ""},
		"the last does not":       {[]string{"s/one/1/", "s/three/3/"}, ""},
		"a second one in one":     {[]string{"s/one/1/\ns/three/3/"}, ""},
		"no expression":           {nil, ""},
		"an invalid expression":   {[]string{"s/one/1"}, ""},
		"with a text of its own":  {[]string{"/^one$/a\\\ntext; of {its own}"}, "one\ntext; of {its own}\ntwo\n"},
		"a range and its command": {[]string{"/^one$/,/^two$/ s/o$/O/"}, "one\ntwO\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range []string{"from", "to"} {
				if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "from/f"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"-c", `. ./env; . ./changed-modules; from=$1/from; to=$1/to; shift; edit f "$@"`, "edit", dir}, tc.expressions...)
			out, err := exec.Command("bash", args...).CombinedOutput()
			if refused := err != nil; refused != (tc.want == "") {
				t.Errorf("error %v: %s", err, out)
			}
			got, _ := os.ReadFile(filepath.Join(dir, "to/f"))
			if string(got) != tc.want {
				t.Errorf("the file is %q, want %q", got, tc.want)
			}
		})
	}
}
