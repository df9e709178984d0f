package manager

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

// TestMain lets the test binary be the daemon that TestDaemon keeps.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "daemon" {
		os.Exit(fakeDaemon(os.Args[2]))
	}
	os.Exit(m.Run())
}

func fakeDaemon(socket string) int {
	os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	<-term
	return 0
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestDaemonIsKeptAndAdopted(t *testing.T) {
	dir := t.TempDir()
	newDaemon := func() *daemon {
		socket := filepath.Join(dir, "s")
		return &daemon{path: os.Args[0], args: []string{"daemon", socket}, socket: socket, cgroup: "nonexistent",
			logFile: filepath.Join(dir, "log"), up: supervise.NewGate("the daemon"), log: quiet()}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	first, stopFirst := context.WithCancel(ctx)
	d := newDaemon()
	done := make(chan struct{})
	go func() { defer close(done); d.run(first) }()
	if err := d.up.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	pid, err := listener(d.socket)
	if err != nil {
		t.Fatal(err)
	}
	stopFirst()
	<-done

	// A manager that starts anew finds the same process.
	second, stopSecond := context.WithCancel(ctx)
	a := newDaemon()
	done = make(chan struct{})
	go func() { defer close(done); a.run(second) }()
	if err := a.up.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := listener(a.socket); err != nil || got != pid {
		t.Fatalf("adopted process %d, %v; want %d", got, err, pid)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// It comes back as another process.
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the daemon did not come back")
		}
		if got, err := listener(a.socket); err == nil && got != pid {
			break
		}
	}
	if err := a.up.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	stopSecond()
	<-done
	if err := a.stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := listener(a.socket); err == nil {
		t.Error("still listens after stop")
	}
}

func TestInitLink(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours := os.NewFile(uintptr(fds[0]), "pid1")
	defer ours.Close()
	theirs := os.NewFile(uintptr(fds[1]), "rosd")
	conn, err := net.FileConn(theirs)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	l := &initLink{conn: conn, log: quiet()}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan string, 1)
	probed := make(chan struct{}, 1)
	go l.run(ctx, func() { probed <- struct{}{} }, func(action string) { asked <- action })
	in := bufio.NewScanner(ours)
	if !in.Scan() || in.Text() != "alive" {
		t.Fatalf("first line %q", in.Text())
	}
	<-probed
	if _, err := fmt.Fprintln(ours, "shutdown reboot"); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "reboot" {
		t.Errorf("asked for %q", got)
	}
	l.say("done reboot")
	if !in.Scan() || in.Text() != "done reboot" {
		t.Errorf("last line %q", in.Text())
	}
}

// noRunner never starts anything.
type noRunner struct{}

func (noRunner) Start(ctx context.Context, _ unit.Unit) (supervise.Process, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (noRunner) Adopt(context.Context, unit.Unit) (supervise.Process, bool, error) {
	return nil, false, nil
}

func TestStopPhases(t *testing.T) {
	m := &Manager{sup: supervise.New(supervise.Options{Runner: noRunner{}, Log: quiet()})}
	for _, name := range []string{"docker", "console", "mine", "udev", "syslog", "ntp"} {
		if err := m.sup.Add(unit.Unit{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]string{{"mine"}, {"docker"}, {"console"}, {"ntp"}, {"syslog"}, {"udev"}}
	if d := cmp.Diff(want, m.stopPhases()); d != "" {
		t.Error(d)
	}
}

func TestBootGraphIsSound(t *testing.T) {
	m := &Manager{}
	g, err := supervise.NewGraph(quiet(), m.bootSteps())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range m.definitions(osconfig.Config{}) {
		for _, name := range u.Requires {
			if name != launchedFirst && g.Gate(name) == nil && !isUnit(m, name) {
				t.Errorf("unit %s requires %q, which is neither a step nor a unit", u.Name, name)
			}
		}
	}
	for _, s := range m.bootSteps() {
		if s.For == "" || s.Run == nil || s.Lane == "" {
			t.Errorf("step %s is not complete", s.Name)
		}
	}
}

// TestDevicesOfContainers: the engine waits for udev when containers do, and
// udev then waits for nobody.
func TestDevicesOfContainers(t *testing.T) {
	for _, lacks := range []bool{false, true} {
		m := &Manager{needs: needs{devices: lacks}}
		for _, u := range m.definitions(osconfig.Config{}) {
			if u.Name == "docker" && slices.Contains(u.Requires, "udev-settled") != lacks {
				t.Errorf("devices are missing: %t, and the engine requires %q", lacks, u.Requires)
			}
			if u.Name == "udev" && slices.Contains(u.Requires, launchedFirst) == lacks {
				t.Errorf("devices are missing: %t, and udev requires %q", lacks, u.Requires)
			}
		}
	}
}

func isUnit(m *Manager, name string) bool {
	for _, u := range m.definitions(osconfig.Config{}) {
		if u.Name == name {
			return true
		}
	}
	return false
}

func TestUnknownServices(t *testing.T) {
	m := &Manager{}
	var c osconfig.Config
	c.Rancher.ServicesInclude = map[string]bool{"ntp": true, "zfs": true, "kernel-extras": false}
	err := unknownServices(c, m.definitions(c))
	if want := `rancher.services_include: there is no service "zfs"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestSysctlNamesTheKey(t *testing.T) {
	err := applySysctl(map[string]string{"net.pharos.nothing": "1"})
	if err == nil || !strings.Contains(err.Error(), "sysctl net.pharos.nothing: ") {
		t.Errorf("%v", err)
	}
}
