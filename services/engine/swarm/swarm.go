// Package swarm owns what rancher.docker.swarm asks of the user engine: it
// makes or joins a swarm, keeps this machine's node as configured, follows
// changes of its address as far as that is safe, and reports what is wrong and
// what to do. It refuses to restart the engine and to decide that a
// machine leaves its swarm: the manager does.
package swarm

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/beneath"
)

// port is where managers listen for the other machines.
const port = "2377"

// Times of the reconciler.
const (
	steady     = 30 * time.Second // until a machine in its swarm is looked at again
	firstRetry = 5 * time.Second  // then twice as long each time
	lastRetry  = time.Minute
	// settle is how long an address must be missing, or managers unreachable,
	// before anything is done: a lease may be renewed and a manager may restart.
	settle     = 15 * time.Second
	lostAfter  = 2 * time.Minute
	joinWait   = 90 * time.Second // for a join in the background; then another manager is tried
	callTime   = 40 * time.Second // Docker itself gives up after 20 s
	dialTime   = 3 * time.Second
	demoteTime = time.Minute
	// electionTime is enough for managers to elect a leader.
	electionTime = 20 * time.Second
)

// Machine is what a decision depends on besides the engine.
type Machine struct {
	Want  osconfig.Swarm
	Links []Link // with their addresses, in the machine's order
	InRAM bool   // a reboot empties dockerd's data root
}

// Link is a network link of the machine.
type Link struct {
	Name      string
	Addresses []netip.Addr // no link-local ones
	Own       bool         // rancher.network configures it: it is not the engine's
}

// Result is what one look has come to.
type Result struct {
	Reasons []string      // what is wrong with this machine
	Notes   []string      // what is wrong on other machines, or worth knowing
	Restart string        // why the engine has to restart; empty means that it does not
	Again   time.Duration // until the next look; 0 means at the next change
}

// Reconciler brings the engine to its configuration, a step at each call. Its
// methods are called by one goroutine.
type Reconciler struct {
	Docker dockerapi.Client
	Dir    beneath.Place // where dockerd keeps the state of its swarm; containers may write to it
	Dial   func(ctx context.Context, address string) error
	// Connected reports whether the machine is connected to one of the addresses.
	Connected func(addresses []string) bool
	// Whose is the name of the link that has an address, whoever has made the
	// link; empty when none has it.
	Whose func(netip.Addr) (string, error)
	// Belongs checks that a manager of the swarm with these root certificates
	// listens at an address.
	Belongs func(ctx context.Context, address string, roots []byte) error
	// Admits returns an error when the manager at an address of that swarm does
	// not accept a join token.
	Admits func(ctx context.Context, address string, roots []byte, token string) error
	Now    func() time.Time
	// Memory is the path of a file that keeps what must outlast a reboot. It is
	// empty for a Reconciler that is never asked to reconcile.
	Memory string

	retries   int
	remote    int       // the next manager to join through
	joining   time.Time // since when Docker has been joining in the background
	changed   time.Time // since when the address has been another one
	lost      time.Time // since when no manager has answered
	restarted netip.Addr
	demoted   bool // this machine was a manager, and its state is in RAM
	memory    memory
	kept      memory // as it is in the file
}

// New is a reconciler of the engine at socket whose state is in dir.
func New(socket string, dir beneath.Place) *Reconciler {
	return &Reconciler{Docker: dockerapi.Client{Socket: socket}, Dir: dir, Dial: dial, Connected: connected, Whose: whose, Belongs: belongs, Admits: admits, Now: time.Now}
}

func dial(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		// The address is said already.
		if of, ok := errors.AsType[*net.OpError](err); ok {
			err = of.Err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			return errors.New("no answer")
		}
		return errors.New(strings.TrimPrefix(err.Error(), "connect: "))
	}
	return conn.Close()
}

// info is the part of GET /info about the swarm; github.com/moby/moby/api,
// types/swarm.Info.
type info struct {
	DockerRootDir string
	Swarm         struct {
		NodeID           string
		NodeAddr         string
		LocalNodeState   string
		ControlAvailable bool
		Error            string
		RemoteManagers   []struct{ NodeID, Addr string }
		Managers         int
	}
}

// States of info.Swarm.LocalNodeState.
const (
	stateInactive = "inactive"
	statePending  = "pending"
	stateActive   = "active"
	stateError    = "error"
	stateLocked   = "locked"
)

func (i info) state() string {
	if i.Swarm.LocalNodeState == "" {
		return stateInactive
	}
	return i.Swarm.LocalNodeState
}

// remotes are the managers that the engine knows, ADDRESS:PORT.
func (i info) remotes() []string {
	var out []string
	for _, r := range i.Swarm.RemoteManagers {
		out = append(out, r.Addr)
	}
	slices.Sort(out)
	return out
}

// saved is the part of dockerd's own file that no call answers;
// github.com/moby/moby/v2, daemon/cluster.nodeStartConfig.
type saved struct {
	AdvertiseAddr  string // HOST:PORT; empty: found at each start, by the way to the manager
	DataPathAddr   string
	JoinInProgress bool
}

// maxFile bounds the files of dockerd that are read, in bytes.
const maxFile = 1 << 20

// saved is empty when there is no file of dockerd, or one that it is writing.
func (r *Reconciler) saved() saved {
	text, err := r.Dir.ReadFile(engine.SwarmState, maxFile)
	if err != nil {
		return saved{}
	}
	var s saved
	if err := json.Unmarshal(text, &s); err != nil {
		return saved{}
	}
	return s
}

// isWorker reports whether the certificate of this machine is that of a worker:
// a node that is not active does not say.
func (r *Reconciler) isWorker() bool {
	text, err := r.Dir.ReadFile("certificates/swarm-node.crt", maxFile)
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		return false
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	return err == nil && slices.Contains(certificate.Subject.OrganizationalUnit, "swarm-worker")
}

func (r *Reconciler) info(ctx context.Context) (info, error) {
	var i info
	err := r.call(ctx, http.MethodGet, "/info", nil, &i)
	if i.DockerRootDir != "" { // the engine's file may name another one for its next start
		r.Dir.Path = path.Join(i.DockerRootDir, engine.SwarmDir)
	}
	return i, err
}

func (r *Reconciler) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return r.Docker.Call(ctx, method, path, in, out)
}

// Reconcile looks at the engine once, does the next thing that it lacks, and
// says what is wrong.
func (r *Reconciler) Reconcile(ctx context.Context, m Machine) Result {
	i, err := r.info(ctx)
	if err != nil { // its unit says so, and whoever starts it calls again
		return Result{Again: firstRetry}
	}
	s := r.saved()
	if i.state() != statePending {
		r.joining = time.Time{}
	}
	switch i.state() {
	case stateInactive:
		r.changed, r.lost = time.Time{}, time.Time{}
		if !m.Want.On() {
			return Result{}
		}
		if m.InRAM && m.Want.Init {
			return Result{Reasons: refuseInit(), Again: steady}
		}
		return r.form(ctx, m.Want)
	case stateLocked:
		return Result{Reasons: reason("the keys on this machine are locked: unlock them with `ros engine swarm unlock`; " +
			"`ros engine swarm unlock-key` on another manager prints the unlock key"), Again: steady}
	case statePending:
		return r.pending(ctx, m, i, s)
	case stateError:
		return r.broken(ctx, m, i, s)
	}
	r.retries = 0
	r.recall(i.Swarm.NodeID)
	r.memory.Root = i.DockerRootDir
	res := r.member(ctx, m, i, s)
	if err := r.keep(); err != nil {
		res.Notes = append(res.Notes, fmt.Sprintf("swarm: cannot write down what a reboot must not forget: %v", err))
	}
	return res
}

// member looks after a machine in its swarm.
func (r *Reconciler) member(ctx context.Context, m Machine, i info, s saved) Result {
	res := Result{Again: steady}
	r.seen(i.Swarm.NodeAddr, s.DataPathAddr)
	if !m.Want.On() {
		res.Notes = append(res.Notes, "swarm: this machine is in a swarm, but rancher.docker.swarm is not set: set it, or leave with "+
			"`docker swarm leave` and reboot; until then containers stop when the engine stops")
		return res
	}
	if m.InRAM {
		i = r.inRAM(ctx, i, &res)
	}
	if i.Swarm.ControlAvailable {
		r.lost = time.Time{}
		r.manager(ctx, m.Want, i, &res)
	} else {
		r.worker(ctx, m.Want, i, &res)
	}
	r.address(ctx, m, i, s, &res)
	return res
}

// retry is the time until a failed attempt is made again.
func (r *Reconciler) retry() time.Duration {
	wait := firstRetry << min(r.retries, 6)
	r.retries++
	return min(wait, lastRetry)
}

// since notes when a condition began and returns how long it has held.
func (r *Reconciler) since(at *time.Time) time.Duration {
	if at.IsZero() {
		*at = r.Now()
	}
	return r.Now().Sub(*at)
}

// said is the daemon's message without the call that it answered: a user has
// not made that.
func said(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*dockerapi.Error](err); ok {
		text = e.Message
	}
	if _, after, ok := strings.Cut(text, " desc = "); ok && strings.HasPrefix(text, "rpc error: code = ") {
		text = after
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}

func reason(format string, args ...any) []string {
	return []string{"swarm: " + fmt.Sprintf(format, args...)}
}
