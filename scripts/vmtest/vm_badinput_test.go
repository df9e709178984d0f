package vmtest

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// Each of these machines is given something wrong. It must come up with SSH,
// by the key on the kernel command line, and say what is wrong.

func TestVMBadCommandLineAndUnparsableUserData(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	spec := l.direct(l.files.SystemImg, l.keyParam(),
		"rancher.modules=[nosuchmodule]",
		"rancher.services_include.nosuchservice=true",
		"rancher.network.dhcp_timeout=15",
		"rancher.network.interfaces.e*.dhcp=true",
		"rancher.network.interfaces.neverthere0.dhcp=true")
	spec.Disks = append(spec.Disks, l.seed(t, "unparsable", "#cloud-config\nhostname: [unclosed\n\t- {:\n  ssh_authorized_keys\n"))
	testDegraded(t, l, spec, map[string]string{
		"unparsable user-data": "user-data",
		"nonexistent module":   "nosuchmodule",
		"unknown service":      "nosuchservice",
		"missing interface":    "neverthere0",
	})
}

func TestVMWrongTypes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	spec := l.direct(l.files.SystemImg, l.keyParam())
	spec.Disks = append(spec.Disks, l.seed(t, "types", `#cloud-config
hostname: {a: b}
write_files: "no list"
runcmd: 12
rancher:
  network: [1, 2]
  docker: "yes please"
  sysctl: {kernel.nosuchknob: 1}
`))
	g := testDegraded(t, l, spec, map[string]string{
		"hostname": "hostname", "write_files": "write_files", "runcmd": "runcmd", "network": "rancher.network", "docker": "rancher.docker",
		"sysctl": "nosuchknob",
	})
	if g.try(t, "docker info").Code != 0 {
		t.Error("the engine does not run")
	}
}

// TestVMGarbageSeeds plugs in a disk of noise and one that has the seed's
// label and a broken file system.
func TestVMGarbageSeeds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	if err := os.WriteFile(l.path("noise.img"), noise, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteGarbageSeed(l.tools, l.path("garbage.iso"), func(b []byte) { rand.Read(b) }); err != nil {
		t.Fatal(err)
	}
	spec := l.direct(l.files.SystemImg, l.keyParam())
	spec.Disks = append(spec.Disks, Disk{Path: l.path("noise.img"), ReadOnly: true}, Disk{Path: l.path("garbage.iso"), ReadOnly: true})
	testDegraded(t, l, spec, map[string]string{"broken seed": "/dev/vdc"})
}

// testDegraded boots spec and wants SSH, state degraded, and a reason that
// contains each of the words, in bounded time.
func testDegraded(t *testing.T, l lab, spec Spec, words map[string]string) *guest {
	t.Helper()
	// Complaints about units and file systems are what is asked for here.
	g := l.start(t, spec, false, `(?i)unit .*fail|Failed to|FAT-fs|I/O error|EXT4-fs`)
	g.login(t)
	s := g.settled(t)
	if s.State != api.StateDegraded {
		t.Errorf("state is %q, want degraded: %+v", s.State, s)
	}
	all := strings.ToLower(strings.Join(s.Reasons, "\n"))
	for what, word := range words {
		if !strings.Contains(all, strings.ToLower(word)) {
			t.Errorf("%s: no reason mentions %q", what, word)
		}
	}
	for _, r := range s.Reasons {
		if len(strings.Fields(r)) < 3 {
			t.Errorf("reason %q is no sentence", r)
		}
	}
	if len(s.Waiting) != 0 {
		t.Errorf("still waiting: %q", s.Waiting)
	}
	// A login shows it too: the first reason, in a shell as people get it. The
	// manager looks every two seconds whether the banner still says what is so.
	if len(s.Reasons) > 0 {
		g.eventuallyPrints(t, 10*time.Second, "bash -lic true 2>/dev/null", s.Reasons[0])
	}
	t.Logf("settled %.1f s after kernel start; reasons:\n%s", s.Uptime, strings.Join(s.Reasons, "\n"))
	return g
}
