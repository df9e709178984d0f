package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCloudInitPer runs the script that takes cloud-init-per's place: a command
// runs once, once for each instance, or always, and again where it failed.
func TestCloudInitPer(t *testing.T) {
	dir := t.TempDir()
	script, count := filepath.Join(dir, "cloud-init-per"), filepath.Join(dir, "count")
	if err := os.WriteFile(script, []byte(cloudInitPer), 0o755); err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) error {
		cmd := exec.Command("/bin/sh", append([]string{script}, args...)...)
		cmd.Env = append(os.Environ(), "CLOUD_DIR="+filepath.Join(dir, "cloud"))
		return cmd.Run()
	}
	append1 := []string{"sh", "-c", `printf 1 >>"$1"`, "sh", count}
	for _, tt := range []struct {
		args []string
		want int // bytes in count after it
		ok   bool
	}{
		{append([]string{"once", "a"}, append1...), 1, true},
		{append([]string{"once", "a"}, append1...), 1, true},
		{append([]string{"once", "b"}, append1...), 2, true},
		{append([]string{"instance", "a"}, append1...), 3, true},
		{append([]string{"instance", "a"}, append1...), 3, true},
		{append([]string{"always", "a"}, append1...), 4, true},
		{append([]string{"always", "a"}, append1...), 5, true},
		{[]string{"once", "c", "false"}, 5, false},
		{append([]string{"once", "c"}, append1...), 6, true},
		{append([]string{"once", "../c"}, append1...), 6, false},
		{append([]string{"twice", "d"}, append1...), 6, false},
		{[]string{"once", "e"}, 6, false},
	} {
		err := call(tt.args...)
		got, readErr := os.ReadFile(count)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if len(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("%v: ran %d times so far, error %v; want %d, ok %t", tt.args, len(got), err, tt.want, tt.ok)
		}
	}
	// The next instance of the machine.
	if err := os.Rename(filepath.Join(dir, "cloud/instance"), filepath.Join(dir, "cloud/before")); err != nil {
		t.Fatal(err)
	}
	if err := call(append([]string{"instance", "a"}, append1...)...); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(count); len(got) != 7 {
		t.Errorf("ran %d times, want 7", len(got))
	}
}
