package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestRootForeignLinks: what root writes does not go where a user's links lead.
func TestRootForeignLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: files of several owners")
	}
	s := newRoom(t).setup()
	s.Chown = os.Lchown
	for _, dir := range []string{"/home/ann", "/etc"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	secret := s.path("/etc/secret")
	if err := os.WriteFile(secret, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(target, name string, uid int) {
		t.Helper()
		if err := os.Symlink(target, s.path(name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(s.path(name), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	link(secret, "/home/ann/file", 2000)
	link(s.path("/etc"), "/home/ann/dir", 2000)
	link(s.path("/etc"), "/home/ann/ours", 0)
	link(filepath.Dir(secret), "/home/ann/.docker", 2000)
	for _, f := range []osconfig.File{
		{Path: "/home/ann/file", Content: "more", Append: true},
		{Path: "/home/ann/dir/secret", Content: "other"},
		{Path: "/home/ann/.docker/secret", Content: "other"},
	} {
		if err := s.place(f); err == nil || !strings.Contains(err.Error(), "not followed") {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "kept" {
		t.Errorf("%q, %v", text, err)
	}
	if err := s.place(osconfig.File{Path: "/home/ann/ours/own", Content: "x"}); err != nil {
		t.Error(err)
	}
	// The link itself is replaced.
	if err := s.place(osconfig.File{Path: "/home/ann/file", Content: "x"}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "kept" {
		t.Errorf("%q, %v", text, err)
	}
}
