package manager

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/linux"
)

// twoTrees are three overlays of one image: the tree that the console had
// before, the one that it has now, and the root of a container.
type twoTrees struct {
	t                     *testing.T
	image, old, now, root string
}

func newTwoTrees(t *testing.T) twoTrees {
	t.Helper()
	dir := t.TempDir()
	tt := twoTrees{t, filepath.Join(dir, "image"), filepath.Join(dir, "old"), filepath.Join(dir, "now"), filepath.Join(dir, "container")}
	for path, text := range map[string]string{
		"usr/share/zoneinfo/UTC": "UTC", "usr/share/zoneinfo/CET": "CET", "usr/bin/docker": strings.Repeat("docker", sameLimit), "etc/os-release": "Pharos",
	} {
		tt.write(filepath.Join(tt.image, path), text)
	}
	for _, tree := range []string{tt.old, tt.now, tt.root} {
		upper, work := tree+".rw/upper", tree+".rw/work"
		tt.must(os.MkdirAll(tree+".rw", 0o755))
		tt.mount("tmpfs", tree+".rw", "tmpfs", 0, "")
		tt.must(errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755), os.Mkdir(tree, 0o755)))
		tt.mount("overlay", tree, "overlay", 0, "lowerdir="+tt.image+",upperdir="+upper+",workdir="+work)
	}
	return tt
}

func (tt twoTrees) must(err error) {
	tt.t.Helper()
	if err != nil {
		tt.t.Fatal(err)
	}
}

func (tt twoTrees) write(path, text string) {
	tt.t.Helper()
	tt.must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)))
}

func (tt twoTrees) mount(source, target, fstype string, flags uintptr, data string) {
	tt.t.Helper()
	tt.must(linux.Mount(source, target, fstype, flags, data))
	tt.t.Cleanup(func() { linux.Unmount(target, unix.MNT_DETACH) })
}

// bind mounts something of a tree in the container, as docker run -v does.
func (tt twoTrees) bind(tree, source, target string) {
	tt.t.Helper()
	target = filepath.Join(tt.root, target)
	if info, err := os.Stat(filepath.Join(tree, source)); err == nil && info.IsDir() {
		tt.must(os.MkdirAll(target, 0o755))
	} else {
		tt.write(target, "")
	}
	tt.mount(filepath.Join(tree, source), target, "", unix.MS_BIND, "")
}

// TestRootOldBinds: what a running container has of the tree before is named if
// it is something else than what is there now.
func TestRootOldBinds(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	tt := newTwoTrees(t)
	for path, texts := range map[string][2]string{
		"etc/myapp/app.conf": {"a=1", "a=1"}, "etc/machine-id": {"1234", "1234"}, "etc/changed": {"old", "new"}, "etc/empty": {"", "full"}, "data/db/table": {"rows", ""},
	} {
		tt.write(filepath.Join(tt.old, path), texts[0])
		tt.write(filepath.Join(tt.now, path), texts[1])
	}
	tt.write(filepath.Join(tt.old, "gone"), "x")
	tt.must(errors.Join(
		os.Symlink("/usr/share/zoneinfo/UTC", filepath.Join(tt.old, "etc/localtime")), os.Symlink("/usr/share/zoneinfo/UTC", filepath.Join(tt.now, "etc/localtime")),
		os.Symlink("/usr/share/zoneinfo/CET", filepath.Join(tt.now, "etc/zone")), unix.Mkfifo(filepath.Join(tt.old, "pipe"), 0o600), unix.Mkfifo(filepath.Join(tt.now, "pipe"), 0o600),
		os.MkdirAll(filepath.Join(tt.now, "srv"), 0o755), os.Symlink("/data/db", filepath.Join(tt.now, "srv/link")),
	))
	// A container that was started before.
	var web container
	add := func(from, source, path, target string) {
		t.Helper()
		tt.bind(from, path, target)
		web.Mounts = append(web.Mounts, containerMount{Type: "bind", Source: source, Destination: target})
	}
	for _, path := range []string{"/etc/myapp", "/etc/machine-id", "/etc/changed", "/etc/empty", "/etc/os-release", "/data/db", "/gone", "/pipe", "/usr/bin/docker", "/usr/share/zoneinfo"} {
		add(tt.old, path, path, "/in"+path)
	}
	add(tt.old, "/etc/myapp/app.conf", "/etc/myapp/app.conf", "/in/app.conf")
	add(tt.old, "/etc/localtime", "/usr/share/zoneinfo/UTC", "/in/localtime")
	add(tt.old, "/etc/zone", "/usr/share/zoneinfo/UTC", "/in/zone")
	add(tt.old, "/srv/link", "/data/db", "/in/link")
	add(tt.old, "/", "/", "/in/rootfs")
	// Where the engine has the old tree itself, because the console has bound it there.
	tt.must(os.Mkdir(filepath.Join(tt.now, "kept"), 0o755))
	add(tt.old, "/kept", "/data/db", "/in/kept")
	// Started since, a tmpfs, nothing there, and a volume that is a bind.
	add(tt.now, "/etc/changed", "/etc/changed", "/in/since")
	tt.must(os.Mkdir(tt.root+"/in/tmpfs", 0o755))
	tt.mount("tmpfs", tt.root+"/in/tmpfs", "tmpfs", 0, "")
	tt.bind(tt.old, "/data/db", "/in/volume")
	web.Mounts = append(web.Mounts,
		containerMount{Type: "bind", Source: "/data/other", Destination: "/in/tmpfs"}, containerMount{Type: "bind", Source: "/data/db", Destination: "/unmounted"},
		containerMount{Type: "volume", Name: "bound", Source: "/var/lib/docker/volumes/bound/_data", Destination: "/in/volume"},
		containerMount{Type: "tmpfs", Destination: "/t"})

	mounts, err := linux.Mounts()
	tt.must(err)
	there := func(c container) (*beneath.Namespace, error) {
		if c.ID == "ended" {
			return nil, nil
		}
		table := []linux.MountInfo{}
		for _, m := range mounts {
			if rest, ok := strings.CutPrefix(m.Target, tt.root); ok {
				m.Target = filepath.Join("/", rest)
				table = append(table, m)
			}
		}
		return beneath.OpenNamespace(tt.root, table)
	}
	at, _ := linux.MountAt(mounts, tt.now)
	before, _ := linux.MountAt(mounts, tt.old)
	tree, err := beneath.OpenNamespace(tt.now, []linux.MountInfo{
		{ID: 1, Target: "/", Type: "overlay", Device: at.Device}, {ID: 2, Parent: 1, Target: "/kept", Type: "overlay", Device: before.Device},
	})
	tt.must(err)
	defer tree.Close()
	f := finder{tree: tree, image: tt.image}
	list := func(id, state, name string, labels map[string]string, mounts ...containerMount) container {
		return container{ID: id, State: state, Names: []string{"/" + name}, Labels: labels, Mounts: mounts}
	}
	db := containerMount{Type: "bind", Source: "/data/db", Destination: "/in/data/db"}
	got, err := f.oldBinds([]container{
		list("1", "running", "web", map[string]string{composeProject: "site"}, web.Mounts...),
		list("2", "paused", "task.1", map[string]string{swarmService: "task"}, db),
		list("3", "exited", "exited", nil, db), list("ended", "running", "ended", nil, db),
	}, []volume{{Name: "bound", Driver: "local", Options: map[string]string{"o": "bind", "device": "/data/db"}}}, there)
	tt.must(err)
	want := []api.OldBind{{Container: "task.1", Source: "/data/db", Target: "/in/data/db", Command: "docker service update --force task"}}
	for _, pair := range [][2]string{
		{"/", "/in/rootfs"}, {"/data/db", "/in/data/db"}, {"/data/db", "/in/volume"}, {"/etc/changed", "/in/etc/changed"}, {"/etc/empty", "/in/etc/empty"},
		{"/etc/myapp", "/in/etc/myapp"}, {"/etc/zone", "/in/zone"}, {"/gone", "/in/gone"}, {"/pipe", "/in/pipe"}, {"/srv/link", "/in/link"},
	} {
		want = append(want, api.OldBind{Container: "web", Project: "site", Source: pair[0], Target: pair[1], Command: "docker restart web"})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// Who has nothing that may be on a tree is not looked into.
	_, err = f.oldBinds([]container{list("4", "running", "plain", nil, containerMount{Type: "bind", Source: "/srv/app"}, containerMount{Type: "bind", Source: "/run/docker.sock"},
		containerMount{Type: "volume", Name: "plain", Source: "/var/lib/docker/volumes/plain/_data"})}, nil,
		func(container) (*beneath.Namespace, error) { return nil, errors.New("asked") })
	tt.must(err)
	if _, err := f.oldBinds([]container{list("5", "running", "busy", nil, db)}, nil,
		func(container) (*beneath.Namespace, error) { return nil, errors.New("timeout") }); err == nil {
		t.Error("an engine that does not answer is no error")
	}
}

// TestOldBindNotes: one note for each container.
func TestOldBindNotes(t *testing.T) {
	old := func(container, source string) api.OldBind {
		return api.OldBind{Container: container, Source: source, Command: "docker restart " + container}
	}
	got := bindNotes(api.Binds{Stateless: true, OldBinds: []api.OldBind{old("db", "/data/db"), old("web", "/data"), old("web", "/etc/myapp")}})
	if d := cmp.Diff([]string{
		"container db still uses /data/db from before the console restarted: run 'docker restart db'",
		"container web still uses /data, /etc/myapp from before the console restarted: run 'docker restart web'",
	}, got); d != "" {
		t.Error(d)
	}
}
