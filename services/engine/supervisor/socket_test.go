package supervisor

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestSocketOfLateGroup: the console makes the groups of the configuration, and
// the socket may be there before.
func TestSocketOfLateGroup(t *testing.T) {
	dir := t.TempDir()
	table := filepath.Join(dir, "group")
	if err := os.WriteFile(table, []byte("root:x:0:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := &engine{Options: Options{Run: dir, Groups: table}, group: "ops", log: slog.New(slog.NewTextHandler(io.Discard, nil)), late: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); e.giveLate(ctx) }()
	defer func() { cancel(); <-done }()
	if err := e.openSocket(); err != nil {
		t.Fatal(err)
	}
	defer e.listening.file.Close()
	look := func() (fs.FileMode, int) {
		info, err := os.Lstat(e.dockerSocket())
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm(), int(info.Sys().(*syscall.Stat_t).Gid)
	}
	if mode, _ := look(); mode != 0o600 {
		t.Fatalf("without its group the socket has mode %o", mode)
	}
	gid := os.Getgid()
	if os.Geteuid() == 0 {
		gid = 4242
	}
	if err := os.WriteFile(table+".new", fmt.Appendf(nil, "root:x:0:\nops:x:%d:\n", gid), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(table+".new", table); err != nil { // as the console writes it
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		mode, has := look()
		if mode == 0o660 && has == gid {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("mode %o, group %d; want 660, %d", mode, has, gid)
		}
	}
}

// TestGiveFollowsNoLink: who deletes the socket and leaves a link there does
// not have another file opened to the group.
func TestGiveFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	secret, link := filepath.Join(dir, "secret"), filepath.Join(dir, "docker.sock")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, secret} {
		if err := give(path, "/etc/group", "0"); err == nil {
			t.Errorf("%s was taken for a socket", path)
		}
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
