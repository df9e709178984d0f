package vmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/scripts/vmtest/inside"
)

// TestVMStacks runs what people run on a Docker host, as their compose files
// ask for it, with an image that checks from inside that it got that.
func TestVMStacks(t *testing.T) {
	l := newLab(t)
	l.runStacks(t, l.direct(l.files.SystemImg), stacks())
}

// TestGenericStacks is the same for stacks that need a graphics card, sound,
// USB or a serial port.
func TestGenericStacks(t *testing.T) {
	l := newGenericLab(t)
	spec := l.direct(l.files.SystemImg)
	spec.Extra = []string{
		"-device", "virtio-gpu-pci",
		"-audiodev", "none,id=sound", "-device", "intel-hda", "-device", "hda-duplex,audiodev=sound",
		"-device", "qemu-xhci", "-device", "usb-tablet",
		"-chardev", "null,id=serial", "-device", "usb-serial,chardev=serial,serial=stacks,always-plugged=on",
	}
	l.runStacks(t, spec, genericStacks())
}

// stacksDeadline is for `docker compose up` of all stacks at once, under emulation.
const stacksDeadline = 12 * time.Minute

// runStacks boots spec with a state disk and runs stacks as one compose project.
func (l lab) runStacks(t *testing.T, spec Spec, list []stack) {
	state := l.path("state.img")
	if err := WriteStateDisk(l.tools, state, 4<<30); err != nil {
		t.Fatal(err)
	}
	spec.Memory = 4096
	spec.Disks = append(spec.Disks, Disk{Path: state}, l.seed(t, "stacks", l.cloudConfig(stackFiles(list))))
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	g.loadPayload(t)
	g.run(t, "docker network create proxy")
	f := g.prepareStacks(t, list)
	text, err := compose(list, f)
	if err != nil {
		t.Fatal(err)
	}
	g.put(t, projectDir+"/compose.yaml", text)
	said := g.upStacks(t, list)
	r := g.lookAtStacks(t, list)
	for _, st := range list {
		t.Run(st.name, func(t *testing.T) {
			for _, s := range st.services {
				r.judge(t, s, said[s.Name], f)
			}
		})
	}
	t.Logf("docker compose ps:\n%s", g.try(t, composeCommand+" ps -a --format 'table {{.Service}}\t{{.Status}}'").Stdout)
}

const composeCommand = "cd " + projectDir + " && AGENT_SECRET='" + agentSecret + "' COMPOSE_PARALLEL_LIMIT=6 docker compose --progress plain"

// logsCommand prints what all containers have logged, with one process for
// all; `docker compose logs` of 2.26 may end before it has printed everything.
const logsCommand = `curl -s --unix-socket /run/docker.sock "http://docker/containers/{$(docker ps -aq | paste -sd,)}/logs?stdout=1"`

// stackFiles is the user-data that writes what stacks bind below /etc.
func stackFiles(list []stack) string {
	var b strings.Builder
	b.WriteString("hostname: stacks\nwrite_files:\n")
	write := func(file, text string) {
		fmt.Fprintf(&b, "  - {path: %s, content: %q, permissions: \"0644\"}\n", file, text+"\n")
	}
	write(path.Join("/etc/stacks", nonceName), nonce("/etc/stacks"))
	for _, b := range madeBinds(list) {
		if !strings.HasPrefix(b.source, "/etc/") {
			continue
		}
		if b.directory {
			write(path.Join(b.source, nonceName), nonce(b.source))
		} else {
			write(b.source, nonce(b.source))
		}
	}
	return b.String()
}

// madeBinds are the sources that the test makes, each once.
func madeBinds(list []stack) []bind {
	made := map[string]bind{}
	for _, st := range list {
		for _, s := range st.services {
			for _, b := range s.binds() {
				_, machine := ofMachine(facts{}, s.Name)[b.source]
				if !machine && !strings.HasPrefix(b.source, projectDir+"/new/") {
					made[b.source] = b
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(made), func(a, b bind) int { return strings.Compare(a.source, b.source) })
}

// prepareStacks makes on the console what stacks bind, by hand, and asks what
// the machine's own are.
func (g *guest) prepareStacks(t *testing.T, list []stack) facts {
	t.Helper()
	f := facts{}
	for line := range strings.Lines(g.script(t, stepDeadline, prepareScript(list))) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			f[key] = value
		}
	}
	return f
}

// prepareScript makes what stacks bind and prints facts, KEY TAB VALUE.
func prepareScript(list []stack) string {
	var sh strings.Builder
	sh.WriteString("set -e\n")
	file := func(name, text, mode string) {
		fmt.Fprintf(&sh, "mkdir -p '%s'; echo '%s' > '%s'; chmod %s '%[3]s'\n", path.Dir(name), text, name, mode)
	}
	for _, dir := range []string{projectDir, "/home", "/var/log"} {
		file(path.Join(dir, nonceName), nonce(dir), "644")
	}
	for _, b := range madeBinds(list) {
		switch {
		case strings.HasPrefix(b.source, "/etc/"): // write_files
		case b.directory:
			file(path.Join(b.source, nonceName), nonce(b.source), "644")
			fmt.Fprintf(&sh, "chmod 1777 '%s'\n", b.source)
		case strings.HasSuffix(b.source, "acme.json"):
			file(b.source, nonce(b.source), "600")
		default:
			file(b.source, nonce(b.source), "666")
		}
	}
	for _, m := range slices.Concat(slices.Collect(maps.Values(stackSecrets())), slices.Collect(maps.Values(stackConfigs()))) {
		if m.File != "" {
			file(absolute(m.File), materialText(m), "644")
		}
	}
	file(projectDir+"/grafana/grafana.env", "GF_FROM_FILE="+nonce(projectDir+"/grafana/grafana.env"), "644")
	fmt.Fprintf(&sh, "chown rancher '%s'\n", projectDir)
	return sh.String() + questions(list)
}

// questions is a script that prints facts, KEY TAB VALUE.
func questions(list []stack) string {
	var sh strings.Builder
	say := func(key, command string) {
		fmt.Fprintf(&sh, "printf '%%s\\t%%s\\n' '%s' \"$(%s)\"\n", key, command)
	}
	say("boot_id", "cat /proc/sys/kernel/random/boot_id")
	say("mac", "cat /sys/class/net/eth0/address")
	say("release", "uname -r")
	say("hostname", "hostname")
	say("hash modules.dep", "sha256sum < /lib/modules/$(uname -r)/modules.dep | cut -d' ' -f1")
	for _, name := range machineFiles() {
		say("type "+name, "stat -Lc %F "+name+" 2>&1 || true")
		say("hash "+name, "sha256sum < "+name+" | cut -d' ' -f1")
	}
	devices := map[string]bool{}
	for _, st := range list {
		for _, s := range st.services {
			for _, d := range s.Devices {
				name, _, _ := strings.Cut(d, ":")
				devices[name] = true
			}
			for _, b := range s.binds() {
				if strings.HasSuffix(b.source, ".sock") {
					say("type "+b.source, "stat -Lc %F "+b.source)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		say("device "+name, "stat -Lc '%F %Hr:%Lr' "+name+" 2>&1 | sed 's/character special file/c/; s/block special file/b/'")
	}
	return sh.String()
}

// script runs a shell script as root and returns what it prints.
func (g *guest) script(t *testing.T, within time.Duration, text string) string {
	t.Helper()
	ctx, cancel := Within(t.Context(), within, "script")
	defer cancel()
	res, err := g.ssh.RunInput(ctx, "sudo bash", bytes.NewReader([]byte(text)))
	if err != nil || res.Code != 0 {
		t.Fatalf("script: %v: code %d\n%s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout
}

// upStacks starts all services at once. If some cannot be started, it starts
// the others stack by stack and returns what was said of each that failed.
func (g *guest) upStacks(t *testing.T, list []stack) map[string]string {
	t.Helper()
	ctx, cancel := Within(t.Context(), stacksDeadline, "docker compose up")
	defer cancel()
	began := time.Now()
	res, err := g.ssh.Run(ctx, composeCommand+" up -d 2>&1")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("docker compose up ended with %d after %.0f s", res.Code, time.Since(began).Seconds())
	said := map[string]string{}
	if res.Code == 0 {
		return said
	}
	t.Errorf("docker compose up of all stacks:\n%s", lastLines(res.Stdout, 10))
	running := strings.Fields(g.try(t, composeCommand+" ps --services --status running").Stdout)
	for _, st := range list {
		var names []string
		for _, s := range st.services {
			if !slices.Contains(running, s.Name) {
				names = append(names, s.Name)
			}
		}
		if len(names) == 0 || ctx.Err() != nil {
			continue
		}
		if r, err := g.ssh.Run(ctx, composeCommand+" up -d "+strings.Join(names, " ")+" 2>&1"); err != nil || r.Code != 0 {
			for _, name := range names {
				said[name] = fmt.Sprintf("%v %s", err, lastLines(r.Stdout, 2))
			}
		}
	}
	return said
}

// report is what is known of running stacks.
type report struct {
	verdicts map[string]inside.Verdict
	states   map[string]string // "running healthy 0"
	answers  map[string]string // of published ports
	files    map[string]string // what is on the console
}

// lookAtStacks waits until all containers have judged, and looks at them from
// outside.
func (g *guest) lookAtStacks(t *testing.T, list []stack) report {
	t.Helper()
	began := time.Now()
	r := report{map[string]inside.Verdict{}, map[string]string{}, map[string]string{}, map[string]string{}}
	n := 0
	for _, st := range list {
		n += len(st.services)
	}
	// Who has not judged by then is reported by name.
	ctx, cancel := context.WithTimeout(t.Context(), stacksDeadline/2)
	defer cancel()
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for done := false; !done; {
		r.readVerdicts(g.try(t, logsCommand).Stdout)
		r.readStates(g.try(t, "docker inspect -f '{{index .Config.Labels \"com.docker.compose.service\"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}} {{.State.Error}}' $(docker ps -aq)").Stdout)
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
			done = len(r.verdicts) == n && !slices.ContainsFunc(slices.Collect(maps.Values(r.states)), func(s string) bool { return strings.HasPrefix(s, "running starting") })
		}
	}
	r.readOutside(g.script(t, stacksDeadline, outsideScript(list)))
	t.Logf("%d of %d verdicts and all from outside after %.0f s more", len(r.verdicts), n, time.Since(began).Seconds())
	return r
}

// outsideScript prints what each port of the machine answers, and whether each
// file that a service writes is on the machine: KEY TAB VALUE.
func outsideScript(list []stack) string {
	var sh strings.Builder
	for _, st := range list {
		for _, s := range st.services {
			ports, _ := s.published()
			for _, p := range ports {
				sh.WriteString(p.ask())
			}
			for _, file := range s.writtenFiles() {
				fmt.Fprintf(&sh, "printf '%%s\\t%%s\\n' '%s' \"$(grep -xF '%s' '%[1]s' 2>&1)\"\n", file, written(s.Name))
			}
		}
	}
	return sh.String()
}

func (r report) readOutside(text string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		if strings.HasPrefix(key, "/") {
			r.files[key] = value
		} else {
			r.answers[key] = value
		}
	}
}

func (r report) readVerdicts(log string) {
	// The engine puts a binary head before each line.
	const head = `{"service":`
	for _, rest := range strings.Split(log, head)[1:] {
		var v inside.Verdict
		if json.NewDecoder(strings.NewReader(head+rest)).Decode(&v) == nil {
			r.verdicts[v.Service] = v
		}
	}
}

func (r report) readStates(list string) {
	for line := range strings.Lines(list) {
		name, state, _ := strings.Cut(strings.TrimSpace(line), " ")
		r.states[name] = state
	}
}

// ask is a script that prints what a port of the machine says. The shell reads
// byte by byte, which a packet does not survive.
func (p publishedPort) ask() string {
	host, number, _ := strings.Cut(p.address, ":")
	read := "while read -r -t 5 -u 3 line; do case $line in payload*) answer=$line; break;; esac; done"
	if p.network == "udp" {
		read = "answer=$(timeout 5 dd bs=1500 count=1 <&3 2>/dev/null)"
	}
	return fmt.Sprintf(`answer=; if exec 3<>/dev/%s/%s/%s; then
printf 'GET / HTTP/1.0\r\n\r\n' >&3
%s
exec 3>&-; fi 2>&1
printf '%%s\t%%s\n' '%s' "$answer"
`, p.network, host, number, read, p.key())
}

func (p publishedPort) key() string { return p.network + " " + p.address }

// writtenFiles are the files of the machine that a service writes.
func (s service) writtenFiles() []string {
	var list []string
	for _, b := range s.binds() {
		_, machine := ofMachine(facts{}, s.Name)[b.source]
		switch {
		case machine || b.readOnly():
		case b.directory || strings.HasPrefix(b.source, projectDir+"/new/"):
			list = append(list, path.Join(b.source, "from-"+s.Name))
		default:
			list = append(list, b.source)
		}
	}
	for _, c := range s.Also {
		if c.Kind == "shares" {
			source, target, _ := strings.Cut(s.Volumes[0], ":")
			target, _, _ = strings.Cut(target, ":")
			list = append(list, path.Join(source, strings.TrimPrefix(c.Path, target), "file"))
		}
	}
	return list
}

// judge holds one service to what it asked for.
func (r report) judge(t *testing.T, s service, said string, f facts) {
	t.Helper()
	for _, b := range s.binds() {
		if kind := f["type "+b.source]; kind != "" && !strings.HasPrefix(kind, "regular") && kind != "socket" {
			t.Errorf("%s: the machine has no file %s: %s", s.Name, b.source, kind)
		}
	}
	v, ok := r.verdicts[s.Name]
	if !ok {
		t.Errorf("%s: the container did not run: state %q; %s", s.Name, r.states[s.Name], said)
		return
	}
	for _, failure := range v.Failures {
		t.Errorf("%s: %s", s.Name, failure)
	}
	if v.Passed == 0 {
		t.Errorf("%s: nothing was checked", s.Name)
	}
	want := "running"
	switch {
	case s.Once:
		want = "exited"
	case s.Healthy:
		want = "running healthy"
	}
	if state := r.states[s.Name]; !strings.HasPrefix(state, want) {
		t.Errorf("%s is %s, want %s", s.Name, state, want)
	}
	ports, _ := s.published()
	for _, p := range ports {
		if got, want := r.answers[p.key()], strings.TrimSpace(inside.Greeting(p.service)); got != want {
			t.Errorf("%s: the machine's port %s answers %q, want %q", s.Name, p.key(), got, want)
		}
	}
	for _, file := range s.writtenFiles() {
		if got := r.files[file]; got != written(s.Name) {
			t.Errorf("%s: what it wrote is not in the machine's %s: %q", s.Name, file, got)
		}
	}
}
