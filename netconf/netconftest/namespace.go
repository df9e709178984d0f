package netconftest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// inside is set in the environment of a test that runs in its namespace.
const inside = "PHAROS_TEST_NAMESPACE"

// InNamespace runs the calling test once more, in a process of its own in a
// fresh network namespace, and returns false when that is over: the caller
// then returns. There it returns true. A thread would not do: whatever
// goroutine the test starts has to be in the namespace. The PID namespace is
// fresh too: nothing that the test starts outlives it, whatever its end. The
// test must be a top-level one; without root it is skipped. Such tests run in
// parallel.
func InNamespace(t *testing.T) bool {
	t.Helper()
	return InNamespaceFor(t, time.Minute)
}

// InNamespaceFor is InNamespace for tests that may take longer.
func InNamespaceFor(t *testing.T, limit time.Duration) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		mountProc(t)
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces")
	}
	t.Parallel()
	args := []string{"-test.run=^" + t.Name() + "$", "-test.count=1", "-test.timeout=" + limit.String()}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in a namespace of its own: %v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	return false
}

// mountProc makes /proc show the PID namespace, for nsenter(1).
func mountProc(t *testing.T) {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("private mounts: %v", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		t.Fatalf("/proc: %v", err)
	}
}

// Run runs a command and returns its output; it must succeed.
func Run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Peer is a second network namespace: the other end of cables.
type Peer struct{ pid int }

// NewPeer makes a namespace that lives as long as the test.
func NewPeer(t *testing.T) *Peer {
	t.Helper()
	cmd := exec.Command("sleep", "infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &Peer{pid: cmd.Process.Pid}
}

// Command prepares a command that will run in the peer's namespace.
func (p *Peer) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", p.pid), name}, args...)...)
}

// Run runs a command in the peer's namespace; it must succeed.
func (p *Peer) Run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := p.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("in the peer: %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// Cable makes a link in the test's namespace, down, whose other end in the
// peer's has the name far and is up.
func (p *Peer) Cable(t *testing.T, name, far string) {
	t.Helper()
	Run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", fmt.Sprint(p.pid))
	p.Run(t, "ip", "link", "set", far, "up")
}

// Link finds a link of the namespace that the test is in.
func Link(t *testing.T, name string) netconf.Link {
	t.Helper()
	l, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return netconf.Link{LinkID: netconf.LinkID{Index: l.Index, Name: l.Name}, MAC: l.HardwareAddr.String()}
}

// Real fills a World, but for Kernel, with the hands of a real namespace: the
// one that the test is in.
func Real(t *testing.T) World {
	t.Helper()
	// As kernels make it; a machine of ours says otherwise, which a new
	// namespace inherits.
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/promote_secondaries", []byte("0"), 0o644); err != nil {
		t.Fatal(err)
	}
	peer := NewPeer(t)
	far := func(name string) string { return "far-" + name }
	return World{
		AddLink: func(name string) { peer.Cable(t, name, far(name)) },
		DelLink: func(name string) { Run(t, "ip", "link", "del", name) },
		Plug: func(name string, in bool) {
			state := "down"
			if in {
				state = "up"
			}
			peer.Run(t, "ip", "link", "set", far(name), state)
		},
		AddForeignAddr: func(name string, prefix netip.Prefix) {
			Run(t, "ip", "addr", "add", prefix.String(), "dev", name)
		},
		AddForeignRoute: func(name string, dst netip.Prefix) {
			Run(t, "ip", "route", "add", dst.String(), "dev", name)
		},
		RemoveRoute: func(dst netip.Prefix) { Run(t, "ip", "route", "del", dst.String()) },
		Advertise: func(name string, managed, other bool, prefix netip.Prefix, options []byte) {
			peer.Advertise(t, far(name), managed, other, prefix, options)
		},
	}
}

// Within waits until a condition that is published by a channel holds: watch
// returns whether it does, and a channel that is closed at the next change.
func Within(t *testing.T, limit time.Duration, what string, watch func() (bool, <-chan struct{})) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		holds, changed := watch()
		if holds {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
