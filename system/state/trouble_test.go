package state

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestTrouble(t *testing.T) {
	m := Mounted{Device: "/dev/vda4", FSType: "ext4"}
	for _, tt := range []struct {
		name string
		st   unix.Statfs_t
		want string
	}{
		{"room", unix.Statfs_t{Blocks: 1000, Bavail: 20, Bsize: 4096, Files: 1000, Ffree: 20}, ""},
		{"blocks", unix.Statfs_t{Blocks: 100000, Bavail: 1999, Bsize: 4096, Files: 10, Ffree: 9}, "state file system /dev/vda4 is full: 7 MiB are free; " + makeRoom},
		{"files", unix.Statfs_t{Blocks: 1000, Bavail: 900, Bsize: 4096, Files: 1000, Ffree: 19}, "state file system /dev/vda4 is full: it has room for 19 more files; " + makeRoom},
		{"no number of files", unix.Statfs_t{Blocks: 1000, Bavail: 900, Bsize: 4096}, ""},
	} {
		if got := said(m.full(tt.st)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	const ram = "the RAM in place of a state file system is full: 0 MiB are free; " + makeRoom
	if got := said(Mounted{Device: RAM}.full(unix.Statfs_t{Blocks: 1000, Bsize: 4096})); got != ram {
		t.Errorf("%q, want %q", got, ram)
	}
	const ro = "state file system /dev/vda4 is read-only, as after an error of the disk; see ros logs kernel"
	for mounts, want := range map[string]string{
		"/dev/vda4 " + Root + " ext4 rw,nodev,noatime 0 0\n/dev/sr0 /mnt iso9660 ro 0 0\n": "",
		"/dev/vda4 " + Root + " ext4 ro,nodev,noatime 0 0\n":                               ro,
		"/dev/vda4 " + Root + " ext4 rw,emergency_ro,nodev 0 0\n":                          ro,
		"": "",
	} {
		if got := said(m.readOnly(mounts)); got != want {
			t.Errorf("%q: %q, want %q", mounts, got, want)
		}
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
