package ctrd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/system/unit"
)

// The two extremes of a unit's translation, run for real: everything of the
// machine's that can be shared, and nothing.
func TestRootSharesWhatItSays(t *testing.T) {
	w := newWorld(t)
	shared := filepath.Join(w.Dir, "shared")

	open := newUnit("open")
	open.HostPID, open.HostNet, open.HostIPC, open.HostUTS, open.HostCgroupNS = true, true, true, true, true
	open.HostDev, open.HostPaths, open.WritableSys, open.WritableCgroup, open.AllDevices = true, true, true, true, true
	open.SeccompUnconfined = true
	open.Capabilities = []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_MKNOD"}
	open.Limits = unit.Limits{OOMScoreAdj: 500, NoFile: 4096, PidsMax: 100, CPUWeight: 200}
	open.Mounts = []unit.Mount{
		{Source: shared, Target: "/run", Options: []string{"rshared"}, Mkdir: 0o755},
		{Source: w.Images, Target: "/tmp", Options: []string{"ro"}},
	}

	closed := newUnit("closed")
	closed.HostNet = false
	closed.NoNewPrivileges = true
	closed.Devices = []unit.Device{{Type: "c", Major: 10, Minor: 200, Access: "rwm"}}

	for u, shares := range map[*unit.Unit]bool{&open: true, &closed: false} {
		p := w.start(*u)
		w.stillRuns(p)
		for _, ns := range []string{"pid", "net", "ipc", "uts", "cgroup"} {
			if same := namespace(t, "self", ns) == namespace(t, fmt.Sprint(p.PID()), ns); same != shares {
				t.Errorf("%s: the machine's %s namespace is shared: %t, want %t", u.Name, ns, same, shares)
			}
		}
		if namespace(t, "self", "mnt") == namespace(t, fmt.Sprint(p.PID()), "mnt") {
			t.Errorf("%s: the mount namespace is the machine's", u.Name)
		}
		options := mountOptions(t, p.PID())
		if ro := strings.HasPrefix(options["/sys"], "ro"); ro == shares {
			t.Errorf("%s: /sys is %s", u.Name, options["/sys"])
		}
		_, masked := options["/proc/sys"]
		if masked == shares {
			t.Errorf("%s: /proc/sys is read-only: %t, want %t", u.Name, masked, !shares)
		}
		if shares && !strings.HasPrefix(options["/tmp"], "ro") {
			t.Errorf("%s: /tmp is %s", u.Name, options["/tmp"])
		}
	}
}

func namespace(t *testing.T, pid, kind string) string {
	t.Helper()
	link, err := os.Readlink("/proc/" + pid + "/ns/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// mountOptions maps the mount points that a process sees to their options.
func mountOptions(t *testing.T, pid int) map[string]string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		out[f[4]] = f[5]
	}
	return out
}
