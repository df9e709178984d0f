package linux

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseMountInfo(t *testing.T) {
	got := parseMountInfo(`23 27 0:21 / /proc rw,nosuid shared:3 - proc proc rw
27 1 253:0 / / ro,nodev,relatime shared:1 master:2 - erofs /dev/dm-0 ro
28 27 8:1 /sub\040dir /mnt/a\011b\134c rw - ext4 /dev/sda1 rw
29 27 0:50 / /mnt/music\134043 rw - cifs //nas/music\0431 rw
broken
`)
	want := []MountInfo{
		{ID: 23, Parent: 27, Device: "0:21", Root: "/", Target: "/proc", Type: "proc", Source: "proc"},
		{ID: 27, Parent: 1, Device: "253:0", Root: "/", Target: "/", Type: "erofs", Source: "/dev/dm-0"},
		{ID: 28, Parent: 27, Device: "8:1", Root: "/sub dir", Target: "/mnt/a\tb\\c", Type: "ext4", Source: "/dev/sda1"},
		{ID: 29, Parent: 27, Device: "0:50", Root: "/", Target: `/mnt/music\043`, Type: "cifs", Source: "//nas/music#1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestMountAt: of several mounts on the way of a path, the topmost counts.
func TestMountAt(t *testing.T) {
	mounts := parseMountInfo(`10 1 0:1 / / rw - overlay root rw
11 10 0:2 / /mnt rw - ext4 disk rw
12 11 0:3 / /mnt/nas rw - tmpfs cover rw
13 12 0:4 / /mnt/nas rw - nfs4 server:/x rw
14 11 0:5 / /mnt/nas-old rw - tmpfs other rw
15 10 0:6 / /data/sub rw - ext4 hidden rw
16 10 0:7 / /data rw - ext4 data rw
17 10 0:8 / /opt rw - tmpfs first rw
18 17 0:9 / /opt/a rw - tmpfs hidden rw
19 17 0:10 / /opt rw - tmpfs second rw
`)
	for path, want := range map[string]string{
		"/": "root", "/etc": "root", "/mnt": "disk", "/mnt/na": "disk", "/mnt/nas": "server:/x", "/mnt/nas/a/b": "server:/x",
		"/mnt/nas-old": "other", "/data/sub/file": "data", "/opt/a": "second",
	} {
		if m, ok := MountAt(mounts, path); !ok || m.Source != want {
			t.Errorf("%s: %q, %v, want %s", path, m.Source, ok, want)
		}
	}
	if m, ok := MountAt(nil, "/mnt"); ok {
		t.Errorf("an empty table has %+v", m)
	}
}

func TestRemote(t *testing.T) {
	for fstype, want := range map[string]bool{
		"nfs": true, "nfs4": true, "cifs": true, "fuse.sshfs": true, "fuse": true, "fuseblk": false, "fusectl": false, "ext4": false, "tmpfs": false,
	} {
		if got := (MountInfo{Type: fstype}).Remote(); got != want {
			t.Errorf("%s: %v", fstype, got)
		}
	}
}

func TestParseUevent(t *testing.T) {
	got := parseUevent([]byte("add@/devices/pci/vda\x00ACTION=add\x00SUBSYSTEM=block\x00DEVNAME=vda\x00MODALIAS=x=y\x00"))
	want := Uevent{"ACTION": "add", "SUBSYSTEM": "block", "DEVNAME": "vda", "MODALIAS": "x=y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "libudev\x00\xfe\xed", "add@/no/nul"} {
		if got := parseUevent([]byte(bad)); got != nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestDMRequest(t *testing.T) {
	target := Target{Type: "verity", Sectors: 80, Params: "1 /dev/vda"}
	data := dmRequest("root", "U", 1, &target)
	le := binary.NativeEndian
	if len(data) < 312+40+16 || le.Uint32(data[12:]) != uint32(len(data)) || le.Uint32(data[16:]) != 312 || le.Uint32(data[20:]) != 1 || le.Uint32(data[28:]) != 1 {
		t.Errorf("header of %d bytes: % x", len(data), data[:48])
	}
	if unix.ByteSliceToString(data[48:176]) != "root" || unix.ByteSliceToString(data[176:305]) != "U" {
		t.Error("name or UUID not where they belong")
	}
	spec := data[312:]
	if le.Uint64(spec) != 0 || le.Uint64(spec[8:]) != 80 || unix.ByteSliceToString(spec[24:40]) != "verity" || unix.ByteSliceToString(spec[40:]) != "1 /dev/vda" {
		t.Errorf("target: % x", spec[:56])
	}
	if next := le.Uint32(spec[20:]); next%8 != 0 || next < 40+11 {
		t.Errorf("next = %d", next)
	}
}

func TestParseAction(t *testing.T) {
	for _, a := range []Action{Poweroff, Reboot, Halt} {
		if got, err := ParseAction(string(a)); got != a || err != nil {
			t.Errorf("%s: %v %v", a, got, err)
		}
	}
	if _, err := ParseAction("reboot "); err == nil {
		t.Error("trailing blank accepted")
	}
}
