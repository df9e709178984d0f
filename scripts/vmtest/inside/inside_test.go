package inside

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChecks makes each check on this machine, once as it holds and once as it
// does not.
func TestChecks(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12 34\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("INSIDE_TEST", "here")
	for _, tt := range []struct{ good, bad Check }{
		{Check{"text", file, "12 34"}, Check{"text", file, "12"}},
		{Check{"text", file, "12 34"}, Check{"text", dir, "12 34"}},
		{Check{"contains", file, "2 3"}, Check{"contains", file, "x"}},
		{Check{"sees", file, "2 3"}, Check{"unknown", file, ""}},
		{Check{"hash", file, fmt.Sprintf("%x", sha256.Sum256([]byte("12 34\n")))}, Check{"hash", dir, ""}},
		{Check{"atleast", "/proc/sys/kernel/pid_max", "100"}, Check{"atleast", "/proc/sys/kernel/pid_max", "9999999999"}},
		{Check{"mode", file, "0640"}, Check{"mode", file, "0644"}},
		{Check{"filled", dir, ""}, Check{"filled", "/proc/self/map_files/none", ""}},
		{Check{"directory", dir, ""}, Check{"directory", file, ""}},
		{Check{"writes", filepath.Join(dir, "new"), "x"}, Check{"writes", dir, "x"}},
		{Check{"device", "/dev/null", "c 1:3"}, Check{"device", file, "c 1:3"}},
		{Check{"device", "/dev/zero", "c 1:5"}, Check{"device", "/dev/null", "b 1:3"}},
		{Check{"hostname", "", name}, Check{"hostname", "", name + "x"}},
		{Check{"user", "", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())}, Check{"user", "", "70000:70000"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"group", "", "70000"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"env", "INSIDE_TEST", ""}},
		{Check{"status", "Tgid", fmt.Sprint(os.Getpid())}, Check{"status", "Nothing", ""}},
		{Check{"process", "/proc", "inside.test"}, Check{"process", "/proc", "no such process"}},
		{Check{"limit", "core", limitOf(t, "Max core file size")}, Check{"limit", "core", "1 1"}},
		{Check{"address", "", "127.0.0.1"}, Check{"address", "", "192.0.2.1"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"links", "", "none"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"link", "", "02:00:00:00:00:01"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"readonly", dir, ""}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"tmpfs", "/proc", ""}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"bounding", "", "123"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"newlink", "", "no such kind"}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"tunnel", file, ""}},
		{Check{"env", "INSIDE_TEST", "here"}, Check{"controlgroup", file, ""}},
		{Check{"writable", file, ""}, Check{"writable", dir, ""}},
	} {
		if err := tt.good.run(t.Context()); err != nil {
			t.Errorf("%s: %v", tt.good, err)
		}
		if err := tt.bad.run(t.Context()); err == nil {
			t.Errorf("%s holds", tt.bad)
		}
	}
}

// limitOf reads what the shell calls a limit from /proc.
func limitOf(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			words := strings.Fields(strings.ReplaceAll(rest, "unlimited", "-1"))
			return words[0] + " " + words[1]
		}
	}
	t.Fatalf("no limit %s", name)
	return ""
}

func TestReach(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\n"+Greeting("web"))
			conn.Close()
		}
	}()
	if err := reach(t.Context(), Check{Path: "tcp " + ln.Addr().String(), Want: "web"}); err != nil {
		t.Error(err)
	}
	if err := reach(t.Context(), Check{Path: "tcp " + ln.Addr().String(), Want: "db"}); err == nil {
		t.Error("another service is taken for db")
	}
}

func TestVerdict(t *testing.T) {
	task, err := ParseTask(`{"service":"web","checks":[{"kind":"device","path":"/dev/null","want":"c 1:3"},{"kind":"text","path":"/dev/null","want":"x"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if v := Run(t.Context(), task); v.Service != "web" || v.Passed != 1 || len(v.Failures) != 1 {
		t.Errorf("verdict %+v", v)
	}
	if _, err := ParseTask("x"); err == nil {
		t.Error("nonsense is a task")
	}
}
