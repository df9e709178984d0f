package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/linux"
)

// helper stands in for mount.nfs(8), which mount(8) calls. One server comes
// late, another one never answers.
const helper = `#!/bin/sh
# mount.nfs4 SERVER:PATH DIRECTORY -o OPTIONS
case $1 in
silent:*) sleep 1000 ;;
esac
if [ ! -e /run/pharos/console/server ]; then
	echo "mount.nfs4: Connection refused" >&2
	echo "advice" >&2
	exit 32
fi
exec mount -i -t tmpfs -o size=1m "$1" "$2"
`

// TestRootLateMounts: real mounts, by mount(8) and a helper, in a console of
// its own.
func TestRootLateMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/files/usr/sbin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/files/usr/sbin/mount.nfs4", []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	p := Plan{
		Mounts: []osconfig.Mount{
			{Device: "silent:/x", Point: "/mnt/silent", FSType: "nfs4"},
			{Device: "nas:/export", Point: "/mnt/nas", FSType: "nfs4"},
			{Device: "/mnt/nas", Point: "/srv/bound", FSType: "none", Options: "bind"},
		},
		Files: []osconfig.File{{Path: "/mnt/nas/file", Content: "on the server"}},
	}
	write := func() {
		t.Helper()
		if err := p.Write(filepath.Join(dir, "run/setup.json")); err != nil {
			t.Fatal(err)
		}
	}
	write()
	cmd := startConsole(t, dir)
	root := fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)
	status := func() Status { st, _ := ReadStatus(filepath.Join(dir, "run/status.json")); return st }
	until := func(ok func(Status) bool) {
		t.Helper()
		waitFor(t, func() bool { return ok(status()) }, func() string { return fmt.Sprintf("%+v", status()) })
	}
	change := func() {
		t.Helper()
		before := status().Plan
		write()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		until(func(st Status) bool { return st.Files && !st.Plan.Equal(before) })
	}
	sources := func(point string) string {
		t.Helper()
		list, err := linux.MountsOf(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, m := range list {
			if m.Target == point {
				out = append(out, m.Source)
			}
		}
		return strings.Join(out, " ")
	}

	until(func(st Status) bool { return st.Files })
	for _, point := range []string{"/mnt/silent", "/mnt/nas", "/srv/bound"} {
		entries, err := os.ReadDir(root + point)
		if err != nil || len(entries) > 0 || sources(point) != CoverSource {
			t.Errorf("%s: %v, %v, mounted: %s", point, entries, err, sources(point))
		}
		if err := os.Mkdir(root+point+"/x", 0o755); !errors.Is(err, unix.EROFS) {
			t.Errorf("a directory in %s: %v", point, err)
		}
		var st unix.Statfs_t
		if err := unix.Statfs(root+point, &st); err != nil || st.Flags&unix.ST_NOEXEC == 0 || st.Flags&unix.ST_NOSUID == 0 || st.Flags&unix.ST_NODEV == 0 {
			t.Errorf("%s: flags %#x, %v", point, st.Flags, err)
		}
		if info, err := os.Stat(root + point); err != nil || info.Mode().Perm() != 0o555 {
			t.Errorf("%s: %v, %v", point, info, err)
		}
	}
	// Another plan finds the covers. The silent server's helper must end.
	p.Files = append(p.Files, osconfig.File{Path: "/etc/second", Content: "2"})
	p.Mounts = p.Mounts[1:]
	change()
	for point, want := range map[string]string{"/mnt/silent": "", "/mnt/nas": CoverSource, "/srv/bound": CoverSource} {
		if got := sources(point); got != want {
			t.Errorf("%s has %q, want %q", point, got, want)
		}
	}
	waitFor(t, func() bool { return !slices.Contains(programs(t, root), "sleep") }, func() string { return fmt.Sprint(programs(t, root)) })

	if err := os.WriteFile(dir+"/run/server", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	until(func(st Status) bool { return len(st.Arrived) == 2 && st.Done })
	st := status()
	if len(st.Problems) > 0 || st.Arrived[0].Point != "/mnt/nas" || st.Arrived[1].Point != "/srv/bound" || st.Arrived[0].Device != st.Arrived[1].Device {
		t.Errorf("%+v", st)
	}
	if got := sources("/mnt/nas"); got != CoverSource+" nas:/export" {
		t.Errorf("mounted: %s", got)
	}
	if text, err := os.ReadFile(root + "/srv/bound/file"); err != nil || string(text) != "on the server" {
		t.Errorf("the file that waited: %q, %v", text, err)
	}

	p.Mounts = nil
	change()
	if a, b := sources("/mnt/nas"), sources("/srv/bound"); a+b != "" {
		t.Errorf("still mounted: %s %s", a, b)
	}
	if err := os.Mkdir(root+"/mnt/nas/x", 0o755); err != nil {
		t.Error(err)
	}
}

// programs are the names of the processes that a console sees.
func programs(t *testing.T, root string) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		name, _ := os.ReadFile(f) // it may have ended
		list = append(list, strings.TrimSpace(string(name)))
	}
	return list
}
