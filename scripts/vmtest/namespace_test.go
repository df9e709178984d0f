package vmtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideNamespace is set in the environment of a test that has a namespace.
const insideNamespace = "PHAROS_VM_NAMESPACE"

// inNamespace runs the calling test once more, in a process of its own with a
// fresh network namespace in which only lo is, and returns false when that is
// over: the caller then returns. There it returns true. QEMU, servers and
// sessions that the test starts are all in there: no packet of theirs, to
// whatever address, leaves it. Nothing outlives it: its PIDs are a namespace
// of their own too. The test must be a top-level one; such tests run in
// parallel.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideNamespace) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatalf("private mounts: %v", err)
		}
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			t.Fatalf("/proc: %v", err)
		}
		ip(t, "link set lo up")
		return true
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.timeout=40m", "-test.v")
	cmd.Env = append(os.Environ(), insideNamespace+"=1")
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

// ip runs ip(8) with the words of a line.
func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}

// bridge makes a bridge with addresses and a tap for each of the names.
func bridge(t *testing.T, name string, addresses []string, taps ...string) {
	t.Helper()
	ip(t, "link add "+name+" type bridge")
	for _, tap := range taps {
		ip(t, "tuntap add "+tap+" mode tap")
		ip(t, "link set "+tap+" master "+name+" up")
	}
	for _, a := range addresses {
		ip(t, "addr add "+a+" dev "+name+" nodad")
	}
	ip(t, "link set "+name+" up")
}

// metadata is a fake of a cloud's metadata service. It counts what it is
// asked, and misbehaves on demand.
type metadata struct {
	mu     sync.Mutex
	files  map[string]string // path → body
	fail   int               // so many requests are answered with 500
	silent bool              // accept and never answer
	asked  []string
}

// serveMetadata listens on an address until the test ends.
func serveMetadata(t *testing.T, address string, files map[string]string) *metadata {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	m := &metadata{files: files}
	srv := &http.Server{Handler: m}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return m
}

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.asked = append(m.asked, fmt.Sprintf("%s %s from %s", r.Method, r.URL.Path, r.RemoteAddr))
	body, ok := m.files[r.URL.Path]
	fail, silent := m.fail > 0, m.silent
	if fail {
		m.fail--
	}
	m.mu.Unlock()
	switch {
	case silent:
		<-r.Context().Done()
	case fail:
		http.Error(w, "try later", http.StatusInternalServerError)
	case !ok:
		http.NotFound(w, r)
	default:
		io.WriteString(w, body)
	}
}

// set changes how the service behaves.
func (m *metadata) set(f func(*metadata)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// requests is what the service was asked since the last call.
func (m *metadata) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.asked
	m.asked = nil
	return out
}
