package vmtest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestVMFaults kills each daemon in turn under a serving container, lets a
// privileged container kill all that it sees, and then reboots and powers off
// around a container that ignores SIGTERM, on a machine with a state disk.
func TestVMFaults(t *testing.T) {
	l := newLab(t)
	state := l.path("state.img")
	if err := WriteStateDisk(l.tools, state, 4<<30); err != nil {
		t.Fatal(err)
	}
	spec := l.direct(l.files.SystemImg)
	spec.Disks = append(spec.Disks, Disk{Path: state}, l.seed(t, "faults", l.cloudConfig("hostname: faults\n")))
	g := l.start(t, spec, true, `(?i)unit (rosd|containerd|docker|dockerd) `)
	g.login(t)
	g.ready(t, bootDeadline)
	if s := g.status(t); s.Storage == "ram" {
		t.Fatalf("the state disk is not used: %+v", s)
	}
	g.loadPayload(t)
	g.serve(t, "web", "--restart=always")
	boot := g.run(t, "cat /proc/sys/kernel/random/boot_id")

	t.Run("kill", func(t *testing.T) { testKills(t, g) })
	t.Run("kill-all", func(t *testing.T) { testKillAll(t, g) })
	if now := g.run(t, "cat /proc/sys/kernel/random/boot_id"); now != boot {
		t.Fatal("the machine has rebooted")
	}
	t.Run("reboot", func(t *testing.T) { testReboot(t, g) })
	t.Run("power button", func(t *testing.T) { testPowerButton(t, g) })
	if err := CheckExt4(l.tools, state); err != nil {
		t.Error(err)
	}
}

func testKills(t *testing.T, g *guest) {
	const systemContainerd = `^(/usr/bin/)?containerd .*/run/pharos/containerd/containerd\.sock`
	victims := []struct {
		name, pgrep string
		gap         time.Duration // longest time without an answer; 0 is not promised
	}{
		{"rosd", "-xo rosd", 2 * time.Second},
		{"system containerd", "-of '" + systemContainerd + "'", 2 * time.Second},
		{"dockerd", "-xo dockerd", 0},
	}
	before := g.startedAt(t, "web")
	services := g.services(t)
	p := g.poll(t)
	for _, v := range victims {
		old := g.run(t, "pgrep "+v.pgrep)
		p.take()
		began := time.Now()
		g.run(t, "sudo kill -9 "+old)
		g.eventually(t, slack(t, 60*time.Second), "pgrep "+v.pgrep, func(r Result) bool {
			return r.Code == 0 && strings.TrimSpace(r.Stdout) != old
		})
		g.ready(t, slack(t, 90*time.Second))
		took := time.Since(began)
		worst, pages := p.take()
		t.Logf("%s: back and ready after %.1f s, longest time without an answer %.2f s", v.name, took.Seconds(), worst.Seconds())
		if v.gap > 0 && worst > slack(t, v.gap) {
			t.Errorf("%s: no answer for %.2f s, more than %s", v.name, worst.Seconds(), v.gap)
		}
		if pages != 1 {
			t.Errorf("%s: %d different web servers answered", v.name, pages)
		}
		if now := g.startedAt(t, "web"); now != before {
			t.Errorf("%s: the user's container was restarted: %s, was %s", v.name, now, before)
		}
		for name, was := range services {
			if now := g.services(t)[name]; now.PID != was.PID {
				t.Errorf("%s: service %s runs as process %d, was %d", v.name, name, now.PID, was.PID)
			}
		}
	}
}

// testKillAll: the same SSH session works on, the system's processes are the
// same, and the engine is back in time.
func testKillAll(t *testing.T, g *guest) {
	before := g.services(t)
	old := g.run(t, "pgrep -xo dockerd")
	began := time.Now()
	// The client loses its daemon, so how it ends says nothing.
	g.try(t, "docker run --rm --privileged --pid=host "+PayloadImage+" kill-all")
	g.eventually(t, stepDeadline, "pgrep -xo dockerd", func(r Result) bool {
		return r.Code == 0 && strings.TrimSpace(r.Stdout) != old
	})
	ctx, cancel := Within(t.Context(), stepDeadline, "the engine's return")
	defer cancel()
	if err := g.ssh.WaitHTTP(ctx, "/run/docker.sock", "/info"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("the engine was back %.1f s after the command", took.Seconds())
	if limit := slack(t, 20*time.Second); took > limit {
		t.Errorf("the engine took %.1f s to come back, more than %s", took.Seconds(), limit)
	}
	after := g.services(t)
	for _, name := range []string{"udev", "syslog", "ntp", "console", "docker"} {
		if after[name].PID != before[name].PID {
			t.Errorf("service %s was harmed: process %d, was %d (%s)", name, after[name].PID, before[name].PID, after[name].Message)
		}
	}
	g.ready(t, stepDeadline)
}

// testReboot reboots around a container that ignores SIGTERM.
func testReboot(t *testing.T, g *guest) {
	g.run(t, "docker rm -f web")
	g.run(t, "docker run -d --name stubborn --restart=always -p 8080:8080 "+PayloadImage+" stubborn")
	g.run(t, "echo kept > ~/kept; echo kept | sudo tee /opt/kept /var/kept; sync")
	mark := g.Console.Mark()
	ctx, cancel := Within(t.Context(), 5*time.Minute, "reboot")
	defer cancel()
	began := time.Now()
	if res, err := g.ssh.Run(ctx, "sudo reboot"); err == nil && res.Code != 0 {
		t.Fatalf("reboot: code %d: %s", res.Code, res.Stderr)
	}
	if _, err := g.QMP.WaitEvent(ctx, "RESET"); err != nil {
		t.Fatal(err)
	}
	// dockerd gives the container 10 s, the manager all of it 60 s.
	took := time.Since(began)
	t.Logf("reboot with a stubborn container took %.1f s", took.Seconds())
	if limit := slack(t, 60*time.Second); took > limit {
		t.Errorf("reboot took %.1f s, more than %s", took.Seconds(), limit)
	}
	g.milestone(t, mark, "ready")
	g.login(t)
	if out := g.run(t, "cat ~/kept /opt/kept /var/kept | sort -u"); out != "kept" {
		t.Errorf("files read %q after the reboot", out)
	}
	if out := g.run(t, "docker image ls -q "+PayloadImage); out == "" {
		t.Error("the image is gone after the reboot")
	}
	g.eventuallyPrints(t, stepDeadline, "docker ps --format '{{.Names}} {{.Status}}'", "stubborn Up")
	g.run(t, "docker rm -f stubborn")
}

func testPowerButton(t *testing.T, g *guest) {
	g.serve(t, "web", "")
	g.run(t, "sync")
	ctx, cancel := Within(t.Context(), stepDeadline, "power button")
	defer cancel()
	if err := g.QMP.PowerButton(ctx); err != nil {
		t.Fatal(err)
	}
	took := g.shutsDown(t, stepDeadline)
	t.Logf("the power button took %.1f s", took.Seconds())
	if limit := slack(t, 15*time.Second); took > limit {
		t.Errorf("the power button took %.1f s, more than %s", took.Seconds(), limit)
	}
}

// TestVMFlippedBytes changes one byte in the system image and boots it: the
// machine refuses it, or what reads the block fails loudly.
func TestVMFlippedBytes(t *testing.T) {
	offset, err := hashOffset(newLab(t).files.Cmdline)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		at   int64
	}{
		{"verity-superblock", offset + 33},
		{"top-of-hash-tree", offset + 4096 + 5},
		{"file-system-superblock", 1024 + 16},
		{"metadata", 8192 + 100},
		{"data", offset / 3},
		{"end-of-data", offset - 2000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			testFlippedByte(t, tt.at)
		})
	}
}

func testFlippedByte(t *testing.T, at int64) {
	l := newLab(t)
	img := l.path("system.img")
	if out, err := l.tools.Run("cp", "--sparse=always", l.files.SystemImg, img); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := FlipByte(img, at); err != nil {
		t.Fatal(err)
	}
	g := l.start(t, l.direct(img, l.keyParam(), "pharos.init_timeout=5", "rancher.docker.enabled=false"), false, `.`)
	// Whichever comes first: refusal, the kernel's complaint, or a machine that runs.
	ctx, cancel := Within(t.Context(), bootDeadline, "refusal or boot")
	defer cancel()
	loud := `no device has the system image|verity: .* is corrupted|(?i:root image|system image) .*(?i:damaged|corrupt)|erofs.*(?:error|failed)`
	m, err := g.Console.Wait(ctx, regexp.MustCompile(loud+`|pharos: reached ssh`))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m[0], "reached ssh") {
		t.Logf("detected at once: %s", m[0])
		return
	}
	g.login(t)
	// The block was not needed so far. Reading it must fail.
	res := g.try(t, "sudo dd if=/dev/dm-0 of=/dev/null bs=1M")
	if res.Code == 0 {
		t.Error("the whole image can be read and nothing complains")
	}
	why, _, _ := strings.Cut(res.Stderr, "\n")
	t.Logf("detected when read: %s", why)
}

// hashOffset reads where the verity superblock is from a kernel command line.
func hashOffset(cmdline string) (int64, error) {
	var off int64
	for w := range strings.FieldsSeq(cmdline) {
		if v, ok := strings.CutPrefix(w, "pharos.hashoffset="); ok {
			_, err := fmt.Sscan(v, &off)
			return off, err
		}
	}
	return 0, fmt.Errorf("no pharos.hashoffset in %q", cmdline)
}

func TestHashOffset(t *testing.T) {
	if off, err := hashOffset("a=b pharos.hashoffset=4096 quiet"); err != nil || off != 4096 {
		t.Errorf("%d, %v", off, err)
	}
	if _, err := hashOffset("quiet"); err == nil {
		t.Error("no error")
	}
}
