package setup

import (
	"os"
	"testing"
)

// TestHomeModes: a home keeps what /etc/skel keeps from others.
func TestHomeModes(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/etc/skel/.ssh/config", "x")
	r.write(t, "/etc/skel/.profile", "x")
	want := map[string]os.FileMode{".ssh": 0o700, ".ssh/config": 0o600, ".profile": 0o644}
	for name, mode := range want {
		if err := os.Chmod(r.path("/etc/skel/"+name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.setup().home("/home/ann", 2000, 2000); err != nil {
		t.Fatal(err)
	}
	for name, mode := range want {
		if info, err := os.Stat(r.path("/home/ann/" + name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}
