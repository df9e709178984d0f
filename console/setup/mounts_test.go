package setup

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestRows(t *testing.T) {
	list := rows([]osconfig.Mount{
		{Device: "LABEL=data", Point: "/mnt/data"},
		{Device: "vdb1", Point: "/srv/a-b", FSType: "xfs", Options: "rw,noatime,nofail,x-systemd.requires=a,comment=b,_netdev"},
		{Device: "vdc", Point: "swap"},
		{Device: "/dev/vdd", Point: "none", FSType: "swap", Options: "sw,pri=5"},
		{Device: "tmpfs", Point: "/mnt/fast", FSType: "tmpfs", Options: "size=1m,noauto"},
		{Device: "10.0.0.1:/x", Point: "/mnt/nfs", FSType: "nfs4"},
		{Device: "/mnt/nfs/media", Point: "/srv/media", FSType: "none", Options: "bind"},
		{Device: "/dev/vde", Point: "/srv/media/cache"},
		{Device: "10.0.0.1:/y", Point: "/mnt/bg", Options: "bg,soft"},
		{Device: "gone", Point: "/mnt/gone"},
		{Device: "gone"},
	}, []string{"", "", "ext4", "ro,nofail", "0", "2"})
	want := []row{
		{device: "LABEL=data", point: "/mnt/data", fstype: "ext4", options: []string{"ro"}},
		{device: "/dev/vdb1", point: "/srv/a-b", fstype: "xfs", options: []string{"rw", "noatime"}},
		{device: "/dev/vdc", point: "swap", fstype: "swap", options: []string{"ro"}},
		{device: "/dev/vdd", point: "none", fstype: "swap", options: []string{"sw", "pri=5"}},
		{device: "tmpfs", point: "/mnt/fast", fstype: "tmpfs", options: []string{"size=1m"}, noauto: true},
		{device: "10.0.0.1:/x", point: "/mnt/nfs", fstype: "nfs4", options: []string{"ro"}},
		{device: "/mnt/nfs/media", point: "/srv/media", fstype: "none", options: []string{"bind"}, on: []string{"/mnt/nfs"}},
		{device: "/dev/vde", point: "/srv/media/cache", fstype: "ext4", options: []string{"ro"}, on: []string{"/srv/media"}},
		{device: "10.0.0.1:/y", point: "/mnt/bg", fstype: "ext4", options: []string{"soft"}},
	}
	if d := cmp.Diff(want, list, cmp.AllowUnexported(row{})); d != "" {
		t.Error(d)
	}
	for line, r := range map[string]row{
		"mount -t nfs4 -o ro,retry=0 10.0.0.1:/x /m":     {device: "10.0.0.1:/x", point: "/m/", fstype: "nfs4", options: []string{"ro"}},
		"mount -o retry=0 nas:/x /m":                     {device: "nas:/x", point: "/m", fstype: "auto"},
		"mount -t nfs -o retry=1 nas:/x /m":              {device: "nas:/x", point: "/m", fstype: "nfs", options: []string{"retry=1"}},
		"mount //nas/x /m":                               {device: "//nas/x", point: "/m", fstype: "auto"},
		"mount -t cifs -o credentials=/etc/c //nas/x /m": {device: "//nas/x", point: "/m", fstype: "cifs", options: []string{"credentials=/etc/c"}},
		"mount -o bind /a /m":                            {device: "/a", point: "/m", fstype: "none", options: []string{"bind"}},
	} {
		if got := strings.Join(r.mount(r.device), " "); got != line {
			t.Errorf("%q, want %q", got, line)
		}
	}
	if d := cmp.Diff([]string{"swapon", "-o", "pri=5", "/dev/vdd"}, swapOn("/dev/vdd", want4())); d != "" {
		t.Error(d)
	}
}

func want4() []string { return []string{"sw", "pri=5"} }

func TestMounts(t *testing.T) {
	r := newRoom(t)
	r.tools.devices = map[string]string{"LABEL=data": "/dev/vdb1"}
	r.write(t, "/dev/vdc", "")
	r.write(t, "/home/rancher/dir/file", "")
	p := Plan{Mounts: []osconfig.Mount{
		{Device: "LABEL=data", Point: "/mnt/data"},
		{Device: "vdc", Point: "/data", FSType: "ext4", Options: "defaults,noatime"},
		{Device: "/home/rancher/dir", Point: "/opt/dir", FSType: "none", Options: "bind"},
		{Device: "/dev/vdc", Point: "none", FSType: "swap"},
		{Device: "tmpfs", Point: "/mnt/never", FSType: "tmpfs", Options: "noauto"},
		{Device: "tmpfs", Point: "relative", FSType: "tmpfs"},
	}}
	s := r.setup()
	err := s.localMounts(t.Context(), p)
	if err == nil || err.Error() != `mounts: relative: "relative" is no place to mount something` {
		t.Errorf("problems: %v", err)
	}
	want := []string{
		"mount /dev/vdb1 /mnt/data",
		"mount -t ext4 -o noatime /dev/vdc /data",
		"mount -o bind /home/rancher/dir /opt/dir",
		"swapon /dev/vdc",
	}
	if d := cmp.Diff(want, r.tools.called()); d != "" {
		t.Error(d)
	}
	for _, dir := range []string{"/mnt/data", "/data", "/opt/dir"} {
		if !exists(r.path(dir)) {
			t.Errorf("no directory %s", dir)
		}
	}
	s.plan = p
	p.Mounts = p.Mounts[1:5]
	if err := s.localMounts(t.Context(), p); err != nil {
		t.Error(err)
	}
	// Another console on the same machine finds the mounts of this one.
	if d := cmp.Diff([]string{"umount /mnt/data"}, r.tools.called()); d != "" {
		t.Error(d)
	}
	if err := r.setup().localMounts(t.Context(), p); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string(nil), r.tools.called()); d != "" {
		t.Error(d)
	}
}

// TestMountsThatFail: a device that does not come and a server that does not
// answer end at their deadlines, and the others are mounted.
func TestMountsThatFail(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/dev/vdc", "")
	r.tools.broken = "mount -t cifs"
	p := Plan{Mounts: []osconfig.Mount{
		{Device: "LABEL=missing", Point: "/mnt/a"}, {Device: "/dev/nowhere", Point: "/mnt/b"},
		{Device: "//server/share", Point: "/mnt/c", FSType: "cifs"}, {Device: "/dev/vdc", Point: "/mnt/d"},
	}}
	synctest.Test(t, func(t *testing.T) {
		s := r.setup()
		ctx, cancel := context.WithCancel(context.Background())
		s.mountAll(ctx, p)
		cancel()
		s.running.Wait()
		want := []string{
			"mounts: /mnt/a: LABEL=missing is not there", "mounts: /mnt/b: /dev/nowhere is not there",
			"mounts: /mnt/c: mount: it is broken: exit 1; the console retries until it works",
		}
		if d := cmp.Diff(want, r.status(t).Problems); d != "" {
			t.Error(d)
		}
	})
	if calls := r.tools.called(); !slices.Contains(calls, "mount /dev/vdc /mnt/d") {
		t.Errorf("called: %q", calls)
	}
}

func TestSwap(t *testing.T) {
	r := newRoom(t)
	use := func(s *setup, c osconfig.Swap, want ...string) {
		t.Helper()
		if err := s.swap(t.Context(), c); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(want, r.tools.called()); d != "" {
			t.Errorf("%+v: %s", c, d)
		}
	}
	s := r.setup()
	use(s, osconfig.Swap{Size: "64K"}, "mkswap /var/swapfile.new", "swapon /var/swapfile")
	info, err := os.Stat(r.path("/var/swapfile"))
	if err != nil || info.Size() != 64<<10 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	use(s, osconfig.Swap{Size: "64K"})
	use(s, osconfig.Swap{Size: "128K"}, "swapoff /var/swapfile", "mkswap /var/swapfile.new", "swapon /var/swapfile")

	// After a boot the same file is used, by another name the old one goes.
	r.write(t, "/proc/swaps", "")
	s = r.setup()
	use(s, osconfig.Swap{Size: "128K"}, "swapon /var/swapfile")
	use(s, osconfig.Swap{Size: "128K", Filename: "/opt/swap"}, "swapoff /var/swapfile", "mkswap /opt/swap.new", "swapon /opt/swap")
	if exists(r.path("/var/swapfile")) {
		t.Error("the old one stays")
	}
	use(s, osconfig.Swap{Size: "auto", MaxSize: "1M", Filename: "/opt/swap"})
	use(r.setup(), osconfig.Swap{}, "swapoff /opt/swap")
	if exists(r.path("/opt/swap")) {
		t.Error("it stays although nobody wants it")
	}
	use(r.setup(), osconfig.Swap{Size: "auto", MaxSize: "1M"}, "mkswap /var/swapfile.new", "swapon /var/swapfile")
	if info, err := os.Stat(r.path("/var/swapfile")); err != nil || info.Size() != 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestSwapThatFails(t *testing.T) {
	r := newRoom(t)
	for want, c := range map[string]osconfig.Swap{
		"swap: /etc/swap: not on a disk: it has to be below one of /home, /root, /srv, /opt, /usr/local, /mnt, /media, /var": {Filename: "/etc/swap", Size: "1M"},
		`swap: /var/swapfile: size "much" is no number of bytes`:                                                             {Size: "much"},
		"swap: /var/swapfile: size 1K is too small":                                                                          {Size: "1K"},
		"swap: /var/swapfile: 1048576000 MiB are asked for":                                                                  {Size: "1000T"},
	} {
		if err := r.setup().swap(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	r.tools.broken = "mkswap"
	if err := r.setup().swap(t.Context(), osconfig.Swap{Size: "64K"}); err == nil {
		t.Error("mkswap failed, and nobody says so")
	}
	for _, name := range []string{"/var/swapfile", "/var/swapfile.new"} {
		if _, err := os.Stat(r.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]int64{"512": 512, "64K": 64 << 10, "1.5G": 3 << 29, "2GiB": 2 << 30, "100mb": 100 << 20, "1T": 1 << 40} {
		if got, err := bytesOf(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
}
