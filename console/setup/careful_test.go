package setup

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/keep"
)

// TestHomeOfAnother: the name under which a home is made first is no other
// account's.
func TestHomeOfAnother(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/home/ann.new/letter", "dear")
	if err := r.setup().home("/home/ann", 2000, 2000); err != nil {
		t.Fatal(err)
	}
	if !exists(r.path("/home/ann.new/letter")) || !exists(r.path("/home/ann/.profile")) || exists(r.path("/home/.ann.new")) {
		t.Error("the home of ann.new is gone, or ann's is not made")
	}
}

// TestHostKeysNotTouched: keys that can be read are used as they are, also
// where nothing can be written, and one that cannot be made takes no other
// with it.
func TestHostKeysNotTouched(t *testing.T) {
	r := newRoom(t)
	keys, err := r.setup().ensureKeys("")
	if err != nil {
		t.Fatal(err)
	}
	changed := func() syscall.Timespec {
		info, err := os.Stat(r.path(keys[0]))
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ctim
	}
	before := changed()
	if _, err := r.setup().ensureKeys(""); err != nil || changed() != before {
		t.Errorf("the key's inode was written, %v", err)
	}
	if err := os.Remove(r.path(keys[1])); err != nil {
		t.Fatal(err)
	}
	r.write(t, keys[1]+"/in-the-way", "x")
	got, err := r.setup().ensureKeys("")
	if err == nil || len(got) != 2 || got[0] != keys[0] || !strings.HasPrefix(got[1], keyFallback) {
		t.Errorf("keys %v, %v", got, err)
	}
	if n := strings.Count(err.Error(), "not kept"); n != 1 {
		t.Errorf("said %d times: %v", n, err)
	}
}

// TestAppendToPipe: a pipe that a user put where a file is to grow holds
// nothing up.
func TestAppendToPipe(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/home/rancher/.profile", "")
	if err := syscall.Mkfifo(r.path("/home/rancher/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.setup().writeFile(osconfig.File{Path: "/home/rancher/pipe", Content: "x", Append: true})
	if err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}

// TestPhoneHomeToken: what may be a secret in a URL is in no sentence.
func TestPhoneHomeToken(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	r := newRoom(t)
	for range 2 { // it answers, and it is gone
		s := r.setup()
		s.late(t.Context(), Plan{PhoneHome: osconfig.PhoneHome{URL: server.URL + "/hook/s3cret?token=s3cret", Tries: 1}}, false)
		host := strings.TrimPrefix(server.URL, "http://")
		if len(s.status.Problems) != 1 || strings.Contains(s.status.Problems[0], "s3cret") || !strings.HasPrefix(s.status.Problems[0], "phone_home: "+host) {
			t.Errorf("problems %q", s.status.Problems)
		}
		server.Close()
	}
}

// TestSwapFileWithBlank: the kernel writes blanks in its tables in another
// way.
func TestSwapFileWithBlank(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	r.write(t, "/proc/swaps", "Filename Type Size Used Priority\n"+`/var/my\040swap file 1024 0 -2`+"\n")
	if !s.swapIsOn("/var/my swap") || s.swapIsOn("/var/my") {
		t.Error("a path with a blank is not found")
	}
}

// TestKernelsFiles: what is the kernel's is written into, not replaced, and
// not made.
func TestKernelsFiles(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/sys/kernel/mm/enabled", "a")
	r.write(t, "/proc/sys/vm/swappiness", "60")
	before, err := os.Stat(r.path("/sys/kernel/mm/enabled"))
	if err != nil {
		t.Fatal(err)
	}
	s := r.setup()
	s.mustWrite(t, osconfig.File{Path: "/sys/kernel/mm/enabled", Content: "b", Permissions: "0600", Owner: "sshd"}, osconfig.File{Path: "/proc/sys/vm/swappiness", Content: "10"})
	after, err := os.Stat(r.path("/sys/kernel/mm/enabled"))
	if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("the file is another one: %v, %v", after.Mode(), err)
	}
	if got := r.read(t, "/sys/kernel/mm/enabled") + " " + r.read(t, "/proc/sys/vm/swappiness"); got != "b 10" {
		t.Errorf("content %q", got)
	}
	if err := s.writeFile(osconfig.File{Path: "/sys/none", Content: "b"}); err == nil || exists(r.path("/sys/none")) {
		t.Errorf("a file was made: %v", err)
	}
	if err := os.Symlink("/dev/null", r.path("/dev/nothing")); err != nil {
		t.Fatal(err)
	}
	s.mustWrite(t, osconfig.File{Path: "/dev/nothing", Content: "b"})
	if info, err := os.Stat(r.path("/dev/nothing")); err != nil || info.Mode()&os.ModeDevice == 0 {
		t.Error("a device was replaced")
	}
}

// TestUsersLinkToDevice: a user's link to a device is replaced; it must not
// lead what root writes there.
func TestUsersLinkToDevice(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/home/ann/.profile", "")
	if err := os.Symlink("/dev/null", r.path("/home/ann/notes")); err != nil {
		t.Fatal(err)
	}
	r.setup().mustWrite(t, osconfig.File{Path: "/home/ann/notes", Content: "b"})
	if info, err := os.Lstat(r.path("/home/ann/notes")); err != nil || !info.Mode().IsRegular() || r.read(t, "/home/ann/notes") != "b" {
		t.Errorf("the link was followed: %v", err)
	}
}

// TestNobodyReads: what is written to a terminal, here a pipe, whose other end
// nobody reads has an end.
func TestNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tty")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	err = writeWithin(path, os.O_WRONLY, make([]byte, 1<<20), 20*time.Millisecond)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// TestLocaleFalse is cloud-init's word for leaving the locale as it is.
func TestLocaleFalse(t *testing.T) {
	s := newRoom(t).setup()
	if err := s.useLocale("False"); err != nil || len(s.status.Notes) > 0 || s.locale != localeDefault {
		t.Errorf("%v, %q, %s", err, s.status.Notes, s.locale)
	}
}

// TestToolTalks: a program that prints more than anybody reads ends all the
// same.
func TestToolTalks(t *testing.T) {
	s := newRoom(t).setup()
	s.Tool = nil
	var err error
	if s.reaper, err = keep.NewReaper(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.reaper.Run(ctx)
	begin := time.Now()
	text, err := s.tool(ctx, "", "seq", "1", "100000")
	if err != nil || len(text) != 64<<10 || time.Since(begin) > toolTimeout/2 {
		t.Errorf("%d bytes after %v, %v", len(text), time.Since(begin), err)
	}
}
