package swarm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/beneath"
)

func TestNothingWithoutKey(t *testing.T) {
	f, r := newFake(t)
	if res := r.Reconcile(t.Context(), f.machine(osconfig.Swarm{})); !cmp.Equal(res, Result{}) {
		t.Errorf("%+v", res)
	}
	f.member(false)
	res := r.Reconcile(t.Context(), f.machine(osconfig.Swarm{}))
	says(t, res.Notes, "rancher.docker.swarm is not set", "docker swarm leave")
	if len(res.Reasons) > 0 || res.Again == 0 {
		t.Errorf("%+v", res)
	}
	f.wasAsked()
}

func TestInit(t *testing.T) {
	f, r := newFake(t)
	lock := true
	want := osconfig.Swarm{Init: true, AdvertiseAddr: "eth1", DataPathAddr: "10.1.0.1", Availability: "drain", Autolock: &lock}
	if res := r.Reconcile(t.Context(), f.machine(want)); len(res.Reasons) > 0 || res.Again == 0 {
		t.Errorf("%+v", res)
	}
	if diff := cmp.Diff([]string{`POST /swarm/init  {"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"eth1","DataPathAddr":"10.1.0.1","ForceNewCluster":false,` +
		`"AutoLockManagers":true,"Availability":"drain","Spec":{"EncryptionConfig":{"AutoLockManagers":true}}}`}, f.take()); diff != "" {
		t.Error(diff)
	}
}

// A refusal is said with what to do, and tried again, less and less often.
func TestInitRefused(t *testing.T) {
	f, r := newFake(t)
	f.refuse["POST /swarm/init"] = "could not choose an IP address to advertise since this system has multiple addresses on different interfaces (10.0.0.1 on eth0 and 10.1.0.1 on eth1)"
	var waits []time.Duration
	for range 6 {
		res := r.Reconcile(t.Context(), f.machine(osconfig.Swarm{Init: true}))
		says(t, res.Reasons, "cannot make a swarm", "10.1.0.1 on eth1", "rancher.docker.swarm.advertise_addr")
		waits = append(waits, res.Again)
	}
	s := time.Second
	if diff := cmp.Diff([]time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 60 * s, 60 * s}, waits); diff != "" {
		t.Error(diff)
	}
}

// A machine whose dockerd loses its state at a reboot makes no swarm: the next
// boot would make another one.
func TestNoSwarmInRAM(t *testing.T) {
	f, r := newFake(t)
	m := f.machine(osconfig.Swarm{Init: true})
	m.InRAM = true
	res := r.Reconcile(t.Context(), m)
	says(t, res.Reasons, "no swarm is made", "in RAM", "PHAROS_STATE")
	if res.Again == 0 {
		t.Error("it does not look again")
	}
	f.wasAsked()
}

// It may join, as a worker. A manager would leave a vote behind at each boot, and
// the token does not say which of the two it makes, so a manager is demoted.
func TestWorkerInRAM(t *testing.T) {
	f, r := newFake(t)
	m := f.machine(joinOf("10.0.0.2"), link("eth0", "10.0.0.1"))
	m.InRAM = true
	if res := r.Reconcile(t.Context(), m); len(res.Reasons)+len(res.Notes) > 0 {
		t.Errorf("%+v", res)
	}
	f.wasAsked("POST /swarm/join")
	f.member(true)
	f.node("n2", "ready", "reachable", true)
	f.remotes, f.connected = []string{"10.0.0.2:2377"}, true
	for range 2 {
		res := r.Reconcile(t.Context(), m)
		says(t, res.Notes, "in RAM", "was a manager and is a worker now", "docker node rm")
		if len(res.Reasons) > 0 {
			t.Errorf("%q", res.Reasons)
		}
	}
	f.wasAsked(`POST /nodes/n1/update version=7 {"Availability":"active","Labels":{"theirs":"1"},"Role":"worker"}`)

	again := f.reconciler("")
	res := again.Reconcile(t.Context(), m)
	says(t, res.Notes, "in RAM", "docker node rm")
	if strings.Contains(strings.Join(res.Notes, ""), "was a manager") || len(res.Reasons) > 0 {
		t.Errorf("%+v", res)
	}
}

// A manager that cannot be demoted stays one, and that is said.
func TestManagerInRAM(t *testing.T) {
	for name, tc := range map[string]struct {
		arrange func(f *fake)
		want    string
	}{
		"the only one":    {func(*fake) {}, "PHAROS_STATE"},
		"the other fails": {func(f *fake) { f.node("n2", "down", "unreachable", false) }, "PHAROS_STATE"},
		"refused": {func(f *fake) {
			f.node("n2", "ready", "reachable", true)
			f.refuse["POST /nodes/n1/update"] = "update out of sequence"
		}, "update out of sequence"},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(true)
			tc.arrange(f)
			m := f.machine(joinOf("10.0.0.2"), link("eth0", "10.0.0.1"))
			m.InRAM = true
			says(t, r.Reconcile(t.Context(), m).Reasons, "is a manager", "in RAM", "PHAROS_STATE", tc.want)
		})
	}
}

func TestJoin(t *testing.T) {
	f, r := newFake(t)
	f.down["10.0.0.8:2377"] = true
	want := joinOf("10.0.0.8", "[fd00::5]:2377")
	if res := r.Reconcile(t.Context(), f.machine(want)); len(res.Reasons) > 0 {
		t.Errorf("%+v", res)
	}
	if diff := cmp.Diff([]string{`POST /swarm/join  {"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"","DataPathAddr":"","RemoteAddrs":["[fd00::5]:2377"],"JoinToken":"` + tokenFor(testRoots) + `"}`}, f.take()); diff != "" {
		t.Error(diff)
	}
}

// rotated is the answer of a manager whose swarm has another token by now;
// github.com/moby/swarmkit/v2, ca.Server.IssueNodeCertificate.
const rotated = "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"

// A member does not need its token any more: one that was rotated away takes
// nobody out, at no boot and in no state.
func TestMemberWithRotatedToken(t *testing.T) {
	for name, state := range map[string]string{"active": stateActive, "waits for managers": statePending, "broken": stateError, "locked": stateLocked} {
		for _, manager := range []bool{false, true} {
			f, r := newFake(t)
			f.member(manager)
			f.certificate(map[bool]string{false: "swarm-worker", true: "swarm-manager"}[manager])
			f.state, f.connected, f.refuse["POST /swarm/join"] = state, true, rotated
			m := f.machine(joinOf("10.0.0.8"), link("eth0", "10.0.0.1"))
			for range 5 {
				if res := r.Reconcile(t.Context(), m); state == stateActive && len(res.Reasons) > 0 {
					t.Errorf("%s, a manager %v: %q", name, manager, res.Reasons)
				}
				f.later(time.Hour)
				r = f.reconciler(r.Memory) // the next boot
			}
			f.wasAsked()
		}
	}
}

// A slow machine learns only in the background that its token is not valid any
// more. It says what to do, too.
func TestRotatedTokenInBackground(t *testing.T) {
	f, r := newFake(t)
	f.state, f.err = stateError, rotated
	f.save(saved{JoinInProgress: true})
	says(t, r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.8"))).Reasons, "cannot join: A valid join token", "rotated", "ros engine swarm token", "ros config apply")
	f.wasAsked("POST /swarm/leave force=1")
}

func TestJoinFails(t *testing.T) {
	for name, tc := range map[string]struct {
		down    bool
		message string
		words   []string
	}{
		"manager away":    {down: true, words: []string{"cannot join through 10.0.0.8:2377: connection refused", "port open"}},
		"another token":   {message: rotated, words: []string{"10.0.0.8:2377: A valid join token", "rotated", "ros engine swarm token", "ros config apply"}},
		"another swarm":   {message: "remote CA does not match fingerprint. Expected: x", words: []string{"ros engine swarm token"}},
		"in the distance": {message: "Timeout was reached before node joined. The attempt to join the swarm will continue in the background.", words: []string{"takes long"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.down["10.0.0.8:2377"] = tc.down
			f.refuse["POST /swarm/join"] = tc.message
			res := r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.8")))
			says(t, res.Reasons, tc.words...)
			if res.Again == 0 || strings.Contains(strings.Join(res.Reasons, ""), "SWMTKN-1") {
				t.Errorf("%+v", res)
			}
		})
	}
}

// Docker goes on with a join in the background; in the end it is given up for
// another manager. dockerd forgets the token when it restarts.
func TestJoinThatDoesNotEnd(t *testing.T) {
	f, r := newFake(t)
	m := f.machine(joinOf("10.0.0.8"))
	f.state = statePending
	f.save(saved{JoinInProgress: true})
	says(t, r.Reconcile(t.Context(), m).Reasons, "takes long")
	f.later(time.Minute)
	says(t, r.Reconcile(t.Context(), m).Reasons, "takes long")
	f.wasAsked()
	f.later(time.Minute)
	says(t, r.Reconcile(t.Context(), m).Reasons, "cannot join")
	f.wasAsked("POST /swarm/leave force=1")

	f.state, f.err = stateError, "rpc error: no token."
	f.save(saved{JoinInProgress: true})
	says(t, r.Reconcile(t.Context(), m).Reasons, "cannot join: rpc error: no token")
	f.wasAsked("POST /swarm/leave force=1")
	r.Reconcile(t.Context(), m)
	f.wasAsked("POST /swarm/join")
}

// The engine says where its state is: a change of its own file counts when it
// starts again.
func TestDirOfEngine(t *testing.T) {
	f, r := newFake(t)
	f.state, f.root = statePending, "/data"
	f.save(saved{})
	dir := filepath.Join(f.dir, "data/swarm")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "docker-state.json"), []byte(`{"JoinInProgress":true}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	says(t, r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.8"))).Reasons, "takes long")
}

// Sentences name managers as people do, and none where none is configured.
func TestJoinTakesLong(t *testing.T) {
	for want, swarm := range map[string]osconfig.Swarm{
		"swarm: joining through 10.0.0.8, 10.0.0.9 takes long; Docker continues to try": joinOf("10.0.0.8", "10.0.0.9"),
		"swarm: joining takes long; Docker continues to try":                            {Init: true},
	} {
		f, r := newFake(t)
		f.state = statePending
		f.save(saved{JoinInProgress: true})
		if res := r.Reconcile(t.Context(), f.machine(swarm)); len(res.Reasons) != 1 || res.Reasons[0] != want {
			t.Errorf("%q, want %q", res.Reasons, want)
		}
	}
}

// A member is never taken out because it fails.
func TestBrokenMember(t *testing.T) {
	f, r := newFake(t)
	f.state, f.err = stateError, "x509: certificate has expired."
	f.save(saved{})
	for range 3 {
		says(t, r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.8"))).Reasons, "x509: certificate has expired. If", "docker swarm leave --force")
		f.later(time.Hour)
	}
	f.wasAsked()
}

func TestLocked(t *testing.T) {
	f, r := newFake(t)
	f.state = stateLocked
	says(t, r.Reconcile(t.Context(), f.machine(osconfig.Swarm{Init: true})).Reasons, "ros engine swarm unlock", "ros engine swarm unlock-key")
}

// After a reboot a manager waits for the others.
func TestWaitsForOthers(t *testing.T) {
	f, r := newFake(t)
	f.state, f.id, f.remotes = statePending, "n1", []string{"10.0.0.2:2377", "10.0.0.3:2377"}
	f.save(saved{})
	f.down["10.0.0.3:2377"] = true
	if res := r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.2"))); len(res.Reasons) > 0 || res.Again == 0 {
		t.Errorf("at once: %+v", res)
	}
	f.later(time.Minute)
	says(t, r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.2"))).Reasons, "do not answer: 10.0.0.3:2377.", "--force-new-cluster")
	f.wasAsked()
}

// So does a worker, which joins again where its managers have moved to.
func TestWorkerAfterReboot(t *testing.T) {
	f, r := newFake(t)
	f.state, f.id, f.remotes = statePending, "n1", []string{"10.0.0.2:2377"}
	f.save(saved{})
	f.roots(testRoots)
	f.down["10.0.0.2:2377"] = true
	m := f.machine(joinOf("10.0.0.2", "10.0.0.3"))
	for _, unit := range []string{"swarm-manager", "swarm-worker"} {
		f.certificate(unit)
		for range 20 {
			if r.Reconcile(t.Context(), m); f.state == stateActive {
				break
			}
			f.later(20 * time.Second)
		}
		if unit == "swarm-manager" {
			f.wasAsked()
		}
	}
	f.wasAsked("POST /swarm/leave", "POST /swarm/join")
}

// Availability and labels are set where they differ; what others have set
// stays.
func TestKeepsNode(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	want := osconfig.Swarm{Init: true, Availability: "drain", Labels: map[string]string{"disk": "ssd"}}
	links := link("eth0", "10.0.0.1")
	if res := r.Reconcile(t.Context(), f.machine(want, links)); len(res.Reasons)+len(res.Notes) > 0 {
		t.Errorf("%+v", res)
	}
	if diff := cmp.Diff([]string{`POST /nodes/n1/update version=7 {"Availability":"drain","Labels":{"disk":"ssd","theirs":"1"},"Role":"manager"}`}, f.take()); diff != "" {
		t.Error(diff)
	}
	f.nodes[0]["Spec"] = map[string]any{"Role": "manager", "Availability": "drain", "Labels": want.Labels}
	r.Reconcile(t.Context(), f.machine(want, links))
	f.wasAsked()
	f.refuse["POST /nodes/n1/update"] = "update out of sequence"
	f.nodes[0]["Spec"] = map[string]any{"Role": "manager", "Availability": "active"}
	says(t, r.Reconcile(t.Context(), f.machine(want, links)).Reasons, "cannot set availability", "update out of sequence")
}

// A label that the configuration drops goes from the node, also after a reboot.
// One that somebody else has set, or has changed since, stays.
func TestDropsLabels(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	at := link("eth0", "10.0.0.1")
	want := osconfig.Swarm{Init: true, Labels: map[string]string{"disk": "ssd", "rack": "a", "zone": "1"}}
	node := func(labels map[string]string) {
		f.nodes[0]["Spec"] = map[string]any{"Role": "manager", "Availability": "active", "Labels": labels}
	}
	node(map[string]string{"theirs": "1", "zone": "1"})
	r.Reconcile(t.Context(), f.machine(want, at))
	f.wasAsked("POST /nodes/n1/update")
	node(map[string]string{"theirs": "1", "disk": "ssd", "rack": "b", "zone": "1"}) // somebody has moved it

	r = f.reconciler(r.Memory)
	want.Labels = map[string]string{"zone": "1"}
	f.refuse["POST /nodes/n1/update"] = "update out of sequence"
	says(t, r.Reconcile(t.Context(), f.machine(want, at)).Reasons, "update out of sequence")
	f.wasAsked("POST /nodes/n1/update")
	delete(f.refuse, "POST /nodes/n1/update")
	r.Reconcile(t.Context(), f.machine(want, at))
	if diff := cmp.Diff([]string{`POST /nodes/n1/update version=7 {"Availability":"active","Labels":{"rack":"b","theirs":"1","zone":"1"},"Role":"manager"}`}, f.take()); diff != "" {
		t.Error(diff)
	}
	node(map[string]string{"rack": "b", "theirs": "1", "zone": "1"})
	r.Reconcile(t.Context(), f.machine(want, at))
	f.wasAsked()
	want.Labels = nil
	r.Reconcile(t.Context(), f.machine(want, at))
	f.wasAsked(`POST /nodes/n1/update version=7 {"Availability":"active","Labels":{"rack":"b","theirs":"1"}`)
}

// Autolock is the leader's to set; the rest of the swarm's settings stays.
func TestAutolock(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	lock := true
	m := f.machine(osconfig.Swarm{Init: true, Autolock: &lock}, link("eth0", "10.0.0.1"))
	r.Reconcile(t.Context(), m)
	if diff := cmp.Diff([]string{`POST /swarm/update version=11 {"CAConfig":{"NodeCertExpiry":7776000000000000},"EncryptionConfig":{"AutoLockManagers":true},"Name":"default"}`}, f.take()); diff != "" {
		t.Error(diff)
	}
	f.lock = true
	r.Reconcile(t.Context(), m)
	f.wasAsked()
	f.lock, f.nodes[0]["ManagerStatus"] = false, map[string]any{"Leader": false, "Reachability": "reachable"}
	r.Reconcile(t.Context(), m)
	f.wasAsked()
}

func TestOthersAway(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.node("n2", "down", "unreachable", false)
	f.node("n3", "ready", "reachable", false)
	f.node("n4", "down", "", false)
	res := r.Reconcile(t.Context(), f.machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1")))
	if len(res.Reasons) > 0 || len(res.Notes) != 2 {
		t.Fatalf("%+v", res)
	}
	says(t, res.Notes[:1], "manager host-n2", "2 of 3 managers answer, and 2 are needed", "docker node demote n2")
	says(t, res.Notes[1:], "node host-n4 (10.0.0.4) is down", "docker node rm n4")
}

func TestNoMajority(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.nodes, f.remotes = nil, []string{"10.0.0.2:2377"}
	says(t, r.Reconcile(t.Context(), f.machine(osconfig.Swarm{Init: true})).Reasons, "no majority", "10.0.0.2:2377", "--force-new-cluster")
}

// A worker whose managers have moved joins again where the configuration knows
// another address that answers, and not before long.
func TestManagersMoved(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	f.remotes = []string{"10.0.0.2:2377"}
	m := f.machine(joinOf("manager.lan"), link("eth0", "10.0.0.1"))
	if res := r.Reconcile(t.Context(), m); len(res.Reasons) > 0 {
		t.Errorf("%+v", res)
	}
	f.down["10.0.0.2:2377"], f.connected = true, true
	for range 2 { // what is connected needs no new connection
		if res := r.Reconcile(t.Context(), m); len(res.Reasons) > 0 {
			t.Errorf("%+v", res)
		}
		f.later(time.Minute)
	}
	f.connected = false
	r.Reconcile(t.Context(), m)
	f.later(time.Minute)
	says(t, r.Reconcile(t.Context(), m).Reasons, "none of its managers answers at 10.0.0.2:2377")
	f.wasAsked()
	f.down["manager.lan:2377"] = true
	f.later(2 * time.Minute)
	r.Reconcile(t.Context(), m)
	f.wasAsked()
	f.down["manager.lan:2377"] = false
	res := r.Reconcile(t.Context(), m)
	says(t, res.Notes, "managers have moved", "manager.lan:2377")
	f.wasAsked("POST /swarm/leave")
	r.Reconcile(t.Context(), m)
	f.wasAsked("POST /swarm/join")
}

// A worker leaves its swarm only for a manager of the same one: a name may lead
// anywhere, and the token may be another swarm's.
func TestManagersMovedToStrangers(t *testing.T) {
	for name, tc := range map[string]struct {
		roots, token string
		stranger     bool
		words        []string
	}{
		"something else answers":     {testRoots, tokenFor(testRoots), true, []string{"manager.lan:2377 is not a manager of this machine's swarm", "unknown authority"}},
		"a token of another swarm":   {testRoots, tokenFor("other"), false, []string{"rancher.docker.swarm.join.token is of another swarm", "ros engine swarm token"}},
		"a token of nothing":         {testRoots, "SWMTKN-1", false, []string{"rancher.docker.swarm.join.token is of another swarm"}},
		"no certificate of its own":  {"", tokenFor(""), false, []string{"certificate signed by unknown authority"}},
		"its certificate is a chain": {testRoots + "more", tokenFor(testRoots + "more"), false, []string{"unknown authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(false)
			f.roots(tc.roots)
			f.remotes = []string{"10.0.0.2:2377"}
			f.down["10.0.0.2:2377"], f.strangers["manager.lan:2377"] = true, tc.stranger
			want := joinOf("manager.lan")
			want.Join.Token = tc.token
			var res Result
			for range 4 {
				res = r.Reconcile(t.Context(), f.machine(want, link("eth0", "10.0.0.1")))
				f.later(time.Minute)
			}
			if len(res.Reasons) != 2 {
				t.Fatalf("%q", res.Reasons)
			}
			says(t, res.Reasons[1:], append(tc.words, "does not leave to join again")...)
			f.wasAsked()
			// The same for a worker whose own address has changed.
			f, r = newFake(t)
			f.member(false)
			f.roots(tc.roots)
			f.save(saved{AdvertiseAddr: "10.0.0.1:2377"})
			f.strangers["manager.lan:2377"] = tc.stranger
			want.AdvertiseAddr = "eth0"
			says(t, moved(t, f, r, f.machine(want, link("eth0", "10.0.0.7"))).Reasons, append(tc.words, "does not leave to join again")...)
			f.wasAsked()
		})
	}
}

func TestEngineAway(t *testing.T) {
	r := New(filepath.Join(t.TempDir(), "none"), beneath.Place{})
	if res := r.Reconcile(t.Context(), Machine{Want: osconfig.Swarm{Init: true}}); len(res.Reasons) > 0 || res.Again == 0 {
		t.Errorf("%+v", res)
	}
	if costs := r.Costs(t.Context()); len(costs) != 1 {
		t.Errorf("costs %q", costs)
	}
}

func TestCosts(t *testing.T) {
	for name, tc := range map[string]struct {
		set   func(f *fake)
		words []string // nil: nothing
	}{
		"in none": {set: func(*fake) {}},
		"joining": {set: func(f *fake) { f.state = statePending; f.save(saved{JoinInProgress: true}) }, words: []string{"is joining"}},
		"locked":  {set: func(f *fake) { f.state = stateLocked }, words: []string{"locked"}},
		"failed":  {set: func(f *fake) { f.state = stateError }, words: []string{"does not run on it now"}},
		"worker":  {set: func(f *fake) { f.member(false) }, words: []string{"is a worker", "on other machines"}},
		"alone":   {set: func(f *fake) { f.member(true) }, words: []string{"the only one", "the swarm ends"}},
		"last manager": {set: func(f *fake) { f.member(true); f.node("n2", "ready", "", false) },
			words: []string{"last manager", "swarm of 2 machines ends"}},
		"of three": {set: func(f *fake) {
			f.member(true)
			f.node("n2", "ready", "reachable", false)
			f.node("n3", "ready", "reachable", false)
		}, words: []string{"becomes a worker", "2 managers are left", "loss of 0 more"}},
		"of three, one away": {set: func(f *fake) {
			f.member(true)
			f.node("n2", "ready", "reachable", false)
			f.node("n3", "down", "unreachable", false)
		}, words: []string{"of the 2 others only 1 answer", "no majority"}},
		"no leader": {set: func(f *fake) { f.member(true); f.nodes = nil }, words: []string{"no majority"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			tc.set(f)
			costs := r.Costs(t.Context())
			if tc.words == nil {
				if len(costs) > 0 {
					t.Errorf("costs %q", costs)
				}
				return
			}
			says(t, costs, tc.words...)
			f.wasAsked()
		})
	}
}

// A manager among others becomes a worker before it leaves; the state is
// copied first.
func TestLeave(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "of two": 1} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(true)
			for range others {
				f.node("n2", "ready", "reachable", false)
			}
			if err := os.MkdirAll(filepath.Join(f.dir, "raft/wal"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(f.dir, "raft/wal/1.wal"), []byte("log"), 0o600); err != nil {
				t.Fatal(err)
			}
			place, err := r.Leave(t.Context(), filepath.Join(t.TempDir(), "backups"))
			if err != nil || filepath.Base(place) != "2001-09-09T01-46-40Z" {
				t.Fatalf("%s, %v", place, err)
			}
			text, err := os.ReadFile(filepath.Join(place, "raft/wal/1.wal"))
			if err != nil || string(text) != "log" {
				t.Errorf("copy %q, %v", text, err)
			}
			if others > 0 {
				f.wasAsked(`POST /nodes/n1/update version=7 {"Availability":"active","Labels":{"theirs":"1"},"Role":"worker"}`, "POST /swarm/leave force=1")
			} else {
				f.wasAsked("POST /swarm/leave force=1")
			}
			if place, err := r.Leave(t.Context(), t.TempDir()); place != "" || err != nil {
				t.Errorf("again: %s, %v", place, err)
			}
		})
	}
}

// Containers can write to dockerd's directory: what they leave there neither
// blocks the reconciler nor leads the copy elsewhere.
func TestHostileState(t *testing.T) {
	f, r := newFake(t)
	f.state = statePending
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(
		os.WriteFile(secret, []byte("secret"), 0o600),
		os.MkdirAll(filepath.Join(f.dir, "certificates"), 0o700),
		unix.Mkfifo(filepath.Join(f.dir, "docker-state.json"), 0o600),
		unix.Mkfifo(filepath.Join(f.dir, "certificates/swarm-node.crt"), 0o600),
		os.Symlink(secret, filepath.Join(f.dir, "link")),
		os.Symlink(filepath.Dir(secret), filepath.Join(f.dir, "raft")),
	); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if res := r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.8"))); res.Again == 0 {
			t.Errorf("%+v", res)
		}
		f.later(time.Minute)
	}
	f.state = stateActive
	place, err := r.Leave(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(place)
	if err != nil || len(entries) != 1 || entries[0].Name() != "certificates" {
		t.Errorf("copied %v, %v", entries, err)
	}
}

// Without a copy nobody leaves.
func TestLeaveWithoutCopy(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Leave(t.Context(), inTheWay); err == nil {
		t.Error("no error")
	}
	f.wasAsked()
}

func TestTokens(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	token, remote, err := r.Token(t.Context(), "worker", false)
	if token != "SWMTKN-w" || remote != "10.0.0.1:2377" || err != nil {
		t.Errorf("%s, %s, %v", token, remote, err)
	}
	f.wasAsked()
	if token, _, err = r.Token(t.Context(), "manager", true); token != "SWMTKN-m" || err != nil {
		t.Errorf("%s, %v", token, err)
	}
	f.wasAsked("POST /swarm/update version=11&rotateManagerToken=1 {")
	f.refuse["GET /swarm"] = "This node is not a swarm manager."
	if _, _, err := r.Token(t.Context(), "worker", false); err == nil || err.Error() != "This node is not a swarm manager" {
		t.Error(err)
	}
}

func TestLook(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.node("n2", "down", "unreachable", false)
	f.lock, f.key = true, "SWMKEY-1"
	got, err := r.Look(t.Context())
	lock := true
	want := Report{
		State: stateActive, Role: "manager", NodeID: "n1", Address: "10.0.0.1", Leader: true, Autolock: &lock, Reachable: 1, Voters: 2,
		Nodes: []Node{
			{ID: "n1", Name: "host-n1", Role: "manager", State: "ready", Availability: "active", Address: "10.0.0.1", Leader: true, Reachable: true, Self: true, Labels: map[string]string{"theirs": "1"}},
			{ID: "n2", Name: "host-n2", Role: "manager", State: "down", Availability: "active", Address: "10.0.0.2", Labels: map[string]string{"theirs": "1"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if key, err := r.UnlockKey(t.Context()); key != "SWMKEY-1" || err != nil {
		t.Errorf("%s, %v", key, err)
	}
	f.nodes = nil
	if got, err = r.Look(t.Context()); err != nil || !strings.Contains(got.Error, "does not have a leader") {
		t.Errorf("%+v, %v", got, err)
	}
}
