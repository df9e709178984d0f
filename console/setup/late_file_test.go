package setup

import (
	"errors"
	"os"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestFileInPlaceOfDirectory: what Docker has made of a missing bind source is
// explained, and kept.
func TestFileInPlaceOfDirectory(t *testing.T) {
	r := newRoom(t)
	if err := os.MkdirAll(r.path("/etc/app.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, appended := range []bool{false, true} {
		if err := r.setup().writeFile(osconfig.File{Path: "/etc/app.conf", Defer: true, Append: appended}); !errors.Is(err, errDirectory) {
			t.Error(err)
		}
	}
	if info, err := os.Stat(r.path("/etc/app.conf")); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
}
