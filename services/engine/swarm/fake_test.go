package swarm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/beneath"
)

// fake is a dockerd, as far as its swarm goes. It behaves as Docker 29 does.
type fake struct {
	t       *testing.T
	state   string
	id      string
	address string
	control bool
	err     string
	remotes []string
	nodes   []map[string]any // nil: managers have no leader
	lock    bool
	key     string

	refuse    map[string]string // "POST /swarm/init" → message
	asked     []string          // what changes something, in order
	socket    string
	root      string // the engine's data root
	dir       string
	down      map[string]bool // addresses that do not answer
	strangers map[string]bool // addresses that something else answers at
	connected bool
	rotated   bool              // the token is not valid any more
	here      map[string]string // address → link
	now       time.Time
}

func newFake(t *testing.T) (*fake, *Reconciler) {
	t.Helper()
	f := &fake{t: t, state: stateInactive, dir: t.TempDir(), refuse: map[string]string{}, down: map[string]bool{}, strangers: map[string]bool{}, now: time.Unix(1e9, 0)}
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	f.socket = socket
	return f, f.reconciler(filepath.Join(t.TempDir(), "memory.json"))
}

// reconciler is one that has just started.
func (f *fake) reconciler(memory string) *Reconciler {
	r := New(f.socket, beneath.Place{Root: beneath.Root{Tree: f.dir}, Path: "/"})
	r.Dial = func(_ context.Context, address string) error {
		if f.down[address] {
			return errors.New("connection refused")
		}
		return nil
	}
	r.Connected = func([]string) bool { return f.connected }
	r.Whose = func(a netip.Addr) (string, error) { return f.here[a.String()], nil }
	r.Memory = memory
	r.Belongs = func(_ context.Context, address string, roots []byte) error {
		if f.strangers[address] || string(roots) != testRoots {
			return errors.New("certificate signed by unknown authority")
		}
		return nil
	}
	r.Admits = func(_ context.Context, _ string, _ []byte, token string) error {
		if f.rotated {
			return errRejected
		}
		return nil
	}
	r.Now = func() time.Time { return f.now }
	return r
}

// save writes dockerd's own file.
func (f *fake) save(s saved) {
	f.t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "docker-state.json"), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// node adds a node; reachable is "" for a worker.
func (f *fake) node(id, state, reachable string, leader bool) map[string]any {
	role := "worker"
	n := map[string]any{
		"ID": id, "Version": map[string]any{"Index": 7}, "Description": map[string]any{"Hostname": "host-" + id},
		"Status": map[string]any{"State": state, "Addr": "10.0.0." + id[1:]},
	}
	if reachable != "" {
		role = "manager"
		n["ManagerStatus"] = map[string]any{"Leader": leader, "Reachability": reachable, "Addr": "10.0.0." + id[1:] + ":2377"}
	}
	n["Spec"] = map[string]any{"Role": role, "Availability": "active", "Labels": map[string]string{"theirs": "1"}}
	f.nodes = append(f.nodes, n)
	return n
}

// member makes it one of a swarm: n1, with other nodes that the test adds.
func (f *fake) member(manager bool) {
	f.state, f.id, f.address, f.control = stateActive, "n1", "10.0.0.1", manager
	f.save(saved{})
	f.roots(testRoots)
	if manager {
		f.node("n1", "ready", "reachable", true)
	}
}

// testRoots are the root certificates of the fake's swarm.
const testRoots = "root certificates"

// roots writes them where dockerd keeps them.
func (f *fake) roots(text string) {
	f.t.Helper()
	dir := filepath.Join(f.dir, "certificates")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "swarm-root-ca.crt"), []byte(text), 0o600)); err != nil {
		f.t.Fatal(err)
	}
}

// tokenFor is a join token of the swarm with these root certificates, as
// swarmkit writes it.
func tokenFor(roots string) string {
	sum := sha256.Sum256([]byte(roots))
	return fmt.Sprintf("SWMTKN-1-%050s-%025s", new(big.Int).SetBytes(sum[:]).Text(36), "t")
}

// certificate gives it a node's certificate.
func (f *fake) certificate(unit string) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{OrganizationalUnit: []string{unit}}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	dir := filepath.Join(f.dir, "certificates")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "swarm-node.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) managers() int {
	count := 0
	for _, n := range f.nodes {
		if n["ManagerStatus"] != nil {
			count++
		}
	}
	return count
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	if r.Method == http.MethodPost {
		f.asked = append(f.asked, strings.TrimSpace(call+" "+r.URL.RawQuery+" "+string(body)))
	}
	fail := func(status int, message string) {
		w.WriteHeader(status)
		answer(w, map[string]string{"message": message})
	}
	if message := f.refuse[call]; message != "" {
		fail(http.StatusInternalServerError, message)
		return
	}
	switch call {
	case "GET /info":
		var remotes []map[string]string
		for _, r := range f.remotes {
			remotes = append(remotes, map[string]string{"NodeID": "x", "Addr": r})
		}
		answer(w, map[string]any{"DockerRootDir": f.root, "Swarm": map[string]any{
			"NodeID": f.id, "NodeAddr": f.address, "LocalNodeState": f.state, "ControlAvailable": f.control,
			"Error": f.err, "RemoteManagers": remotes, "Managers": f.managers(),
		}})
	case "GET /nodes":
		if f.nodes == nil {
			fail(http.StatusServiceUnavailable, "rpc error: code = Unknown desc = The swarm does not have a leader.")
			return
		}
		answer(w, f.nodes)
	case "GET /swarm":
		answer(w, map[string]any{
			"Version": map[string]any{"Index": 11}, "JoinTokens": map[string]string{"Worker": "SWMTKN-w", "Manager": "SWMTKN-m"},
			"Spec": map[string]any{"Name": "default", "CAConfig": map[string]any{"NodeCertExpiry": int64(7776000000000000)},
				"EncryptionConfig": map[string]bool{"AutoLockManagers": f.lock}},
		})
	case "GET /swarm/unlockkey":
		answer(w, map[string]string{"UnlockKey": f.key})
	case "POST /swarm/init", "POST /swarm/join":
		f.state = stateActive
	case "POST /swarm/leave":
		f.state, f.control = stateInactive, false
		os.Remove(filepath.Join(f.dir, "docker-state.json"))
	case "POST /nodes/n1/update":
		if strings.Contains(string(body), `"Role":"worker"`) {
			f.control = false
		}
	}
}

func answer(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// take returns what was asked since the last time.
func (f *fake) take() []string {
	out := f.asked
	f.asked = nil
	return out
}

// machine is a machine with links; the fake has their addresses.
func (f *fake) machine(want osconfig.Swarm, links ...Link) Machine {
	f.here = map[string]string{}
	for _, l := range links {
		for _, a := range l.Addresses {
			f.here[a.String()] = l.Name
		}
	}
	return Machine{Want: want, Links: links}
}

// link is a link that rancher.network configures.
func link(name string, addresses ...string) Link {
	l := Link{Name: name, Own: true}
	for _, a := range addresses {
		l.Addresses = append(l.Addresses, netip.MustParseAddr(a))
	}
	return l
}

// foreign is a link of somebody else, such as a network of the engine.
func foreign(name string, addresses ...string) Link {
	l := link(name, addresses...)
	l.Own = false
	return l
}

func joinOf(remotes ...string) osconfig.Swarm {
	return osconfig.Swarm{Join: osconfig.SwarmJoin{Remote: remotes, Token: tokenFor(testRoots)}}
}

// says checks that exactly one of the sentences has all the words.
func says(t *testing.T, sentences []string, words ...string) {
	t.Helper()
	if len(sentences) != 1 {
		t.Errorf("%d sentences: %q", len(sentences), sentences)
		return
	}
	for _, w := range words {
		if !strings.Contains(sentences[0], w) {
			t.Errorf("%q does not say %q", sentences[0], w)
		}
	}
}

// asked checks the beginnings of what the engine was asked.
func (f *fake) wasAsked(want ...string) {
	f.t.Helper()
	got := f.take()
	if len(got) != len(want) {
		f.t.Errorf("asked %q, want %q", got, want)
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			f.t.Errorf("asked %q, want %q", got[i], want[i])
		}
	}
}

func (f *fake) later(d time.Duration) { f.now = f.now.Add(d) }
