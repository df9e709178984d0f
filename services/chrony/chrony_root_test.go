package chrony_test

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/chrony"
)

// TestRootChronyd: a real chronyd in a root of its own, whose /run is another
// directory of the machine, takes what Set says while it runs.
func TestRootChronyd(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	if _, err := exec.LookPath("chronyd"); err != nil {
		t.Skip("this machine lacks chronyd")
	}
	root := cell(t)
	sources := filepath.Join(root, "sources")
	socket := filepath.Join(root, "run/chrony/chronyd.sock")
	d := chrony.New(socket, sources)
	if err := d.Set(osconfig.NTP{}, []netip.Addr{netip.MustParseAddr("192.0.2.1")}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/chronyd", "-x", "-d", "-u", "root", "sourcedir /sources", "cmdport 0", "bindcmdaddress /run/chrony/chronyd.sock", "pidfile /run/pid")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	lists := func(want string) bool {
		out, _ := exec.Command("chronyc", "-h", socket, "-n", "-c", "sources", "-a").Output()
		var servers []string
		for line := range strings.Lines(string(out)) {
			if fields := strings.Split(line, ","); len(fields) > 2 {
				servers = append(servers, fields[2])
			}
		}
		return strings.Join(servers, " ") == want
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !lists("192.0.2.1"); <-tick.C {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("chronyd has not read the servers of its start")
		}
	}
	if err := d.Set(osconfig.NTP{}, []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2")}); err != nil {
		t.Fatal(err)
	}
	if !lists("192.0.2.2 2001:db8::2") {
		t.Error("a changed lease is not in effect when Set has returned")
	}
	if err := d.Set(osconfig.NTP{Servers: []string{"192.0.2.9"}}, []netip.Addr{netip.MustParseAddr("192.0.2.2")}); err != nil {
		t.Fatal(err)
	}
	if !lists("192.0.2.9") {
		t.Error("configured servers have not taken the place of the lease's")
	}
}

// cell is a root with the machine's programs, in which its own /run has the
// name that the machine has for it, as the unit's mounts see to it.
func cell(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "chr") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) }) // its mounts end before, with the namespace's process
	bind := func(from, to string) {
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			t.Fatalf("mount %s: %v", to, err)
		}
		t.Cleanup(func() { unix.Unmount(to, unix.MNT_DETACH) })
	}
	for _, dir := range []string{"sources", "run"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"/usr", "/etc", "/dev"} {
		bind(dir, filepath.Join(root, dir))
	}
	for _, dir := range []string{"/lib", "/lib64", "/bin", "/sbin"} {
		if target, err := os.Readlink(dir); err == nil {
			if err := os.Symlink(target, filepath.Join(root, dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	bind(filepath.Join(root, "run"), filepath.Join(root, root, "run"))
	return root
}
