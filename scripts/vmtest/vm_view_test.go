package vmtest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// viewConfig makes bind sources in every way that a configuration has.
const viewConfig = `hostname: view
timezone: Europe/Berlin
write_files:
  - path: /etc/myapp/app.conf
    content: of the configuration
  - path: /srv/app/compose.yml
    content: |
      services:
        app:
          image: busybox:test
          command: sh -c "echo composed >/data/file; exec sleep 1000"
          volumes: [./data:/data]
mounts:
  - [none, /scratch, tmpfs, "size=1m"]
rancher:
  state:
    directories: [/data]
coreos:
  units:
    - name: source.service
      command: start
      content: |
        [Service]
        Type=oneshot
        ExecStart=/bin/sh -c "mkdir -p /srv/unit && echo of a unit >/srv/unit/made"
`

// TestVMView: a bind source means to the engine what it means to the person
// who types, whichever way it was made, and stays so when parts of the machine
// are killed or restarted, or ruined by a container.
func TestVMView(t *testing.T) {
	l := newLab(t)
	spec := l.direct(l.files.SystemImg)
	spec.Disks = append(spec.Disks, Disk{Path: l.stateDisk(t, "state.img")}, l.seed(t, "view", l.cloudConfig(viewConfig)))
	g := l.start(t, spec, false, `(?i)unit (rosd|containerd|docker|dockerd|console) `)
	g.login(t)
	g.ready(t, bootDeadline)
	g.loadPayload(t)
	g.loadBusybox(t)
	g.run(t, "sudo mkdir -p /hand && echo by hand | sudo tee /hand/made && sudo mkdir /disk && sudo mount -t tmpfs none /disk && echo mounted | sudo tee /disk/made")

	for _, f := range []struct {
		name string
		test func(*testing.T, *guest)
	}{
		{"files", testViewFiles},
		{"directories", testViewDirectories},
		{"root", testViewRoot},
		{"socket", testViewSocket},
		{"console restarts", testViewConsole},
		{"parts die", testViewKills},
		{"reboot", testViewReboot},
		{"ruin", testViewRuin},
	} {
		if !t.Run(f.name, func(t *testing.T) { f.test(t, g) }) {
			t.Logf("status:\n%s\nengine:\n%s", g.try(t, "ros status").Stdout, g.try(t, "ros logs docker 2>&1 | tail -n 20").Stdout)
		}
	}
}

// loadBusybox makes the image busybox:test of the machine's own.
func (g *guest) loadBusybox(t *testing.T) {
	t.Helper()
	g.run(t, `set -e; mkdir -p ~/bb/bin; sudo cp /proc/1/root/usr/lib/pharos/recovery/busybox ~/bb/bin/; cd ~/bb/bin
		for a in $(./busybox --list); do [ $a = busybox ] || ln -sf busybox $a; done
		tar -C ~/bb -c . | docker import - busybox:test >/dev/null`)
}

// cuts runs a command that ends its own session.
func (g *guest) cuts(t *testing.T, command string) {
	t.Helper()
	if r, err := g.ends(t, command); err == nil && r.Code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", command, r.Code, r.Stdout, r.Stderr)
	}
}

// ends is cuts for a command that may fail in its own way.
func (g *guest) ends(t *testing.T, command string) (Result, error) {
	t.Helper()
	ctx, cancel := Within(t.Context(), stepDeadline, command)
	defer cancel()
	return g.ssh.Run(ctx, command)
}

// inside runs a command in a container with options.
func (g *guest) inside(t *testing.T, options, command string) string {
	t.Helper()
	return g.run(t, "docker run --rm "+options+" busybox:test sh -c '"+command+"'")
}

func testViewFiles(t *testing.T, g *guest) {
	for _, path := range []string{
		"/etc/localtime", "/etc/machine-id", "/etc/timezone", "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/os-release",
		"/etc/myapp/app.conf", "/srv/unit/made", "/hand/made", "/disk/made", "/usr/bin/ros",
	} {
		want := g.run(t, "sha256sum <"+path)
		got := g.try(t, fmt.Sprintf("docker run --rm -v %s:/f:ro busybox:test sh -c '[ -f /f ] && sha256sum </f'", path))
		if strings.TrimSpace(got.Stdout) != want {
			t.Errorf("%s in a container is %q %q, in the console %q", path, got.Stdout, got.Stderr, want)
		}
	}
	if got := g.run(t, "cat /etc/timezone"); got != "Europe/Berlin" {
		t.Errorf("/etc/timezone: %q", got)
	}
	if id := g.run(t, "cat /etc/machine-id"); len(id) != 32 {
		t.Errorf("/etc/machine-id: %q", id)
	}
	// Docker makes a missing source, and says so of a mount.
	g.inside(t, "-v /srv/made-by-docker:/d", "echo x >/d/file")
	g.run(t, "grep -q x /srv/made-by-docker/file")
	if r := g.try(t, "docker run --rm --mount type=bind,src=/srv/nothing,dst=/d busybox:test true"); r.Code == 0 || !strings.Contains(r.Stderr, "does not exist") {
		t.Errorf("--mount of a missing source: %+v", r)
	}
}

func testViewDirectories(t *testing.T, g *guest) {
	dirs := []string{"/srv/app", "/data", "/data/sub", "/root/app", "/usr/local/app", "/var/app", "/tmp/f", "/scratch/sub", "/hand", "/disk/sub", "/opt/app", "/home/rancher/app", "/mnt/x", "/media/y"}
	g.run(t, "for d in "+strings.Join(dirs, " ")+"; do sudo mkdir -p $d; echo out $d | sudo tee $d/out; done")
	var options, check string
	for i, d := range dirs {
		options += fmt.Sprintf(" -v %s:/d%d", d, i)
		check += fmt.Sprintf(`[ "$(cat /d%d/out)" = "out %s" ] || echo %s; echo in %s >/d%d/in; `, i, d, d, d, i)
	}
	if wrong := g.inside(t, options, check); wrong != "" {
		t.Errorf("containers have other directories for: %s", wrong)
	}
	if wrong := g.run(t, "for d in "+strings.Join(dirs, " ")+`; do [ "$(sudo cat $d/in)" = "in $d" ] || echo $d; done`); wrong != "" {
		t.Errorf("what containers wrote is not in: %s", wrong)
	}
	g.run(t, "cd /srv/app && docker compose -f compose.yml up -d")
	g.eventuallyPrints(t, stepDeadline, "cat /srv/app/data/file", "composed")
}

func testViewRoot(t *testing.T, g *guest) {
	got := g.inside(t, "-v /:/rootfs:ro -v /var/log:/l:ro", "ls /rootfs/run/pharos /rootfs/var/lib/pharos; grep -c ^rancher: /rootfs/etc/passwd; cat /rootfs/hand/made /rootfs/disk/made; ls -d /rootfs/var/lib/docker /rootfs/proc/1 /l/syslog; touch /rootfs/x 2>&1 || true")
	for _, want := range []string{"engine\netc\nsyslog", "\n1\nby hand", "mounted", "/rootfs/var/lib/docker", "/l/syslog", "Read-only file system"} {
		if !strings.Contains(got, want) {
			t.Errorf("the root in a container has no %q:\n%s", want, got)
		}
	}
	for _, not := range []string{"containerd\n", "control.sock", "view/", "conf"} {
		if strings.Contains(strings.Split(got, "/rootfs/var/lib/docker")[0], not) {
			t.Errorf("a container sees the system's own %q:\n%s", not, got)
		}
	}
	// In the console each mount is there once.
	if twice := g.run(t, "cut -d' ' -f5 /proc/self/mountinfo | sort | uniq -d"); twice != "" {
		t.Errorf("mounted twice in the console: %s", twice)
	}
	if aside := g.run(t, "grep -c ' /run/pharos/view\\| /run/pharos/containerd' /proc/self/mountinfo || true"); aside != "0" {
		t.Errorf("the console has %s mounts of the manager's below /run", aside)
	}
	if g.run(t, "stat -c %a:%G /run/docker.sock; readlink -f /var/run/docker.sock") != "660:docker\n/run/docker.sock" {
		t.Error(g.run(t, "ls -l /run/docker.sock /var/run"))
	}
	testViewUncovered(t, g)
	// A set-user-ID file that a container leaves is none in the console.
	g.inside(t, "-v /srv/app:/d", "cp /bin/busybox /d/busybox && chmod 4755 /d/busybox")
	if id := g.run(t, "/srv/app/busybox id -u"); id != "1100" {
		t.Errorf("a container's set-user-ID program runs as %s", id)
	}
}

// testViewUncovered: a container that goes around what is mounted in the
// engine finds nothing of the system's, and takes nothing away by removing the
// mount points that it sees.
func testViewUncovered(t *testing.T, g *guest) {
	t.Helper()
	const bare = "--mount type=bind,bind-recursive=disabled,"
	for _, c := range [][2]string{
		{bare + "src=/run,dst=/r", "find /r/pharos /r/udev /r/sshd ! -type d; rm -rf /r/pharos /r/udev /r/sshd 2>/dev/null; ls -d /r/*/ | grep -E 'pharos|udev|sshd'"},
		{bare + "src=/var,dst=/v", "find /v/lib/pharos ! -type d; rm -rf /v/lib/pharos 2>/dev/null; ls -d /v/lib/pharos"},
		{bare + "src=/,dst=/x", "rm -rf /x/usr/lib/pharos /x/srv /x/run 2>/dev/null; ls -d /x/usr/lib/pharos/engine /x/srv /x/run"},
		{"--privileged -v /:/rootfs", "for m in /rootfs/run/pharos/etc /rootfs/run/udev /rootfs/var/lib/docker /rootfs/var; do umount -l $m || echo no $m; done; find /rootfs/run/pharos /rootfs/run/udev /rootfs/var/lib/pharos ! -type d 2>/dev/null | grep -v -e /pharos/syslog/ -e /pharos/engine/go || true"},
	} {
		if r := g.try(t, "docker run --rm "+c[0]+" busybox:test sh -c '"+strings.ReplaceAll(c[1], "'", `'\''`)+"'"); r.Code != 0 {
			t.Errorf("%s: code %d\n%s%s", c[0], r.Code, r.Stdout, r.Stderr)
		} else if want := map[string]string{
			"r": "/r/pharos/\n/r/sshd/\n/r/udev/", "v": "/v/lib/pharos", "x": "/x/run\n/x/srv\n/x/usr/lib/pharos/engine", "s": "",
		}[c[0][len(c[0])-1:]]; strings.TrimSpace(r.Stdout) != want {
			t.Errorf("%s: a container sees %q, want %q", c[0], r.Stdout, want)
		}
	}
	g.prints(t, [][2]string{
		{"docker run --rm busybox:test echo runs", "runs"},
		{"ros status", "ready"},
		{"sudo ls /var/lib/pharos", "machine-id.json"},
		{"ls -d /run/udev/data", "/run/udev/data"},
	})
}

// testViewSocket: a container has bound the socket; dockerd dies.
func testViewSocket(t *testing.T, g *guest) {
	g.run(t, "docker run -d --name asks -v /var/run/docker.sock:/var/run/docker.sock "+PayloadImage+" ask /var/run/docker.sock")
	g.eventuallyPrints(t, stepDeadline, "docker logs --tail 1 asks", " OK ")
	inode := g.run(t, "stat -c %i /run/docker.sock")
	killed := g.run(t, "date +%s%3N; sudo kill -9 $(pgrep -xo dockerd)")
	at, err := strconv.ParseInt(killed, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	g.ready(t, stepDeadline)
	g.eventually(t, stepDeadline, "docker logs --tail 1 asks", func(r Result) bool {
		when, _, _ := strings.Cut(r.Stdout, " ")
		n, err := strconv.ParseInt(when, 10, 64)
		return err == nil && n > at+1000
	})
	if now := g.run(t, "stat -c %i /run/docker.sock"); now != inode {
		t.Errorf("the socket is another one: %s, was %s", now, inode)
	}
	g.run(t, "docker rm -f asks")
}

// testViewConsole: a restarted console has everything made anew but what
// lasts, and the engine sees what it sees; containers go on.
func testViewConsole(t *testing.T, g *guest) {
	g.run(t, "docker run -d --name lives --restart=always -v /srv/app:/d -v /etc/myapp/app.conf:/app.conf:ro busybox:test sh -c 'cat /app.conf >/d/boot-$(cat /proc/sys/kernel/random/boot_id); exec sleep 100000'")
	before, engine := g.startedAt(t, "lives"), g.run(t, "pgrep -xo dockerd")
	g.run(t, "echo changed | sudo tee /etc/myapp/app.conf; sudo rm /etc/timezone")
	g.cuts(t, "sudo ros service restart console")
	g.login(t)
	g.eventually(t, stepDeadline, "cat /etc/myapp/app.conf /etc/timezone", func(r Result) bool { return r.Stdout == "of the configurationEurope/Berlin\n" })
	g.eventually(t, stepDeadline, "docker run --rm -v /etc/myapp/app.conf:/f:ro busybox:test cat /f", func(r Result) bool { return r.Stdout == "of the configuration" })
	g.ready(t, stepDeadline)
	if now := g.startedAt(t, "lives"); now != before {
		t.Errorf("the container was restarted: %s, was %s", now, before)
	}
	if now := g.run(t, "pgrep -xo dockerd"); now != engine {
		t.Errorf("dockerd was restarted: %s, was %s", now, engine)
	}
	if got := g.run(t, "cat /disk/made; docker exec lives cat /app.conf; sudo ls /hand 2>&1 | tail -n 1"); !strings.HasPrefix(got, "mounted\nof the configuration") && !strings.HasPrefix(got, "mounted\nchanged") {
		t.Errorf("after the restart: %q", got)
	}
	// It has the file of the old tree, and is named.
	if got := g.run(t, "ros docker doctor || true"); !strings.Contains(got, "still uses /etc/myapp/app.conf (in the container /app.conf)") || !strings.Contains(got, "docker restart lives") {
		t.Errorf("the doctor says: %s", got)
	}
	testViewFilesAgain(t, g)
	// A mount that is made now arrives, too.
	g.run(t, "sudo mkdir -p /disk2 && sudo mount -t tmpfs none /disk2 && echo two | sudo tee /disk2/made")
	if got := g.inside(t, "-v /disk2:/d -v /disk:/e", "cat /d/made /e/made"); got != "two\nmounted" {
		t.Errorf("mounts of the console: %q", got)
	}
	if n := g.run(t, "docker network create n >/dev/null && docker run --rm --network n busybox:test ip addr show eth0 | grep -c inet; docker network rm n >/dev/null"); n == "0" {
		t.Error("a container on a new network has no address")
	}
}

// testViewFilesAgain is a sample of the files and directories.
func testViewFilesAgain(t *testing.T, g *guest) {
	t.Helper()
	got := g.inside(t, "-v /etc/localtime:/l:ro -v /etc/machine-id:/m:ro -v /srv/app:/a -v /data:/d -v /root/app:/r -v /usr/local/app:/u -v /var/app:/v",
		"[ -f /l ] && [ -f /m ] && cat /a/out /d/out /r/out /u/out /v/out")
	if want := "out /srv/app\nout /data\nout /root/app\nout /usr/local/app\nout /var/app"; got != want {
		t.Errorf("containers see %q, want %q", got, want)
	}
}

func testViewKills(t *testing.T, g *guest) {
	before := g.startedAt(t, "lives")
	for _, victim := range []string{"rosd", "dockerd"} {
		old := g.run(t, "pgrep -xo "+victim)
		g.run(t, "sudo kill -9 "+old)
		g.eventually(t, stepDeadline, "pgrep -xo "+victim, func(r Result) bool { return r.Code == 0 && strings.TrimSpace(r.Stdout) != old })
		g.ready(t, bootDeadline)
		testViewFilesAgain(t, g)
	}
	if now := g.startedAt(t, "lives"); now != before {
		t.Errorf("the container was restarted: %s, was %s", now, before)
	}
}

func testViewReboot(t *testing.T, g *guest) {
	id := g.run(t, "cat /etc/machine-id")
	mark := g.Console.Mark()
	g.cuts(t, "sync; sudo reboot")
	g.milestone(t, mark, "ready")
	g.login(t)
	testViewFilesAgain(t, g)
	if now := g.run(t, "cat /etc/machine-id"); now != id {
		t.Errorf("machine ID %s, was %s", now, id)
	}
	// It was started by dockerd, which waited for write_files.
	g.eventually(t, stepDeadline, "cat /srv/app/boot-$(cat /proc/sys/kernel/random/boot_id)", func(r Result) bool { return r.Stdout == "of the configuration" })
	if got := g.try(t, "ls /hand /tmp/f").Stdout; strings.Contains(got, "made") {
		t.Errorf("outlived the reboot: %q", got)
	}
}

// testViewRuin: what a container with the whole tree can do.
func testViewRuin(t *testing.T, g *guest) {
	before := g.services(t)
	boot := g.run(t, "cat /proc/sys/kernel/random/boot_id")
	g.try(t, "docker run --rm --privileged --pid=host -v /:/rootfs busybox:test rm -rf /rootfs/run")
	if r := g.try(t, "test -e /run/docker.sock"); r.Code == 0 {
		t.Error("the container has not removed /run/docker.sock: this tests nothing")
	}
	g.login(t)
	for _, name := range []string{"udev", "syslog", "ntp", "console"} {
		if now := g.services(t)[name]; now.PID != before[name].PID {
			t.Errorf("service %s runs as process %d, was %d", name, now.PID, before[name].PID)
		}
	}
	// The engine's socket is gone with /run; a restart brings it back.
	g.run(t, "sudo ros service restart docker")
	g.ready(t, bootDeadline)
	g.run(t, "docker start lives")
	lives := g.startedAt(t, "lives")

	console := g.services(t)["console"].PID
	// No program of the console can be started afterwards: one that runs
	// already ends the console when the container says so.
	g.run(t, fmt.Sprintf("mkfifo /tmp/now; nohup setsid sudo sh -c 'read -r _ </tmp/now; kill -TERM %d' >/dev/null 2>&1 </dev/null &", console))
	g.eventually(t, stepDeadline, "pgrep -f 'read -r _ </tmp/now'", func(r Result) bool { return r.Code == 0 })
	g.ends(t, "docker run --rm --privileged --pid=host -v /:/rootfs busybox:test sh -c 'rm -rf /rootfs/etc /rootfs/usr; echo go >/rootfs/tmp/now'")
	ctx, cancel := Within(t.Context(), bootDeadline, "the console's return")
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	port, err := g.HostPort(22)
	if err != nil {
		t.Fatal(err)
	}
	for {
		g.ssh.Close()
		try, stop := Within(ctx, 20*time.Second, "login")
		g.ssh, err = DialSSH(try, port, "rancher", g.lab.key)
		stop()
		if err == nil {
			if r, err := g.ssh.Run(ctx, "ros status --json"); err == nil && r.Code == 0 {
				break
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the console did not come back: %v", err)
		}
	}
	if now := g.services(t)["console"].PID; now == console {
		t.Errorf("the console is still process %d: the container has not ended it", now)
	}
	if now := g.run(t, "cat /proc/sys/kernel/random/boot_id"); now != boot {
		t.Error("the machine has rebooted")
	}
	if now := g.startedAt(t, "lives"); now != lives {
		t.Errorf("the container was restarted: %s, was %s", now, lives)
	}
	g.eventually(t, stepDeadline, "docker run --rm -v /etc/myapp/app.conf:/f:ro busybox:test cat /f", func(r Result) bool { return r.Stdout == "of the configuration" })
	g.run(t, "ls /usr/bin/sudo /usr/sbin/sshd /etc/passwd && docker run --rm busybox:test true")
}
