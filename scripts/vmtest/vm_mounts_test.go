package vmtest

import (
	"os"
	"strings"
	"testing"
)

// mountsConfig has a mount from a server, and a file that is to lie on it.
const mountsConfig = `mounts:
  - ["10.40.0.1:/export", /mnt/nas, nfs4]
write_files:
  - path: /mnt/nas/written
    content: by the configuration
rancher:
  network:
    interfaces:
      storage: {match: "mac=52:54:00:1e:00:00", set_name: nas0, address: 10.40.0.2/24}
`

// TestVMNetworkMounts: a server comes after the machine, twice. Containers do
// not wait for it, keep nothing below its mount point, and see it when it is
// there.
func TestVMNetworkMounts(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	bridge(t, "br-nas", []string{"10.40.0.1/24"}, "t-nas")
	export := l.path("export")
	if err := os.MkdirAll(export+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"file": "of the server", "sub/file": "of the server's directory"} {
		if err := os.WriteFile(export+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spec := l.direct(l.files.SystemImg)
	spec.Cards = []Card{{Tap: "t-nas", MAC: cardMAC(0)}}
	text := l.cloudConfig(mountsConfig + strings.TrimPrefix(outside, "\n"))
	spec.Disks = append(spec.Disks, Disk{Path: l.stateDisk(t, "state.img")}, l.seed(t, "mounts", text))
	g := l.start(t, spec, false, `(?i)unit rosd `)
	g.milestone(t, 0, "engine")
	g.login(t)
	g.loadBusybox(t)

	var server *daemon
	t.Run("without the server", func(t *testing.T) { testWithoutServer(t, g) })
	t.Run("the server comes", func(t *testing.T) {
		started := map[string]string{}
		for _, name := range []string{"at", "above", "follows", "elsewhere"} {
			started[name] = g.startedAt(t, name)
		}
		server = l.ganesha(t, export)
		testServerComes(t, g, started)
		if text, err := os.ReadFile(export + "/written"); err != nil || string(text) != "by the configuration" {
			t.Errorf("what the configuration writes there is %q, %v", text, err)
		}
	})
	t.Run("reboot without the server", func(t *testing.T) {
		g.run(t, "docker run -d --name below --restart always --stop-timeout 1 -v /mnt/nas/sub:/d busybox:test sleep 100000")
		server.stop()
		mark := g.Console.Mark()
		g.cuts(t, "sudo reboot")
		g.milestone(t, mark, "engine")
		g.login(t)
		g.eventuallyPrints(t, stepDeadline, "docker inspect -f '{{.State.Running}} {{.State.Error}}' below", "read-only file system")
		g.eventuallyPrints(t, stepDeadline, "docker inspect -f '{{.State.Running}}' at", "true")
		if got := g.run(t, "ls -A /mnt/nas; docker exec at ls -A /d"); got != "" {
			t.Errorf("without the server there is %q", got)
		}
		l.ganesha(t, export)
		g.eventuallyPrints(t, 2*stepDeadline, "docker exec below cat /d/file", "of the server's directory")
		g.eventuallyPrints(t, stepDeadline, "docker exec at cat /d/file", "of the server")
		g.ready(t, stepDeadline)
	})
	if t.Failed() {
		t.Logf("status:\n%s\nmanager:\n%s\nconsole:\n%s", g.try(t, "ros status").Stdout, g.try(t, "ros logs system 2>&1 | tail -n 40").Stdout,
			g.try(t, "ros logs console 2>&1 | tail -n 40").Stdout)
	}
}

// testWithoutServer: the place of the mount is empty and takes nothing.
func testWithoutServer(t *testing.T, g *guest) {
	if r := g.try(t, "ls -A /mnt/nas; sudo mkdir /mnt/nas/x"); r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, "Read-only file system") {
		t.Errorf("the place of the mount: %+v", r)
	}
	if r := g.try(t, "docker run --rm -v /mnt/nas/x:/d busybox:test true"); r.Code == 0 || !strings.Contains(r.Stderr, "read-only file system") {
		t.Errorf("a bind below the mount point: %+v", r)
	}
	for name, bind := range map[string]string{"at": "-v /mnt/nas:/d", "above": "-v /mnt:/d:ro", "follows": "-v /mnt/nas:/d:rslave", "elsewhere": "-v /mnt/other:/d"} {
		g.run(t, "docker run -d --name "+name+" --restart always --stop-timeout 1 "+bind+" busybox:test sleep 100000")
	}
	if r := g.try(t, "docker exec at sh -c 'ls -A /d; touch /d/x'"); r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, "Read-only file system") {
		t.Errorf("the place of the mount in a container: %+v", r)
	}
	// The commands of the configuration have waited for it, and go on.
	g.eventuallyPrints(t, stepDeadline, "ros status", "the console retries until it works and then writes 1 of write_files")
	t.Logf("status:\n%s", g.try(t, "ros status").Stdout)
}

// testServerComes: the mount comes, and those who do not see it are restarted,
// each once.
func testServerComes(t *testing.T, g *guest, started map[string]string) {
	g.eventuallyPrints(t, 2*stepDeadline, "cat /mnt/nas/file", "of the server")
	g.eventuallyPrints(t, stepDeadline, "docker exec at cat /d/file", "of the server")
	g.eventuallyPrints(t, stepDeadline, "docker exec above cat /d/nas/file", "of the server")
	g.ready(t, stepDeadline)
	if got := g.run(t, "docker exec follows cat /d/file"); got != "of the server" {
		t.Errorf("a container that follows sees %q", got)
	}
	now := map[string]string{}
	for name, before := range started {
		now[name] = g.startedAt(t, name)
		if restarted, want := now[name] != before, name == "at" || name == "above"; restarted != want {
			t.Errorf("container %s: restarted %v, want %v", name, restarted, want)
		}
	}
	t.Logf("manager:\n%s", g.run(t, "ros logs system | grep -i mount"))
	// Another manager finds nothing to do.
	old := g.run(t, "pgrep -xo rosd")
	g.run(t, "sudo kill -9 "+old)
	g.eventually(t, stepDeadline, "pgrep -xo rosd", func(r Result) bool { return r.Code == 0 && strings.TrimSpace(r.Stdout) != old })
	g.ready(t, bootDeadline)
	g.run(t, "sleep 20")
	for name, before := range now {
		if again := g.startedAt(t, name); again != before {
			t.Errorf("container %s was restarted by another manager: %s, was %s", name, again, before)
		}
	}
}
