package units

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/coreunit"
)

func put(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadyNetwork(t *testing.T) {
	const head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
	const lo6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
	for _, tt := range []struct {
		v4, v6 string
		want   bool
	}{
		{"", "", false},
		{head + "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", lo6, false},
		{head + "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "", true},
		{head, lo6 + "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000002 00000400 00000001 00000000 00000003     eth0\n", true},
	} {
		root := t.TempDir()
		put(t, root, "proc/net/route", tt.v4)
		put(t, root, "proc/net/ipv6_route", tt.v6)
		if got := New(Options{Root: root}).routed(); got != tt.want {
			t.Errorf("%q %q: %v", tt.v4, tt.v6, got)
		}
	}
}

// TestReadyDocker waits for an engine whose socket is there before it can
// answer.
func TestReadyDocker(t *testing.T) {
	root, err := os.MkdirTemp("", "units") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	if err := os.Mkdir(filepath.Join(root, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := New(Options{Root: root})
	if answers(t.Context(), r.path(dockerSocket)) {
		t.Error("an engine that is not there answers")
	}
	socket, err := net.Listen("unix", r.path(dockerSocket))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if asked++; asked < 2 || req.URL.Path != "/_ping" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	go server.Serve(socket)
	defer server.Close()
	if err := r.ready(t.Context(), coreunit.Known{Docker: true}); err != nil || asked != 2 {
		t.Errorf("%v after %d questions", err, asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.ready(ctx, coreunit.Known{Network: true}); err == nil {
		t.Error("ready without a network")
	}
}

func TestConditions(t *testing.T) {
	root := t.TempDir()
	put(t, root, "full/file", "x")
	put(t, root, "empty", "")
	if err := os.Mkdir(filepath.Join(root, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	// Outside of the test's root: the kernel's is a mount point.
	mounted, covered := strings.Repeat("/..", 20), strings.Repeat("/..", 21)
	r := New(Options{Root: root, Covered: func(path string) bool { return path == covered }})
	c := func(kind, path string) coreunit.Condition {
		return coreunit.Condition{Kind: "Condition" + kind, Path: path}
	}
	not := func(c coreunit.Condition) coreunit.Condition { c.Negate = true; return c }
	or := func(c coreunit.Condition) coreunit.Condition { c.Trigger = true; return c }
	for _, tt := range []struct {
		list []coreunit.Condition
		want string
	}{
		{nil, ""},
		{[]coreunit.Condition{c("PathExists", "/empty"), not(c("PathExists", "/absent"))}, ""},
		{[]coreunit.Condition{not(c("PathExists", "/empty"))}, "ConditionPathExists=/empty"},
		{[]coreunit.Condition{c("FileNotEmpty", "/full/file"), c("DirectoryNotEmpty", "/full"), c("PathIsDirectory", "/dir"), c("PathExistsGlob", "/f*")}, ""},
		{[]coreunit.Condition{c("FileNotEmpty", "/empty")}, "ConditionFileNotEmpty=/empty"},
		{[]coreunit.Condition{c("DirectoryNotEmpty", "/dir")}, "ConditionDirectoryNotEmpty=/dir"},
		{[]coreunit.Condition{c("FileIsExecutable", "/full/file")}, "ConditionFileIsExecutable=/full/file"},
		{[]coreunit.Condition{c("PathIsMountPoint", "/dir")}, "ConditionPathIsMountPoint=/dir"},
		{[]coreunit.Condition{c("PathIsMountPoint", mounted)}, ""},
		{[]coreunit.Condition{c("PathIsMountPoint", covered)}, "ConditionPathIsMountPoint=" + covered},
		{[]coreunit.Condition{or(c("PathExists", "/absent")), or(c("PathExists", "/dir"))}, ""},
		{[]coreunit.Condition{or(c("PathExists", "/absent"))}, "ConditionPathExists=/absent"},
	} {
		if got := r.conditions(tt.list); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.list, got, tt.want)
		}
	}
}

func TestLocal(t *testing.T) {
	root := t.TempDir()
	r := New(Options{Root: root})
	if got := r.local(); got != time.Local {
		t.Errorf("without a file: %v", got)
	}
	// RFC 9636, version 1: the counts in the header, one local time type, its name.
	zone := "TZif" + strings.Repeat("\x00", 16) + // version, reserved
		strings.Repeat("\x00", 16) + // no UT or standard indicators, leap seconds, transitions
		"\x00\x00\x00\x01" + "\x00\x00\x00\x04" + // one type, a name of four bytes
		"\x00\x00\x7e\x90" + "\x00" + "\x00" + // 32400 s east, no summer time, the name at 0
		"JST\x00"
	put(t, root, "etc/localtime", zone)
	if name, offset := time.Now().In(r.local()).Zone(); name != "JST" || offset != 9*60*60 {
		t.Errorf("%s, offset %d", name, offset)
	}
}
