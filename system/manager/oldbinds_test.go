package manager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/linux"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
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
	there := func(c container) *beneath.Namespace {
		if c.ID == "ended" {
			return nil
		}
		table := []linux.MountInfo{}
		for _, m := range mounts {
			if rest, ok := strings.CutPrefix(m.Target, tt.root); ok {
				m.Target = filepath.Join("/", rest)
				table = append(table, m)
			}
		}
		inside, err := beneath.OpenNamespace(tt.root, table)
		tt.must(err)
		return inside
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
	got := f.oldBinds(t.Context(), []container{
		list("1", "running", "web", map[string]string{composeProject: "site"}, web.Mounts...),
		list("2", "paused", "task.1", map[string]string{"com.docker.swarm.service.name": "task"}, db),
		list("3", "exited", "exited", nil, db), list("ended", "running", "ended", nil, db),
	}, []volume{{Name: "bound", Driver: "local", Options: map[string]string{"o": "bind", "device": "/data/db"}}}, there)
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
	f.oldBinds(t.Context(), []container{list("4", "running", "plain", nil, containerMount{Type: "bind", Source: "/srv/app"}, containerMount{Type: "bind", Source: "/run/docker.sock"},
		containerMount{Type: "volume", Name: "plain", Source: "/var/lib/docker/volumes/plain/_data"})}, nil,
		func(container) *beneath.Namespace { t.Error("asked for plain"); return nil })
	// Nor is anybody when there is no time left.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.oldBinds(ended, []container{list("5", "running", "late", nil, db)}, nil, func(container) *beneath.Namespace { t.Error("asked for late"); return nil })
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

// engineProcess is a unit that runs as the process of the test.
type engineProcess struct {
	supervise.Process
	ended chan struct{}
}

func (p engineProcess) PID() int { return os.Getpid() }

func (p engineProcess) Wait(ctx context.Context) (uint32, error) {
	select {
	case <-p.ended:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (p engineProcess) Start(context.Context, unit.Unit) (supervise.Process, error) { return p, nil }

func (p engineProcess) Adopt(context.Context, unit.Unit) (supervise.Process, bool, error) {
	return p, true, nil
}

// withEngine is a manager whose engine is the process of the test, and whose
// dockerd is the handler.
func withEngine(t *testing.T, device string, dockerd http.Handler) *Manager {
	t.Helper()
	l, err := net.Listen("unix", engine.Socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: dockerd}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	m := &Manager{log: quiet(), mounted: state.Mounted{Device: device}, sup: supervise.New(supervise.Options{Runner: engineProcess{ended: make(chan struct{})}, Log: quiet()})}
	if err := m.sup.Add(unit.Unit{Name: engine.Name}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- m.sup.Run(ctx) }()
	if err := m.sup.Start(t.Context(), engine.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-ran
		server.Close()
		<-served
	})
	return m
}

// TestRootBindsOfOthers: a container that cannot be looked into, or an engine that
// does not answer about one, takes nothing away from what is known of the others.
func TestRootBindsOfOthers(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	tt := newTwoTrees(t)
	for _, dir := range []string{"/run", "/srv"} {
		tt.mount("tmpfs", dir, "tmpfs", 0, "")
	}
	// A container whose first process has called chroot: its root is no mount.
	jail := filepath.Join(tt.root, "jail")
	for _, dir := range []string{"usr", "lib", "lib64"} {
		tt.must(os.MkdirAll(filepath.Join(jail, dir), 0o755))
		tt.mount("/"+dir, filepath.Join(jail, dir), "", unix.MS_BIND|unix.MS_REC, "")
	}
	start := func(cmd *exec.Cmd) int {
		t.Helper()
		tt.must(cmd.Start())
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait() // killed
		})
		return cmd.Process.Pid
	}
	chrooted := exec.Command("/usr/bin/sleep", "1000")
	chrooted.Dir, chrooted.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: jail}
	pids := map[string]int{"chrooted": start(chrooted), "ended": 4000000}

	ctx, outOfTime := context.WithCancel(t.Context())
	defer outOfTime()
	asked := make(chan string, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) {
		var list []string
		for _, name := range []string{"ended", "removed", "chrooted", "busy", "after"} {
			list = append(list, fmt.Sprintf(`{"Id": %q, "State": "running", "Names": ["/%[1]s"], "Labels": {"com.docker.compose.project": "a\u001b[2Jb"},
				"Mounts": [{"Type": "bind", "Source": "/srv/%[1]s", "Destination": "/d\u001b]0;x", "RW": true}, {"Type": "bind", "Source": "/data", "Destination": "/e"}]}`, name))
		}
		fmt.Fprintf(w, "[%s]", strings.Join(list, ","))
	})
	mux.HandleFunc("GET /containers/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		asked <- id
		switch pid, ok := pids[id]; {
		case ok:
			fmt.Fprintf(w, `{"State": {"Pid": %d}}`, pid)
		case id == "busy":
			outOfTime()
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	m := withEngine(t, "/dev/vda", mux)
	got, err := m.Binds(ctx)
	tt.must(err)
	var sources []string
	for _, b := range got.Binds {
		sources = append(sources, b.Source)
		if b.Project != "a?[2Jb" || b.Target != "/d?]0;x" {
			t.Errorf("project %q, target %q", b.Project, b.Target)
		}
	}
	if d := cmp.Diff([]string{"/srv/after", "/srv/busy", "/srv/chrooted", "/srv/ended", "/srv/removed"}, sources); d != "" {
		t.Error(d)
	}
	close(asked)
	var names []string
	for id := range asked {
		names = append(names, id)
	}
	if d := cmp.Diff([]string{"ended", "removed", "chrooted", "busy"}, names); d != "" {
		t.Error(d)
	}
}

// TestRootStatelessWhateverTheEngineSays: a machine without state loses what
// containers write, whatever the engine answers.
func TestRootStatelessWhateverTheEngineSays(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	if err := linux.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	refuses := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if got, err := withEngine(t, state.RAM, refuses).Binds(t.Context()); err != nil || !got.Stateless {
		t.Errorf("%+v, %v", got, err)
	}
}
