package vmtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Deadlines, about five times what is usual under emulation on two cores.
const (
	bootDeadline = 4 * time.Minute // QEMU's start to engine ready
	stepDeadline = 90 * time.Second
)

// slack stretches the figures that the product is held to, for machines that
// have other work to do: PHAROS_VM_SLACK is the factor, 1 is the promise.
func slack(t *testing.T, d time.Duration) time.Duration {
	v := os.Getenv("PHAROS_VM_SLACK")
	if v == "" {
		return d
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || f < 1 {
		t.Fatalf("PHAROS_VM_SLACK=%s: want a number of at least 1", v)
	}
	return time.Duration(float64(d) * f)
}

// lab is what the tests of one machine share.
type lab struct {
	tools Toolbox
	files Artefacts
	dir   string // build/vmtest/TEST
	key   Key
}

func newLab(t *testing.T) lab {
	t.Helper()
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	l := lab{tools: FindToolbox(root)}
	if l.files, err = LoadArtefacts(root); err != nil {
		t.Fatalf("run make first: %v", err)
	}
	if l.key, err = NewKey(); err != nil {
		t.Fatal(err)
	}
	l.dir = filepath.Join(root, "build", "vmtest", strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.RemoveAll(l.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l lab) path(name string) string { return filepath.Join(l.dir, name) }

// direct is a machine that boots the kernel without a boot loader from the
// system image at img.
func (l lab) direct(img string, extra ...string) Spec {
	return Spec{
		Kernel: l.files.Vmlinuz, Initrd: l.files.Initrd,
		Append: strings.Join(append([]string{l.files.Cmdline}, extra...), " "),
		Disks:  []Disk{{Path: img, ReadOnly: true}},
		NICs:   1,
	}
}

// keyParam gives the guest our key on the kernel command line.
func (l lab) keyParam() string {
	return "cc.ssh_authorized_keys=[" + strings.TrimSuffix(l.key.Authorized(), " vmtest") + "]"
}

// seed makes a NoCloud disk from user-data; our key is appended to it.
func (l lab) seed(t *testing.T, name, userData string) Disk {
	t.Helper()
	path := l.path(name + ".iso")
	err := WriteSeed(l.tools, path, map[string]string{
		"meta-data": "instance-id: " + name + "\n",
		"user-data": userData,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Disk{Path: path, ReadOnly: true}
}

// cloudConfig is the user-data of a machine with our key and what rest says.
func (l lab) cloudConfig(rest string) string {
	return "#cloud-config\nssh_authorized_keys:\n  - " + l.key.Authorized() + "\n" + rest
}

// guest is a machine under test.
type guest struct {
	*Machine
	lab lab
	ssh *SSH
}

// start boots spec and, when the test ends, kills it and judges its console.
// Lines that match allow are what the test asked for. Exclusive machines run alone.
func (l lab) start(t *testing.T, spec Spec, exclusive bool, allow ...string) *guest {
	t.Helper()
	n := 1
	if exclusive {
		n = MaxMachines
	}
	release, err := Slots(t.Context(), filepath.Dir(l.dir), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return l.launch(t, spec, allow...)
}

// launch is start for who has the places already.
func (l lab) launch(t *testing.T, spec Spec, allow ...string) *guest {
	t.Helper()
	spec.KVM = KVM(t.Context(), l.tools, filepath.Dir(l.dir))
	spec.Name = strings.ReplaceAll(t.Name(), "/", "-")
	for _, port := range []int{22, 8080} {
		p, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		spec.Forwards = append(spec.Forwards, Forward{HostPort: p, GuestPort: port})
	}
	began := time.Now()
	m, err := Start(t.Context(), l.tools, spec, l.dir)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{Machine: m, lab: l}
	t.Cleanup(func() {
		if g.ssh != nil {
			g.ssh.Close()
		}
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
		log := m.Console.Text()
		var asked []*regexp.Regexp
		for _, a := range allow {
			asked = append(asked, regexp.MustCompile(a))
		}
		for _, a := range Accidents(log, asked...) {
			t.Errorf("console: %s", a)
		}
		var ms []string
		for _, s := range Milestones(log) {
			ms = append(ms, fmt.Sprintf("%s %.2f", s.Name, s.At))
		}
		t.Logf("machine ran %.0f s; milestones: %s; console: %s", time.Since(began).Seconds(), strings.Join(ms, ", "), l.path("console.log"))
	})
	return g
}

// milestone waits for a milestone after mark. A machine that says that it is
// degraded never gets ready.
func (g *guest) milestone(t *testing.T, mark int, name string) {
	t.Helper()
	ctx, cancel := Within(t.Context(), bootDeadline, "milestone "+name)
	defer cancel()
	m, err := g.Console.WaitFrom(ctx, mark, regexp.MustCompile(milestonePattern(name).String()+`|pharos: (?:degraded|failed): .*`))
	if err != nil {
		t.Fatal(err)
	}
	if m[1] != name {
		t.Fatalf("no milestone %s: %s", name, m[0])
	}
}

// login opens an SSH session, anew if there was one.
func (g *guest) login(t *testing.T) {
	t.Helper()
	if g.ssh != nil {
		g.ssh.Close()
	}
	port, err := g.HostPort(22)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := Within(t.Context(), bootDeadline, "SSH login")
	defer cancel()
	if g.ssh, err = DialSSH(ctx, port, "rancher", g.lab.key); err != nil {
		t.Fatalf("%v\nlast console lines:\n%s", err, lastLines(g.Console.Text(), 10))
	}
}

// try runs a command in the guest; only a broken session ends the test.
func (g *guest) try(t *testing.T, command string) Result {
	t.Helper()
	return g.tryWithin(t, stepDeadline, command)
}

// tryWithin is try for a command that takes long.
func (g *guest) tryWithin(t *testing.T, within time.Duration, command string) Result {
	t.Helper()
	ctx, cancel := Within(t.Context(), within, command)
	defer cancel()
	res, err := g.ssh.Run(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// run runs a command that must succeed and returns its output, trimmed.
func (g *guest) run(t *testing.T, command string) string {
	t.Helper()
	res := g.try(t, command)
	if res.Code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", command, res.Code, res.Stdout, res.Stderr)
	}
	return strings.TrimSpace(res.Stdout)
}

// eventually runs command every half second until ok says so of its result.
func (g *guest) eventually(t *testing.T, within time.Duration, command string, ok func(Result) bool) Result {
	t.Helper()
	ctx, cancel := Within(t.Context(), within, command)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last := "no answer at all"
	for {
		res, err := g.ssh.Run(ctx, command)
		if err == nil && ok(res) {
			return res
		}
		if ctx.Err() == nil {
			last = fmt.Sprintf("code %d, %q %q, %v", res.Code, res.Stdout, res.Stderr, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%v; last: %s", context.Cause(ctx), last)
		}
	}
}

// eventuallyPrints is eventually for an output that contains text.
func (g *guest) eventuallyPrints(t *testing.T, within time.Duration, command, text string) {
	t.Helper()
	g.eventually(t, within, command, func(r Result) bool { return strings.Contains(r.Stdout, text) })
}

// shutsDown waits until QEMU has ended because the guest powered off, and
// returns how long that took.
func (g *guest) shutsDown(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := Within(t.Context(), within, "shutdown")
	defer cancel()
	if err := g.WaitExit(ctx); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
