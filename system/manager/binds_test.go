package manager

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/linux"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/supervise"
)

// aTree is the tree of a machine with a state disk: the directories in made, the
// links, and a mount table in which what is mounted is said but not done.
func aTree(t *testing.T) finder {
	t.Helper()
	root, image := t.TempDir(), t.TempDir()
	for _, dir := range []string{
		"srv/db", "data/db", "etc/agent", "etc/ssl/certs", "etc/ssl/private", "usr/lib/modules", "usr/share", "var/lib/docker", "run", "tmp/x", "scratch/a",
		"mnt/server", "disk", "home", "opt", "opt/sub",
	} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"lib": "usr/lib", "var/run": "/run", "srv/link": "/data/db", "data/back": "../srv/./db", "data/loop": "loop", "etc/localtime": "/usr/share/zoneinfo/UTC",
		"opt/sub/up": "../../data", "data/to-server": "/mnt/server/x/../y",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"usr/share/zoneinfo", "etc/ssl/certs", "etc/ssl/private"} {
		if err := os.MkdirAll(filepath.Join(image, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"usr/share/zoneinfo/UTC", "etc/services"} {
		if err := os.WriteFile(filepath.Join(image, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mount := func(id, parent int, target, fstype, device string) linux.MountInfo {
		return linux.MountInfo{ID: id, Parent: parent, Target: target, Type: fstype, Device: device}
	}
	tree, err := beneath.OpenNamespace(root, []linux.MountInfo{
		mount(20, 1, "/", "overlay", "0:40"), mount(21, 20, "/srv", "ext4", "8:1"), mount(22, 20, "/var", "ext4", "8:1"),
		mount(23, 20, "/usr/lib/modules", "erofs", "7:0"), mount(24, 20, "/run", "tmpfs", "0:30"), mount(25, 20, "/tmp", "tmpfs", "0:31"),
		mount(26, 20, "/scratch", "tmpfs", "0:50"), mount(27, 20, "/mnt", "ext4", "8:1"), mount(28, 27, "/mnt/server", "nfs4", "0:60"),
		mount(29, 20, "/disk", "tmpfs", "0:51"), mount(30, 29, "/disk", "ext4", "8:17"), // the second covers the first
		mount(31, 20, "/opt", "ext4", "8:1"), mount(32, 31, "/opt/sub", "overlay", "0:40"), // a bind of the tree
		mount(34, 21, "/srv/ram", "tmpfs", "0:52"),
		mount(33, 99, "/home", "ext4", "8:1"), // below a mount that is covered itself
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return finder{tree: tree, image: image}
}

// TestBinds: only what a container may write to and what does not last is
// named, with advice that the configuration accepts.
func TestBinds(t *testing.T) {
	// The answers of GET /containers/json and GET /volumes, shortened.
	const containers = `[
		{"Names": ["/db-1"], "Labels": {"com.docker.compose.project": "db"}, "Mounts": [
			{"Type": "bind", "Source": "/data/db", "Destination": "/var/lib/db", "RW": true},
			{"Type": "bind", "Source": "/etc/localtime", "Destination": "/etc/localtime", "RW": true},
			{"Type": "bind", "Source": "/srv/db", "Destination": "/conf", "RW": true},
			{"Type": "volume", "Name": "plain", "Source": "/var/lib/docker/volumes/plain/_data", "Destination": "/x", "RW": true},
			{"Type": "volume", "Name": "bound", "Source": "/var/lib/docker/volumes/bound/_data", "Destination": "/y", "RW": true},
			{"Type": "volume", "Name": "ram", "Source": "/var/lib/docker/volumes/ram/_data", "Destination": "/r", "RW": true},
			{"Type": "volume", "Name": "kept", "Source": "/var/lib/docker/volumes/kept/_data", "Destination": "/z", "RW": true}]},
		{"Names": ["/db-2"], "Labels": {"com.docker.compose.project": "db"}, "Mounts": [
			{"Type": "bind", "Source": "/data/db", "Destination": "/var/lib/db", "RW": true}]},
		{"Names": ["/wireguard"], "Mounts": [
			{"Type": "bind", "Source": "/lib/modules", "Destination": "/lib/modules", "RW": true},
			{"Type": "bind", "Source": "/etc/ssl/certs", "Destination": "/etc/ssl/certs", "RW": true},
			{"Type": "bind", "Source": "/etc/services", "Destination": "/etc/services", "RW": true},
			{"Type": "bind", "Source": "/usr/share/zoneinfo", "Destination": "/usr/share/zoneinfo", "RW": true},
			{"Type": "bind", "Source": "/etc/ssl/private", "Destination": "/keys", "RW": true},
			{"Type": "bind", "Source": "/usr/share/app", "Destination": "/app", "RW": true}]},
		{"Names": ["/agent"], "Mounts": [
			{"Type": "bind", "Source": "/", "Destination": "/rootfs", "RW": true},
			{"Type": "bind", "Source": "/var/run/docker.sock", "Destination": "/var/run/docker.sock", "RW": true},
			{"Type": "bind", "Source": "/etc/agent", "Destination": "/etc/agent", "RW": true},
			{"Type": "bind", "Source": "/tmp/x", "Destination": "/x", "RW": true},
			{"Type": "bind", "Source": "/scratch/a", "Destination": "/a", "RW": true},
			{"Type": "bind", "Source": "/srv/link", "Destination": "/link", "RW": true},
			{"Type": "bind", "Source": "/data/back", "Destination": "/back", "RW": true},
			{"Type": "bind", "Source": "/mnt/server/x", "Destination": "/s", "RW": true},
			{"Type": "bind", "Source": "/opt/sub", "Destination": "/sub", "RW": true},
			{"Type": "bind", "Source": "/srv/ram", "Destination": "/ram", "RW": true},
			{"Type": "tmpfs", "Source": "", "Destination": "/t", "RW": true},
			{"Type": "bind", "Source": "/etc/agent.conf", "Destination": "/a.conf", "RW": false}]}]`
	const volumes = `[
		{"Name": "plain", "Driver": "local", "Options": null},
		{"Name": "bound", "Driver": "local", "Options": {"type": "none", "o": "rw,bind", "device": "/data/y"}},
		{"Name": "ram", "Driver": "local", "Options": {"type": "tmpfs", "o": "size=1m", "device": "tmpfs"}},
		{"Name": "kept", "Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/srv/z"}}]`
	var list []container
	var vols []volume
	for text, v := range map[string]any{containers: &list, volumes: &vols} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal(err)
		}
	}
	f := aTree(t)
	got := f.binds(list, vols)
	const orData = ", or set rancher.state.directories: [/data] and reboot; /data is empty then, so copy what is in it to /srv before, and back afterwards"
	want := []api.Bind{
		{Container: "agent", Source: "/etc/agent", Target: "/etc/agent", Advice: "bind /srv/agent instead"},
		{Container: "agent", Source: "/opt/sub", Target: "/sub", Advice: "bind /srv/sub instead"},
		{Container: "agent", Source: "/scratch/a", Target: "/a", Advice: "bind /srv/a instead"},
		{Container: "agent", Source: "/srv/link", Leads: "/data/db", Target: "/link", Advice: "bind /srv/db instead" + orData},
		{Container: "agent", Source: "/srv/ram", Target: "/ram", Advice: "bind /opt/ram instead"},
		{Container: "agent", Source: "/tmp/x", Target: "/x", Advice: "bind /srv/x instead"},
		{Container: "db-1", Project: "db", Source: "/data/db", Target: "/var/lib/db", Advice: "bind /srv/db instead" + orData},
		{Container: "db-1", Project: "db", Volume: "bound", Source: "/data/y", Target: "/y", Advice: "bind /srv/y instead" + orData},
		{Container: "db-2", Project: "db", Source: "/data/db", Target: "/var/lib/db", Advice: "bind /srv/db instead" + orData},
		{Container: "wireguard", Source: "/etc/ssl/private", Target: "/keys", Advice: "bind /srv/private instead"},
		{Container: "wireguard", Source: "/usr/share/app", Target: "/app", Advice: "bind /srv/app instead"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		"the engine keeps images and volumes in /data/docker, which the next boot empties: set rancher.docker.data_root to a directory that lasts, such as /var/lib/docker" + orData,
		"container agent keeps data in /etc/agent, which the next boot empties: bind /srv/agent instead",
		"compose project db keeps data in /data/db, which the next boot empties: bind /srv/db instead" + orData,
	}, bindNotes(api.Binds{DataRoot: f.dataRoot("/data/docker", "rancher.docker.data_root"), Binds: []api.Bind{got[0], got[6], got[8]}})); d != "" {
		t.Error(d)
	}
}

// TestLateFiles: who binds a file that is written after containers have started
// is told, unless the file of the last boot is still there.
func TestLateFiles(t *testing.T) {
	const containers = `[
		{"Names": ["/web"], "Labels": {"com.docker.compose.project": "site"}, "Mounts": [
			{"Type": "bind", "Source": "/etc/web/web.conf", "Destination": "/web.conf", "RW": false},
			{"Type": "bind", "Source": "/srv/kept.conf", "Destination": "/kept.conf", "RW": true},
			{"Type": "bind", "Source": "/etc/early.conf", "Destination": "/early.conf", "RW": true},
			{"Type": "bind", "Source": "/etc/web", "Destination": "/all", "RW": true}]},
		{"Names": ["/linked"], "Mounts": [{"Type": "bind", "Source": "/data/late", "Destination": "/late", "RW": true}]}]`
	var list []container
	if err := json.Unmarshal([]byte(containers), &list); err != nil {
		t.Fatal(err)
	}
	files := []osconfig.File{
		{Path: "/etc/web/web.conf", Defer: true}, {Path: "/srv/kept.conf", Defer: true}, {Path: "/etc/early.conf"}, {Path: "/data/./late", Defer: true},
	}
	got := aTree(t).lateFiles(list, files)
	want := []api.LateFile{{Container: "linked", Path: "/data/late"}, {Container: "web", Project: "site", Path: "/etc/web/web.conf"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		"container linked binds /data/late, which write_files writes after containers have started: leave out defer",
		"compose project site binds /etc/web/web.conf, which write_files writes after containers have started: leave out defer",
	}, bindNotes(api.Binds{LateFiles: got})); d != "" {
		t.Error(d)
	}
}

func TestDataRootThatLasts(t *testing.T) {
	f := aTree(t)
	for _, dir := range []string{"/var/lib/docker", "/mnt/server/docker", "/disk/docker", "/data/back"} {
		if got := f.dataRoot(dir, "key"); got != nil {
			t.Errorf("%s: %+v", dir, got)
		}
	}
	if got := f.dataRoot("/scratch/docker", "key"); got == nil || strings.Contains(got.Advice, "directories") || !strings.HasPrefix(got.Advice, "set key to") {
		t.Errorf("on a tmpfs: %+v", got)
	}
	// The advice names what counts.
	e := osconfig.Engine{DataRoot: "/a", ConfigFile: "/opt/daemon.json", ExtraArgs: []string{"--data-root=/b"}}
	for root, want := range map[string]string{"/a": "rancher.docker.data_root", "/b": "--data-root in rancher.docker.extra_args", "/c": "data-root in /opt/daemon.json"} {
		if got := dataRootKey(e, root); got != want {
			t.Errorf("%s: %q, want %q", root, got, want)
		}
	}
}

// TestBindsWithoutState: on a machine that keeps its state in RAM nothing lasts.
func TestBindsWithoutState(t *testing.T) {
	for _, device := range []string{state.RAM, ""} {
		m := &Manager{log: quiet(), mounted: state.Mounted{Device: device}, sup: supervise.New(supervise.Options{Runner: noRunner{}, Log: quiet()})}
		if got, err := m.Binds(t.Context()); err != nil || !got.Stateless {
			t.Errorf("%q: %+v, %v", device, got, err)
		}
	}
}
