package rebind

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/linux"
)

// daemonsScript is process 1 of a real engine: containerd and dockerd as the
// image has them, without a network.
const daemonsScript = `
cd "$1"
ip link set lo up
containerd --address "$1/containerd.sock" --root "$1/containerd/root" --state "$1/containerd/state" >containerd.log 2>&1 &
while [ ! -S containerd.sock ]; do sleep 0.1; done
dockerd --containerd "$1/containerd.sock" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/dockerd.pid" -H "unix://$1/docker.sock" \
	--group 0 --bridge none --iptables=false --ip6tables=false --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$2" >dockerd.log 2>&1 &
wait
`

// realEngine is a dockerd in namespaces of its own, in which what is mounted
// below dir/machine arrives.
type realEngine struct {
	t       *testing.T
	dir     string
	process int // process 1 of its PID namespace
}

func newRealEngine(t *testing.T) realEngine {
	t.Helper()
	for _, name := range []string{"containerd", "dockerd", "docker", "runc", "containerd-shim-runc-v2"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("run make first, and have build/bin in PATH: %v", err)
		}
	}
	e := realEngine{t: t, dir: t.TempDir()}
	e.sh("mkdir machine && mount -t tmpfs machine machine && mount --make-shared machine")
	t.Cleanup(func() { exec.Command("umount", "-l", e.dir+"/machine").Run() })
	group := "pharos-" + filepath.Base(filepath.Dir(e.dir))
	cmd := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "slave",
		"sh", "-c", daemonsScript, "sh", e.dir, group)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(e.dir + "/dockerd.log")
			t.Logf("dockerd:\n%s", log)
		}
		exec.Command("sh", "-c", e.docker("rm -f $("+e.docker("ps -aq")+")")).Run()
		cmd.Process.Kill()
		cmd.Wait() // killed
		for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
			dirs, _ := filepath.Glob(pattern + group) // the pattern is well-formed
			for _, dir := range dirs {
				os.Remove(dir)
			}
		}
	})
	e.eventually(e.docker("version"), func(string) bool { return true })
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(children), &e.process); err != nil {
		t.Fatalf("%q: %v", children, err)
	}
	busybox, err := filepath.Abs("../../../build/toolbox/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	e.sh("mkdir -p image/bin && cp " + busybox + " image/bin/ && for a in sh sleep cat ls; do ln -s busybox image/bin/$a; done && tar -C image -c . | " + e.docker("import - busybox:test"))
	return e
}

func (e realEngine) docker(words string) string {
	return "docker -H unix://" + e.dir + "/docker.sock " + words
}

// try runs a command in the engine's directory.
func (e realEngine) try(command string) (string, error) {
	cmd := exec.CommandContext(e.t.Context(), "sh", "-c", command)
	cmd.Dir = e.dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// sh is try for a command that must succeed.
func (e realEngine) sh(command string) string {
	e.t.Helper()
	out, err := e.try(command)
	if err != nil {
		e.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

func (e realEngine) eventually(command string, ok func(out string) bool) {
	e.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(60 * time.Second)
	for range tick.C {
		out, err := e.try(command)
		if err == nil && ok(out) {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("%s: not within a minute: %v\n%s", command, err, out)
		}
	}
}

// run starts a container and returns what the engine says of a failure.
func (e realEngine) run(name, options string) (string, error) {
	return e.try(e.docker("run -d --name " + name + " --network none --stop-timeout 1 " + options + " busybox:test sleep 100000"))
}

// TestRootEngine: a real engine, whose containers have bound a covered place
// before the mount comes.
func TestRootEngine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, containers")
	}
	e := newRealEngine(t)
	nas := e.dir + "/machine/nas"
	e.sh("mkdir machine/nas && mount -t tmpfs -o ro,size=4k cover machine/nas && mkdir machine/elsewhere")
	e.sh(e.docker("volume create -o type=none -o o=bind -o device=" + nas + " at-volume"))
	e.sh(e.docker("volume create -o type=none -o o=bind -o device=" + nas + "/sub below-volume"))
	for name, options := range map[string]string{
		"at": "-v " + nas + ":/d", "above": "-v " + e.dir + "/machine:/m:ro", "root": "-v /:/rootfs:ro", "follows": "-v " + nas + ":/d:rslave",
		"elsewhere": "-v " + e.dir + "/machine/elsewhere:/d", "volume": "-v at-volume:/d",
	} {
		if out, err := e.run(name, options); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	for name, options := range map[string]string{
		"below": "--restart always -v " + nas + "/sub:/d", "below-volume": "--restart unless-stopped -v below-volume:/d", "by-hand": "-v " + nas + "/sub:/d",
	} {
		if out, err := e.run(name, options); err == nil || name != "below-volume" && !strings.Contains(out, "read-only file system") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	sharing := e.docker("run -d --name sharing --restart always --network container:below busybox:test sleep 100000")
	if out, err := e.try(sharing); err == nil || !strings.Contains(out, "non running container") {
		t.Errorf("sharing: %v\n%s", err, out)
	}
	started := func() map[string]string {
		list := map[string]string{}
		for line := range strings.Lines(e.sh(e.docker("inspect -f '{{.Name}} {{.State.Running}} {{.State.StartedAt}}' $(" + e.docker("ps -aq") + ")"))) {
			name, rest, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "/")), " ")
			list[name] = rest
		}
		return list
	}
	before := started()

	e.sh("mkdir server && mount -t tmpfs nas:/export server && mkdir server/sub && echo here >server/file && echo below >server/sub/file && mount --move server machine/nas")
	mounts, err := linux.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	on, _ := linux.MountAt(mounts, nas)
	var log strings.Builder
	engine := Engine{
		Client: dockerapi.Client{Socket: e.dir + "/docker.sock"}, Root: fmt.Sprintf("/proc/%d/root", e.process),
		Own: func() ([]linux.MountInfo, error) { return linux.MountsOf(e.process) },
		Of:  func(pid int) ([]linux.MountInfo, error) { return linux.MountsInside(e.process, pid) },
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	if err := engine.Restart(t.Context(), Mount{Point: nas, Device: on.Device}, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	after := started()
	for name, then := range before {
		// The engine lets volumes, and binds of a tree that it is itself in,
		// follow the machine.
		want := slices.Contains([]string{"at", "above", "below", "below-volume", "sharing"}, name)
		if changed := after[name] != then; changed != want {
			t.Errorf("container %s: was %s, is %s", name, then, after[name])
		}
	}
	for name, path := range map[string]string{"at": "/d/file", "above": "/m/nas/file", "root": "/rootfs" + nas + "/file", "follows": "/d/file", "volume": "/d/file"} {
		if out := e.sh(e.docker("exec " + name + " cat " + path)); out != "here" {
			t.Errorf("%s sees %q", name, out)
		}
	}
	for _, name := range []string{"below", "below-volume"} {
		if out := e.sh(e.docker("exec " + name + " cat /d/file")); out != "below" {
			t.Errorf("%s sees %q", name, out)
		}
	}
	if t.Failed() {
		state, _ := json.MarshalIndent(after, "", " ") // of strings
		t.Logf("%s\n%s", log.String(), state)
	}
	// Nothing is left to do, also without a memory.
	if err := engine.Restart(t.Context(), Mount{Point: nas, Device: on.Device}, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if again := started(); fmt.Sprint(again) != fmt.Sprint(after) {
		t.Errorf("restarted again: %v, were %v", again, after)
	}
}
