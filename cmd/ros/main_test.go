package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
)

// asProgram makes this test binary behave as cmd/ros.
const asProgram = "PHAROS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is a command that runs cmd/ros by another name, against socket.
func program(t *testing.T, socket, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), link, args...)
	cmd.Env = []string{asProgram + "=1", "PHAROS_CONTROL=" + socket}
	return cmd
}

// The name decides; errors go to standard error under that name.
func TestProgram(t *testing.T) {
	m := newFakeManager()
	m.status.State = api.StateBooting
	_, _, socket := screenAt(t, m)
	for _, tc := range []struct {
		args, out, err string
		code           int
	}{
		{args: "ros version", out: "ros dev ("},
		{args: "anything version", out: "ros dev ("},
		{args: "ros status", out: "state        booting\n", code: 1},
		{args: "ros stats", err: "ros has no command \"stats\"; did you mean status?\n", code: 2},
		{args: "ros service stop nope", err: "ros: there is no service \"nope\"\n", code: 1},
		{args: "shutdown +5", err: "shutdown: \"+5\": it can only be done now (`shutdown now`); nothing is ever scheduled\n", code: 2},
		{args: "shutdown --help", out: "usage: poweroff"},
		{args: "reboot -f"},
	} {
		fields := strings.Fields(tc.args)
		cmd := program(t, socket, fields[0], fields[1:]...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.HasPrefix(out.String(), tc.out) || errs.String() != tc.err {
			t.Errorf("%s: exit code %d, out %q, err %q", tc.args, code, out.String(), errs.String())
		}
	}
	if diff := cmp.Diff([]api.Shutdown{{Action: "reboot", Force: true}}, m.shutdown); diff != "" {
		t.Error(diff)
	}
}

// Ctrl-C ends followed logs without a word.
func TestInterrupt(t *testing.T) {
	m := newFakeManager()
	m.holds = true
	_, _, socket := screenAt(t, m)
	cmd := program(t, socket, "ros", "logs", "-f", "docker")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // the first line is there
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != 130 || errs.Len() > 0 {
		t.Errorf("exit code %d, err %q", code, errs.String())
	}
}
