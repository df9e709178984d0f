package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pharos-os/pharos/scripts/vmtest"
)

// contestant is a machine that is measured.
type contestant struct {
	name, user string
	spec       vmtest.Spec
	state      bool // it gets a formatted disk for its state
	// disk is what the system takes on disk in bytes; 0 is asked of the
	// running machine: what its root file system uses.
	disk int64
}

type bench struct {
	log   *slog.Logger
	tools vmtest.Toolbox
	out   string
	slots string // where the locks of machines are, the VM tests' too
	key   vmtest.Key
	kvm   bool
	image []byte // what every engine runs, as `docker load` takes it
}

// sample is what one boot showed.
type sample struct {
	ssh, engine time.Duration // since QEMU's start
	run         time.Duration // of `docker run --rm`, the mean of some
	memory      int64         // bytes, MemTotal − MemAvailable
	processes   int           // without the kernel's threads
	disk        int64         // bytes
}

func (s sample) String() string {
	return fmt.Sprintf("ssh %.1f s, engine %.1f s, docker run %.2f s, memory %d MB, %d processes, disk %d MB",
		s.ssh.Seconds(), s.engine.Seconds(), s.run.Seconds(), s.memory>>20, s.processes, s.disk>>20)
}

const (
	bootDeadline = 5 * time.Minute
	idleTime     = 20 * time.Second
)

const (
	imageName = "bench:latest"
	runs      = 10 // of `docker run`, after one that is not counted
)

// pharos describes our system: the system image and a formatted state disk.
// All rounds boot the artefacts of now, linked into dir: a build that ends
// meanwhile replaces the files, it does not change them.
func pharos(name, root, dir string) (contestant, error) {
	a, err := vmtest.LoadArtefacts(root)
	if err != nil {
		return contestant{}, err
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return contestant{}, fmt.Errorf("bench directory: %w", err)
	}
	c := contestant{name: name, user: "rancher"}
	for _, f := range []*string{&a.Vmlinuz, &a.Initrd, &a.SystemImg} {
		st, err := os.Stat(*f)
		if err != nil {
			return c, fmt.Errorf("artefact: %w", err)
		}
		c.disk += st.Size()
		link := filepath.Join(dir, filepath.Base(*f))
		if err := os.Link(*f, link); err != nil {
			return c, fmt.Errorf("artefact: %w", err)
		}
		*f = link
	}
	c.spec = vmtest.Spec{
		Kernel: a.Vmlinuz, Initrd: a.Initrd, Append: a.Cmdline,
		Disks: []vmtest.Disk{{Path: a.SystemImg, ReadOnly: true}},
	}
	c.state = true
	return c, nil
}

// measure boots c once and ends it again.
func (b *bench) measure(ctx context.Context, c contestant, round int) (s sample, err error) {
	release, err := vmtest.Slots(ctx, b.slots, vmtest.MaxMachines)
	if err != nil {
		return s, err
	}
	defer release()
	ctx, cancel := vmtest.Within(ctx, bootDeadline, "measurement of "+c.name)
	defer cancel()
	spec := c.spec
	spec.Name, spec.NICs, spec.KVM = c.name, 1, b.kvm
	port, err := vmtest.FreePort()
	if err != nil {
		return s, err
	}
	spec.Forwards = []vmtest.Forward{{HostPort: port, GuestPort: 22}}
	dir := filepath.Join(b.out, fmt.Sprintf("%s-%d", c.name, round+1))
	if err := os.RemoveAll(dir); err != nil {
		return s, fmt.Errorf("bench directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return s, fmt.Errorf("bench directory: %w", err)
	}
	seed := filepath.Join(dir, "seed.iso")
	if err := vmtest.WriteSeed(b.tools, seed, b.seed(c.name)); err != nil {
		return s, err
	}
	spec.Disks = append(slices.Clone(spec.Disks), vmtest.Disk{Path: seed, ReadOnly: true})
	if c.state {
		state := filepath.Join(dir, "state.img")
		if err := vmtest.WriteStateDisk(b.tools, state, 4<<30); err != nil {
			return s, err
		}
		spec.Disks = append(spec.Disks, vmtest.Disk{Path: state, Snapshot: true})
	}

	start := time.Now()
	m, err := vmtest.Start(ctx, b.tools, spec, dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, m.Kill()) }()
	if err := vmtest.WaitBanner(ctx, port); err != nil {
		return s, err
	}
	s.ssh = time.Since(start)
	sh, err := vmtest.DialSSH(ctx, port, c.user, b.key)
	if err != nil {
		return s, err
	}
	defer sh.Close()
	if err := sh.WaitHTTP(ctx, "/run/docker.sock", "/info"); err != nil {
		return s, err
	}
	s.engine = time.Since(start)
	if err := b.atRest(ctx, sh, c, &s); err != nil {
		return s, err
	}
	if err := b.keep(ctx, sh, filepath.Join(dir, "processes.log")); err != nil {
		return s, err
	}
	s.run, err = b.dockerRun(ctx, sh)
	return s, err
}

// dockerRun measures `docker run --rm` of a program that does nothing.
func (b *bench) dockerRun(ctx context.Context, sh *vmtest.SSH) (time.Duration, error) {
	res, err := sh.RunInput(ctx, "docker load", bytes.NewReader(b.image))
	if err == nil && res.Code == 0 {
		res, err = sh.Run(ctx, fmt.Sprintf("run() { docker run --rm %s; }; run && date +%%s%%N && for i in $(seq %d); do run || exit 1; done && date +%%s%%N", imageName, runs))
	}
	if err != nil {
		return 0, err
	}
	w := strings.Fields(res.Stdout)
	if res.Code != 0 || len(w) != 2 {
		return 0, fmt.Errorf("docker run ends with %d: %q %q", res.Code, res.Stdout, res.Stderr)
	}
	from, err := strconv.ParseInt(w[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("docker run: time: %w", err)
	}
	to, err := strconv.ParseInt(w[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("docker run: time: %w", err)
	}
	return time.Duration(to-from) / runs, nil
}

// keep writes down what takes memory, for who wants to lower it.
func (b *bench) keep(ctx context.Context, sh *vmtest.SSH, path string) error {
	res, err := sh.Run(ctx, "cat /proc/meminfo; ps -eo pid,ppid,rss,nlwp,args --sort=-rss; cat /proc/slabinfo 2>/dev/null")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(res.Stdout), 0o644); err != nil {
		return fmt.Errorf("list of processes: %w", err)
	}
	return nil
}

// seed is the NoCloud disk of every machine. The second line is for
// cloud-init, which would otherwise refuse root's login.
func (b *bench) seed(name string) map[string]string {
	return map[string]string{
		"meta-data": "instance-id: bench\nlocal-hostname: " + name + "\n",
		"user-data": "#cloud-config\nhostname: " + name + "\nssh_authorized_keys:\n  - " + b.key.Authorized() +
			map[bool]string{true: "\ndisable_root: false\n", false: "\n"}[name == "peer"],
	}
}

// atRest waits until the machine has had time to settle and looks at it.
func (b *bench) atRest(ctx context.Context, sh *vmtest.SSH, c contestant, s *sample) error {
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	res, err := sh.Run(ctx, "cat /proc/meminfo; cat /proc/[0-9]*/stat 2>/dev/null; df -B1 --output=used / | tail -1")
	if err != nil {
		return err
	}
	f := facts(res.Stdout)
	s.memory, s.processes, s.disk = f.total-f.available, f.processes, c.disk
	if s.disk == 0 {
		s.disk = f.used
	}
	if f.total == 0 || f.processes == 0 || s.disk == 0 {
		return fmt.Errorf("facts of %s are incomplete: %+v", c.name, f)
	}
	return nil
}

type factSheet struct {
	total, available, used int64 // bytes
	processes              int
}

// facts reads /proc/meminfo, /proc/PID/stat and a lone number from one text.
// The three of the session that prints them count as processes everywhere.
func facts(text string) factSheet {
	var f factSheet
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		switch {
		case len(w) == 3 && w[0] == "MemTotal:":
			f.total = kib(w[1])
		case len(w) == 3 && w[0] == "MemAvailable:":
			f.available = kib(w[1])
		case len(w) == 1:
			f.used, _ = strconv.ParseInt(w[0], 10, 64)
		case len(w) > 20:
			// PID (command) state PPID …; the command may hold spaces. The
			// kernel's threads are 2 and its children.
			_, rest, ok := strings.Cut(line, ") ")
			if r := strings.Fields(rest); ok && len(r) > 1 && r[1] != "2" && w[0] != "2" {
				f.processes++
			}
		}
	}
	return f
}

func kib(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
