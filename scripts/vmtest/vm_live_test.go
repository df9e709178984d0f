package vmtest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// TestVMLiveISO is the main job: BIOS boots the ISO, a NoCloud disk says what the
// machine is to be, and it runs containers.
func TestVMLiveISO(t *testing.T) {
	l := newLab(t)
	seed := l.seed(t, "live", l.cloudConfig(`
hostname: lighthouse
write_files:
  - path: /opt/vmtest/hello
    encoding: b64
    content: aGVsbG8gZnJvbSBhIHNlZWQK
    owner: rancher:docker
    permissions: "0640"
runcmd:
  - echo ran > /opt/vmtest/runcmd
rancher:
  network:
    interfaces:
      mac=52:54:00:12:34:56: {dhcp: true}
      mac=52:54:00:12:34:57: {address: 10.0.3.77/24}
  sysctl:
    vm.swappiness: 7
`))
	g := l.start(t, Spec{ISO: l.files.ISO, Disks: []Disk{seed}, NICs: 2}, true)

	ctx, cancel := Within(t.Context(), bootDeadline, "shell prompt on ttyS0")
	defer cancel()
	if _, err := g.Console.Wait(ctx, regexp.MustCompile(`rancher@lighthouse\S*[$#] ?`)); err != nil {
		t.Fatal(err)
	}
	g.login(t)
	g.milestone(t, 0, "engine")
	g.milestone(t, 0, "ready")

	t.Run("console", func(t *testing.T) { testSerialShell(t, g) })
	t.Run("configuration", func(t *testing.T) { testConfiguration(t, g) })
	t.Run("status", func(t *testing.T) { testStatus(t, g) })
	t.Run("services", func(t *testing.T) { testServices(t, g) })
	t.Run("logs", func(t *testing.T) { testLogs(t, g) })
	t.Run("engine", func(t *testing.T) { testEngine(t, g) })
	t.Run("clock", func(t *testing.T) { testClock(t, g) })
	t.Run("poweroff", func(t *testing.T) { testPoweroff(t, g) })
}

func testSerialShell(t *testing.T, g *guest) {
	if err := g.Console.Type("echo answer-$((40+2))\n"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := Within(t.Context(), stepDeadline, "answer of the serial shell")
	defer cancel()
	if _, err := g.Console.Wait(ctx, regexp.MustCompile(`answer-42`)); err != nil {
		t.Error(err)
	}
}

func testConfiguration(t *testing.T, g *guest) {
	tests := []struct{ name, command, want string }{
		{"hostname", "hostname", "lighthouse"},
		{"file", "cat /opt/vmtest/hello", "hello from a seed"},
		{"owner and mode", "stat -c '%U:%G %a' /opt/vmtest/hello", "rancher:docker 640"},
		{"runcmd", "cat /opt/vmtest/runcmd", "ran"},
		{"sysctl", "cat /proc/sys/vm/swappiness", "7"},
		{"user", "id -u; id -Gn | tr ' ' '\n' | grep -xE 'docker|pharos|sudo' | sort | tr '\n' ' '", "1100\ndocker pharos sudo"},
		{"sudo", "sudo -n id -u", "0"},
		{"no password", "sudo awk -F: '$2 !~ /^[!*]/ {print $1}' /etc/shadow", ""},
		{"read-only system image", "sudo touch /proc/1/root/usr/x 2>&1 | grep -o 'Read-only file system'", "Read-only file system"},
	}
	for _, tt := range tests {
		if got := g.try(t, tt.command); strings.TrimSpace(got.Stdout) != tt.want {
			t.Errorf("%s: %s prints %q (%s), want %q", tt.name, tt.command, got.Stdout, got.Stderr, tt.want)
		}
	}
	if out := g.run(t, "ip -o -4 addr"); !strings.Contains(out, "10.0.3.77/24") || !strings.Contains(out, "10.0.2.15/24") {
		t.Errorf("addresses are\n%s", out)
	}
}

func testStatus(t *testing.T, g *guest) {
	s := g.status(t)
	if s.State != api.StateReady || len(s.Reasons) != 0 || !s.Engine.Ready || s.Engine.Version == "" || s.Slot != "iso" || s.Storage != "ram" {
		t.Errorf("status is %+v", s)
	}
	g.run(t, "sudo ros status --json")
	if r := g.try(t, "test -r /var/lib/cloud/instance/boot-finished || sudo ls -ld /var /var/lib /var/lib/cloud /var/lib/cloud/instance/*"); r.Stdout+r.Stderr != "" {
		t.Errorf("rancher cannot read boot-finished:\n%s%s", r.Stdout, r.Stderr)
	}

	var b api.Boot
	if err := json.Unmarshal([]byte(g.run(t, "ros boot --json")), &b); err != nil {
		t.Fatalf("ros boot --json: %v", err)
	}
	want := []string{"manager", "network", "containerd", "console", "ssh", "engine", "ready"}
	printed := Milestones(g.Console.Text())
	for _, name := range want {
		if !slices.ContainsFunc(b.Milestones, func(m api.Milestone) bool { return m.Name == name && m.At > 0 }) {
			t.Errorf("ros boot --json has no milestone %s: %v", name, b.Milestones)
		}
		if !slices.ContainsFunc(printed, func(m Milestone) bool { return m.Name == name }) {
			t.Errorf("the serial console shows no milestone %s: %v", name, printed)
		}
	}
	lanes := map[string]int{}
	for _, st := range b.Stages {
		lanes[st.Lane]++
		if st.End != 0 && st.End < st.Start || st.Error != "" {
			t.Errorf("stage %+v", st)
		}
	}
	if lanes["init"] == 0 || lanes["unit"] < 5 {
		t.Errorf("stages by lane: %v", lanes)
	}
	if svg := g.run(t, "ros boot --plot /tmp/boot.svg >/dev/null && head -c 200 /tmp/boot.svg"); !strings.Contains(svg, "<svg") {
		t.Errorf("the waterfall begins with %q", svg)
	}
}

func testLogs(t *testing.T, g *guest) {
	g.run(t, "logger -t vmtest marker-of-this-test")
	g.eventuallyPrints(t, stepDeadline, "sudo grep vmtest /var/log/syslog", "marker-of-this-test")
	g.eventuallyPrints(t, stepDeadline, "sudo grep -m1 'Linux version' /var/log/syslog", "kernel")
	if out := g.run(t, "ros logs -n 20 syslog; ros logs -n 20 kernel; ros service logs -n 20 docker"); out == "" {
		t.Error("ros logs prints nothing")
	}
	ntp := g.services(t)["ntp"]
	if out := g.run(t, "ros service ps ntp"); !strings.Contains(out, "chronyd") {
		t.Errorf("no chronyd among the processes of ntp:\n%s", out)
	}
	out := g.try(t, "sudo nsenter -t "+itoa(ntp.PID)+" -m -- chronyc -n tracking")
	if out.Code != 0 || !strings.Contains(out.Stdout, "Reference ID") {
		t.Errorf("chronyc: code %d: %s%s", out.Code, out.Stdout, out.Stderr)
	}
}

func testEngine(t *testing.T, g *guest) {
	g.loadPayload(t)
	g.serve(t, "web", "")
	ctx, cancel := Within(t.Context(), stepDeadline, "the published port")
	defer cancel()
	var err error
	for ctx.Err() == nil {
		if _, err = g.page(ctx, 5*time.Second); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("published port: %v", err)
	}
	if out := g.run(t, "docker -H unix:///var/run/docker.sock ps --format '{{.Names}} {{.Status}}'"); !strings.HasPrefix(out, "web Up") {
		t.Errorf("docker ps: %s", out)
	}
	if out := g.run(t, "docker info --format '{{.LiveRestoreEnabled}} {{.CgroupVersion}}'"); out != "true 2" {
		t.Errorf("live-restore and cgroup version are %q", out)
	}
	// User containers live below user/, where their memory is bounded.
	if out := g.run(t, "cat /proc/$(pgrep -xo payload)/cgroup"); !strings.Contains(out, "/user/") {
		t.Errorf("the container is in cgroup %s", out)
	}
	if out := g.run(t, "docker compose version --short"); out == "" {
		t.Error("docker compose is missing")
	}
}

// testClock gives chronyd a time server in a user container whose clock is
// 1000 s ahead: the machine's must follow.
func testClock(t *testing.T, g *guest) {
	g.run(t, "docker run -d --name ntp --net host "+PayloadImage+" ntp")
	before := g.number(t, "date +%s")
	uptime := g.number(t, "cut -d. -f1 /proc/uptime")
	chronyc := "sudo nsenter -t " + itoa(g.services(t)["ntp"].PID) + " -m -- chronyc -n "
	g.run(t, chronyc+"add server 127.0.0.1 iburst")
	g.run(t, chronyc+"burst 4/4 127.0.0.1")
	g.eventually(t, stepDeadline, chronyc+"tracking", func(r Result) bool {
		return strings.Contains(r.Stdout, "(127.0.0.1)") && strings.Contains(r.Stdout, "Normal")
	})
	g.run(t, chronyc+"makestep")
	jump := g.number(t, "date +%s") - before - (g.number(t, "cut -d. -f1 /proc/uptime") - uptime)
	if jump < 990 || jump > 1010 {
		t.Errorf("the clock moved by %d s, want 1000", jump)
	}
	t.Logf("the clock moved by %d s\n%s", jump, g.run(t, chronyc+"tracking"))
}

func testPoweroff(t *testing.T, g *guest) {
	// The session ends with the machine; its result means nothing.
	ctx, cancel := Within(t.Context(), stepDeadline, "poweroff")
	defer cancel()
	began := time.Now()
	if res, err := g.ssh.Run(ctx, "sudo poweroff"); err == nil && res.Code != 0 {
		t.Fatalf("poweroff: code %d: %s", res.Code, res.Stderr)
	}
	g.shutsDown(t, stepDeadline)
	if took, limit := time.Since(began), slack(t, 15*time.Second); took > limit {
		t.Errorf("poweroff took %.1f s, more than %s", took.Seconds(), limit)
	} else {
		t.Logf("poweroff took %.1f s", took.Seconds())
	}
}

func (g *guest) number(t *testing.T, command string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(g.run(t, command)))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return n
}
