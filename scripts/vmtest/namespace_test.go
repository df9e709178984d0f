package vmtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/netconftest"
)

// inNamespace is netconftest's: QEMU, servers and sessions that the test starts
// are all in a network namespace in which only lo is. No packet of theirs, to
// whatever address, leaves it.
func inNamespace(t *testing.T) bool {
	t.Helper()
	inside := netconftest.InNamespaceFor(t, 40*time.Minute)
	if inside {
		ip(t, "link set lo up")
	}
	return inside
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
