package rebind

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/linux"
)

// fake is a dockerd, as far as its containers and their mounts go.
type fake struct {
	t    *testing.T
	root string
	own  []linux.MountInfo

	mu         sync.Mutex
	containers []*box
	volumes    map[string]map[string]string // options by name
	asked      []string                     // what changes something, with the name
	refuse     map[string]string            // "restart web" → message
	swarm      string                       // "worker", "manager" or "leaderless"; "" is outside of a swarm
	conditions map[string]string            // of restarts, by task
}

// box is a container.
type box struct {
	name, network, policy, failed string
	labels                        map[string]string
	mounts                        []mount
	running, restarting           bool
	pid                           int
	table                         []linux.MountInfo
}

// mount is one of a box: a bind, or a volume with a name.
type mount struct {
	source, target, volume string
	nonRecursive, follows  bool
}

const point = "/mnt/nas"

// newFake is an engine on a machine where nothing but a cover is at the point.
func newFake(t *testing.T) (*fake, Engine) {
	t.Helper()
	f := &fake{t: t, root: t.TempDir(), volumes: map[string]map[string]string{}, refuse: map[string]string{}, own: []linux.MountInfo{
		{ID: 1, Device: "0:1", Target: "/", Type: "overlay", Source: "overlay"},
		{ID: 2, Parent: 1, Device: "8:1", Target: "/mnt", Type: "ext4", Source: "/dev/vda"},
		{ID: 3, Parent: 2, Device: "0:50", Target: point, Type: "tmpfs", Source: "cover"},
	}}
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return f, Engine{
		Client: dockerapi.Client{Socket: socket}, Root: f.root, Log: slog.New(slog.DiscardHandler),
		Own: func() ([]linux.MountInfo, error) { return f.own, nil },
		Of: func(pid int) ([]linux.MountInfo, error) {
			for _, b := range f.containers {
				if b.pid == pid {
					return b.table, nil
				}
			}
			return nil, fs.ErrNotExist
		},
	}
}

// run starts a container.
func (f *fake) run(name string, mounts ...mount) *box {
	b := &box{name: name, mounts: mounts}
	f.containers = append(f.containers, b)
	f.start(b)
	return b
}

// fail makes a container whose start has failed.
func (f *fake) fail(name, policy string, mounts ...mount) *box {
	b := &box{name: name, mounts: mounts, policy: policy, failed: "mkdir " + mounts[0].source + ": read-only file system"}
	f.containers = append(f.containers, b)
	return b
}

func (f *fake) start(b *box) {
	b.running, b.failed = true, ""
	b.pid = 100 + len(f.asked) + len(f.containers)
	b.table = []linux.MountInfo{{ID: 1, Device: "0:9", Target: "/", Type: "overlay", Source: "overlay"}}
	for _, m := range b.mounts {
		f.bind(b, m)
	}
}

// bind shows a container what is at a source now.
func (f *fake) bind(b *box, m mount) {
	source, deep := m.source, !m.nonRecursive
	at, _ := linux.MountAt(f.own, source)
	if m.volume != "" {
		source, deep = f.volumes[m.volume]["device"], false
		at, _ = linux.MountAt(f.own, source)
	}
	add := func(target string, of linux.MountInfo) {
		parent, _ := linux.MountAt(b.table, target)
		of.ID, of.Parent, of.Target = len(b.table)+1, parent.ID, target
		b.table = append(b.table, of)
	}
	add(m.target, at)
	for _, o := range f.own {
		if deep && o.Target != source && within(o.Target, source) {
			add(path.Join(m.target, strings.TrimPrefix(o.Target, source)), o)
		}
	}
}

// comes mounts the server on the cover. Containers that follow see it.
func (f *fake) comes() Mount {
	m := linux.MountInfo{ID: 4, Parent: 3, Device: "0:60", Target: point, Type: "nfs4", Source: "nas:/export"}
	f.own = append(f.own, m)
	for _, b := range f.containers {
		for _, o := range b.mounts {
			if b.running && o.follows {
				f.bind(b, o)
			}
		}
	}
	return Mount{Point: point, Device: "0:60"}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/containers/json" {
		if r.URL.RawQuery != "all=1" {
			f.t.Errorf("GET %s", r.URL)
		}
		out := []map[string]any{}
		for _, b := range f.containers {
			out = append(out, b.summary())
		}
		f.answer(w, out)
		return
	}
	if r.URL.Path == "/volumes" {
		list := []map[string]any{}
		for name, options := range f.volumes {
			list = append(list, map[string]any{"Name": name, "Driver": "local", "Options": options})
		}
		f.answer(w, map[string]any{"Volumes": list})
		return
	}
	if task, ok := strings.CutPrefix(r.URL.Path, "/tasks/"); ok {
		f.answerTask(w, task)
		return
	}
	if r.URL.Path == "/info" {
		state := "active"
		if f.swarm == "" {
			state = "inactive"
		}
		f.answer(w, map[string]any{"Swarm": map[string]any{"LocalNodeState": state, "ControlAvailable": f.swarm == "manager" || f.swarm == "leaderless"}})
		return
	}
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/containers/"), "/")
	i := slices.IndexFunc(f.containers, func(b *box) bool { return "id-"+b.name == id })
	if i < 0 {
		w.WriteHeader(http.StatusNotFound)
		f.answer(w, map[string]string{"message": "No such container: " + id})
		return
	}
	b := f.containers[i]
	if what == "json" {
		f.answer(w, b.details())
		return
	}
	f.asked = append(f.asked, what+" "+b.name)
	if message := f.refuse[what+" "+b.name]; message != "" {
		w.WriteHeader(http.StatusInternalServerError)
		f.answer(w, map[string]string{"message": message})
		return
	}
	b.running = false
	if what != "stop" {
		f.start(b)
	}
	w.WriteHeader(http.StatusNoContent)
}

// answerTask answers as the engine's part in the swarm lets it.
func (f *fake) answerTask(w http.ResponseWriter, task string) {
	condition, ok := f.conditions[task]
	switch {
	case f.swarm == "leaderless":
		w.WriteHeader(http.StatusServiceUnavailable)
		f.answer(w, map[string]string{"message": "rpc error: code = Unknown desc = The swarm does not have a leader."})
	case f.swarm != "manager":
		w.WriteHeader(http.StatusServiceUnavailable)
		f.answer(w, map[string]string{"message": "This node is not a swarm manager."})
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		f.answer(w, map[string]string{"message": "task " + task + " not found"})
	default:
		f.answer(w, map[string]any{
			"ID": task, "Spec": map[string]any{"RestartPolicy": map[string]any{"Condition": condition}},
			"Status": map[string]any{"ContainerStatus": map[string]any{"ContainerID": "id-" + strings.TrimPrefix(task, "task-")}},
		})
	}
}

func (f *fake) answer(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Error(err)
	}
}

func (b *box) state() string {
	switch {
	case b.restarting:
		return "restarting"
	case b.running:
		return "running"
	}
	return "exited"
}

func (b *box) summary() map[string]any {
	mounts := []map[string]any{}
	for _, m := range b.mounts {
		one := map[string]any{"Type": "bind", "Source": m.source, "Destination": m.target, "RW": true, "Propagation": "rprivate"}
		if m.volume != "" {
			one = map[string]any{"Type": "volume", "Name": m.volume, "Source": "/var/lib/docker/volumes/" + m.volume + "/_data", "Destination": m.target, "Driver": "local"}
		}
		mounts = append(mounts, one)
	}
	return map[string]any{
		"Id": "id-" + b.name, "Names": []string{"/" + b.name}, "Labels": b.labels, "State": b.state(), "Mounts": mounts,
		"HostConfig": map[string]any{"NetworkMode": b.network},
	}
}

func (b *box) details() map[string]any {
	mounts := []map[string]any{}
	for _, m := range b.mounts {
		if m.nonRecursive {
			mounts = append(mounts, map[string]any{"Type": "bind", "Source": m.source, "Target": m.target, "BindOptions": map[string]any{"NonRecursive": true}})
		}
	}
	return map[string]any{
		"Id":         "id-" + b.name,
		"State":      map[string]any{"Status": b.state(), "Running": b.running, "Restarting": b.restarting, "Pid": b.pid, "Error": b.failed},
		"HostConfig": map[string]any{"RestartPolicy": map[string]any{"Name": b.policy}, "Mounts": mounts},
	}
}

// take returns what was asked since the last time, sorted.
func (f *fake) take() []string {
	out := f.asked
	f.asked = nil
	slices.Sort(out)
	return out
}

// TestRestart: those that bind the point, something below it or above it, and
// do not see the mount are restarted; all others are left alone.
func TestRestart(t *testing.T) {
	f, e := newFake(t)
	f.run("at", mount{source: "/mnt/nas/", target: "/d"})
	f.run("above", mount{source: "/mnt", target: "/x"})
	f.run("root", mount{source: "/", target: "/rootfs"})
	f.run("follows", mount{source: point, target: "/d", follows: true})
	f.run("elsewhere", mount{source: "/mnt/nas-old", target: "/d"}, mount{source: "/srv", target: "/s"})
	f.run("plain", mount{volume: "data", target: "/d"})
	f.run("without")
	f.run("not below", mount{source: "/mnt", target: "/x", nonRecursive: true})
	f.run("hidden", mount{source: "/mnt", target: "/x"}, mount{source: "/srv", target: "/x/nas"})
	f.run("loops", mount{source: point, target: "/d"}).restarting = true
	f.run("stopped", mount{source: point, target: "/d"}).running = false
	f.fail("failed", "always", mount{source: "/mnt/nas/sub", target: "/d"})
	f.fail("failed by hand", "no", mount{source: "/mnt/nas/sub", target: "/d"})
	f.fail("failed elsewhere", "always", mount{source: "/srv", target: "/d"})
	m := f.comes()
	f.run("after", mount{source: point, target: "/d"}, mount{source: "/mnt", target: "/x"})
	done := map[string]bool{}
	if err := e.Restart(t.Context(), m, done); err != nil {
		t.Fatal(err)
	}
	want := []string{"restart above", "restart at", "restart root", "start failed"}
	if d := cmp.Diff(want, f.take()); d != "" {
		t.Error(d)
	}
	// Whoever asks again finds that all see it, with and without a memory.
	for _, done := range []map[string]bool{done, {}} {
		if err := e.Restart(t.Context(), m, done); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string(nil), f.take()); d != "" {
			t.Error(d)
		}
	}
}

// TestRestartOnce: a container that still does not see the mount is not
// restarted for it again.
func TestRestartOnce(t *testing.T) {
	f, e := newFake(t)
	b := f.run("web", mount{source: point, target: "/d"})
	m := f.comes()
	done := map[string]bool{}
	for range 3 {
		if err := e.Restart(t.Context(), m, done); err != nil {
			t.Fatal(err)
		}
		b.table = b.table[:1] // its own programs have unmounted it
	}
	if d := cmp.Diff([]string{"restart web"}, f.take()); d != "" {
		t.Error(d)
	}
}

// TestSubmount: what a server has below its export is another file system, and
// mounted by the kernel.
func TestSubmount(t *testing.T) {
	f, e := newFake(t)
	m := f.comes()
	b := f.run("web", mount{source: "/mnt/nas/sub", target: "/d"})
	b.table[1].Device, b.table[1].Source = "0:61", "nas:/export/sub"
	other := f.run("other", mount{source: "/mnt/nas/sub", target: "/d"})
	other.table[1].Device, other.table[1].Source = "0:62", "nas:/exported"
	if err := e.Restart(t.Context(), m, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"restart other"}, f.take()); d != "" {
		t.Error(d)
	}
}

// TestLinks: sources are what they lead to, and a target in the image may be a
// link.
func TestLinks(t *testing.T) {
	f, e := newFake(t)
	for name, target := range map[string]string{"media": "../mnt/nas/media", "deep": "/srv/media/film", "loop": "/srv/loop"} {
		if err := os.MkdirAll(f.root+"/srv", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, f.root+"/srv/"+name); err != nil {
			t.Fatal(err)
		}
	}
	f.fail("media", "unless-stopped", mount{source: "/srv/media", target: "/d"})
	f.fail("deep", "on-failure", mount{source: "/srv/deep/x", target: "/d"})
	f.fail("loop", "always", mount{source: "/srv/loop", target: "/d"})
	m := f.comes()
	b := f.run("linked target", mount{source: point, target: "/var/run/d"})
	b.table[1].Target = "/run/d"
	if err := e.Restart(t.Context(), m, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"start deep", "start media"}, f.take()); d != "" {
		t.Error(d)
	}
	tree, err := beneath.OpenNamespace(f.root, f.own)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for source, want := range map[string]string{"/mnt/nas/../nas/a/b": "/mnt/nas/a/b", "/srv/loop/": "/srv/loop", "/srv/deep/../x": "/srv/x"} {
		if got := follow(tree, source); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}

// TestVolumes: a volume that stands for a directory of the machine counts as a
// bind of it.
func TestVolumes(t *testing.T) {
	f, e := newFake(t)
	f.volumes = map[string]map[string]string{
		"media":  {"type": "none", "o": "bind,rw", "device": "/mnt/nas/media"},
		"parent": {"type": "none", "o": "bind", "device": "/mnt"}, // without what is mounted below
		"memory": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
		"other":  {},
	}
	f.run("one", mount{volume: "media", target: "/d"}, mount{volume: "other", target: "/o"})
	f.run("two", mount{volume: "parent", target: "/d"}, mount{volume: "memory", target: "/m"})
	f.fail("three", "always", mount{volume: "media", target: "/d"})
	f.fail("four", "always", mount{volume: "other", target: "/d"})
	if err := e.Restart(t.Context(), f.comes(), map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"restart one", "start three"}, f.take()); d != "" {
		t.Error(d)
	}
}

// task gives a container the labels of one.
func task(b *box) *box {
	b.labels = map[string]string{swarmTask: "task-" + b.name, swarmService: "service-" + b.name}
	return b
}

// TestSwarmTask: the restart of a task is the swarm's. A task that it would not
// replace is left alone, and said, where the machine is a manager. So is one of
// which the manager knows nothing.
func TestSwarmTask(t *testing.T) {
	f, e := newFake(t)
	f.swarm = "manager"
	var log strings.Builder
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	for _, name := range []string{"any", "default", "failure", "never", "unknown"} {
		task(f.run(name, mount{source: point, target: "/d"}))
	}
	f.conditions = map[string]string{"task-any": "any", "task-default": "", "task-failure": "on-failure", "task-never": "none"}
	task(f.fail("failed task", "always", mount{source: point, target: "/d"}))
	task(f.run("committed", mount{source: point, target: "/d"})).labels[swarmTask] = "task-any"
	f.run("plain", mount{source: point, target: "/d"})
	m, done := f.comes(), map[string]bool{}
	for range 2 {
		if err := e.Restart(t.Context(), m, done); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"restart committed", "restart plain", "stop any", "stop default"}, f.take()); d != "" {
		t.Error(d)
	}
	for _, name := range []string{"failure", "never"} {
		want := fmt.Sprintf("task does not see a mount, and its swarm would not replace it\" container=%s mount=/mnt/nas command=\"docker service update --force service-%s\"", name, name)
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%s: %d times in\n%s", want, n, log.String())
		}
	}
}

// TestTaskOfWhom: what a label of a task means depends on what the engine is in a
// swarm. Outside of a swarm it means nothing.
func TestTaskOfWhom(t *testing.T) {
	for swarm, want := range map[string][]string{
		"":           {"restart plain", "restart web", "start failed"},
		"worker":     {"restart plain", "stop web"},
		"leaderless": {"restart plain"},
	} {
		f, e := newFake(t)
		f.swarm = swarm
		task(f.run("web", mount{source: point, target: "/d"}))
		task(f.fail("failed", "always", mount{source: point, target: "/d"}))
		f.run("plain", mount{source: point, target: "/d"})
		if err := e.Restart(t.Context(), f.comes(), map[string]bool{}); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(want, f.take()); d != "" {
			t.Errorf("%q: %s", swarm, d)
		}
	}
}

// TestCommand: an image can set the labels. What is no name of a service does
// not get into a command.
func TestCommand(t *testing.T) {
	for service, want := range map[string]string{
		"site_web":        "docker service update --force site_web",
		"":                "docker restart web.1",
		"x; rm -rf /":     "docker restart web.1",
		"$(reboot)":       "docker restart web.1",
		"--help":          "docker restart web.1",
		"x\n":             "docker restart web.1",
		"\x1b[2Jsite_web": "docker restart web.1",
	} {
		if got := Command("web.1", map[string]string{swarmService: service}); got != want {
			t.Errorf("%q: %q, want %q", service, got, want)
		}
	}
}

// TestSharedNetwork: who runs in the network of a container that is restarted
// is restarted after it.
func TestSharedNetwork(t *testing.T) {
	f, e := newFake(t)
	f.run("client", mount{source: point, target: "/d"}).network = "container:id-vpn"
	f.run("another").network = "container:id-vpn"
	f.run("stranger").network = "container:id-other"
	f.run("vpn", mount{source: point, target: "/d"})
	if err := e.Restart(t.Context(), f.comes(), map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if len(f.asked) == 0 || f.asked[0] != "restart vpn" {
		t.Errorf("asked %q", f.asked)
	}
	if d := cmp.Diff([]string{"restart another", "restart client", "restart vpn"}, f.take()); d != "" {
		t.Error(d)
	}
}

// TestNetworkOfStarted: who could not start because the owner of its network
// could not is started after it.
func TestNetworkOfStarted(t *testing.T) {
	f, e := newFake(t)
	f.swarm = "worker"
	srv := mount{source: "/srv/app", target: "/d"}
	const lacks = "cannot join network namespace of a non running container: container vpn is exited"
	in := func(b *box, owner, failed string) *box {
		b.network, b.failed = "container:id-"+owner, failed
		return b
	}
	in(f.fail("app", "unless-stopped", srv), "vpn", lacks)
	in(f.fail("stopped", "unless-stopped", srv), "vpn", "")
	in(f.fail("by hand", "no", srv), "vpn", lacks)
	in(f.fail("task", "always", srv), "vpn", lacks).labels = map[string]string{swarmTask: "x"}
	in(f.fail("stranger", "always", srv), "other", lacks)
	in(f.fail("loops", "always", srv), "vpn", lacks).restarting = true
	in(f.run("left", srv), "vpn", "") // in the network that the owner had before
	f.fail("vpn", "unless-stopped", mount{source: "/mnt/nas/vpn", target: "/d"})
	if err := e.Restart(t.Context(), f.comes(), map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if len(f.asked) == 0 || f.asked[0] != "start vpn" {
		t.Errorf("asked %q", f.asked)
	}
	if d := cmp.Diff([]string{"restart left", "start app", "start vpn"}, f.take()); d != "" {
		t.Error(d)
	}
}

// TestRefused: one container that cannot be restarted keeps no other one from
// it.
func TestRefused(t *testing.T) {
	f, e := newFake(t)
	var log strings.Builder
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	f.run("bad", mount{source: point, target: "/d"})
	f.run("good", mount{source: point, target: "/d"})
	f.refuse["restart bad"] = "port is already allocated"
	if err := e.Restart(t.Context(), f.comes(), map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"restart bad", "restart good"}, f.take()); d != "" {
		t.Error(d)
	}
	for _, want := range []string{
		`msg="container cannot be restarted for a mount" container=bad mount=/mnt/nas error="docker POST /containers/id-bad/restart: port is already allocated"`,
		`msg="container restarted, because it did not see a mount" container=good mount=/mnt/nas`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
	}
}

// TestUnseen: where the engine itself does not have the mount, nothing is
// restarted in vain.
func TestUnseen(t *testing.T) {
	f, e := newFake(t)
	f.run("web", mount{source: point, target: "/d"})
	if err := e.Restart(t.Context(), Mount{Point: point, Device: "0:60"}, map[string]bool{}); !errors.Is(err, ErrUnseen) {
		t.Error(err)
	}
	e.Own = func() ([]linux.MountInfo, error) { return nil, fmt.Errorf("mount table: %w", fs.ErrNotExist) }
	if err := e.Restart(t.Context(), Mount{Point: point, Device: "0:60"}, map[string]bool{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if len(f.take()) > 0 {
		t.Error("restarted in vain")
	}
	e.Client.Socket += ".away"
	f.comes()
	e.Own = func() ([]linux.MountInfo, error) { return f.own, nil }
	if err := e.Restart(t.Context(), Mount{Point: point, Device: "0:60"}, map[string]bool{}); !errors.Is(err, dockerapi.ErrAway) {
		t.Error(err)
	}
}
