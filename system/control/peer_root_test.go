package control_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pharos-os/pharos/system/control"
	"github.com/pharos-os/pharos/system/control/client"
)

// asClient turns this test binary into a client that prints what it gets.
const asClient = "PHAROS_TEST_CLIENT"

func TestMain(m *testing.M) {
	if socket := os.Getenv(asClient); socket != "" {
		os.Exit(ask(socket))
	}
	os.Exit(m.Run())
}

func ask(socket string) int {
	c := client.New(socket)
	private := os.Getenv("PRIVATE") != ""
	_, err := c.Config(context.Background(), "", false, private)
	if os.Getenv("FILE") != "" {
		_, err = c.ConfigFile(context.Background())
	}
	if err != nil {
		_, _ = os.Stdout.WriteString(err.Error())
		return 1
	}
	_, _ = os.Stdout.WriteString("ok")
	return 0
}

func TestRootPeerCredentials(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: becomes other users")
	}
	const group = 1101
	dir, err := os.MkdirTemp("", "control") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "client")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "control.sock")
	l, err := control.Listen(socket, group)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- control.Serve(ctx, l, newFakeManager(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	}()
	t.Cleanup(func() { cancel(); <-done })

	many := []uint32{group}
	for g := uint32(5000); g < 5100; g++ {
		many = append(many, g)
	}
	for _, tc := range []struct {
		name    string
		cred    syscall.Credential
		private bool
		open    bool // the socket's mode lets everybody in
		want    string
	}{
		{"root", syscall.Credential{}, true, false, "ok"},
		{"root's file", syscall.Credential{}, false, false, "ok"},
		{"rancher's file", syscall.Credential{Uid: 1100, Gid: group}, false, false, "the file may hold secrets and is shown to root only: use sudo"},
		{"group", syscall.Credential{Uid: 1100, Gid: group}, false, false, "ok"},
		{"supplementary group", syscall.Credential{Uid: 1100, Gid: 1100, Groups: []uint32{27, group}}, false, false, "ok"},
		{"a hundred groups", syscall.Credential{Uid: 1100, Gid: 1100, Groups: many}, false, false, "ok"},
		{"secrets", syscall.Credential{Uid: 1100, Gid: group}, true, false, "private configuration is shown to root only: use sudo"},
		{"stranger at a closed door", syscall.Credential{Uid: 2000, Gid: 2000}, false, false, "no permission for SOCKET: be root or in the group pharos"},
		{"stranger at an open door", syscall.Credential{Uid: 2000, Gid: 2000}, false, true, "user 2000 may not control this machine: be root or in the group pharos"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mode := os.FileMode(0o660)
			if tc.open {
				mode = 0o666
			}
			if err := os.Chmod(socket, mode); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Dir = "/"
			cmd.Env = []string{asClient + "=" + socket}
			if tc.private {
				cmd.Env = append(cmd.Env, "PRIVATE=1")
			}
			if strings.HasSuffix(tc.name, "file") {
				cmd.Env = append(cmd.Env, "FILE=1")
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &tc.cred}
			out, err := cmd.Output()
			if err != nil && len(out) == 0 {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(string(out), socket, "SOCKET"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
