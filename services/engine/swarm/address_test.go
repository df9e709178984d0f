package swarm

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// moved looks twice, as long apart as it takes to believe in a new address.
func moved(t *testing.T, f *fake, r *Reconciler, m Machine) Result {
	t.Helper()
	if res := r.Reconcile(t.Context(), m); len(res.Reasons) > 0 || res.Restart != "" || res.Again != firstRetry {
		t.Errorf("at once: %+v", res)
	}
	f.wasAsked()
	f.later(time.Minute)
	return r.Reconcile(t.Context(), m)
}

// was has a look at the machine when a link has the address in use.
func (f *fake) was(r *Reconciler, want osconfig.Swarm, links ...Link) {
	f.t.Helper()
	if res := r.Reconcile(f.t.Context(), f.machine(want, links...)); len(res.Reasons)+len(res.Notes) > 0 || res.Restart != "" {
		f.t.Errorf("before: %+v", res)
	}
	f.wasAsked()
}

// dockerd finds the address of a worker that was told none when it starts.
func TestWorkerMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	want := joinOf("10.0.0.9")
	f.was(r, want, link("eth0", "10.0.0.1"))
	m := f.machine(want, link("eth0", "10.0.0.7"), foreign("docker0", "172.17.0.1"))
	res := moved(t, f, r, m)
	if !strings.Contains(res.Restart, "from 10.0.0.1 to 10.0.0.7") || len(res.Reasons) > 0 {
		t.Errorf("%+v", res)
	}
	f.wasAsked()
	// It has not helped: it joins again.
	res = moved(t, f, r, m)
	says(t, res.Notes, "joins again", "docker node rm n1")
	f.wasAsked("POST /swarm/leave")
	r.Reconcile(t.Context(), m)
	f.wasAsked("POST /swarm/join")
}

func TestPinnedWorkerMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	f.save(saved{AdvertiseAddr: "10.0.0.1:2377"})
	want := joinOf("10.0.0.9")
	want.AdvertiseAddr = "eth1"
	// eth0 has the old address now: another link's does not count.
	res := moved(t, f, r, f.machine(want, link("eth0", "10.0.0.1"), link("eth1", "10.0.0.7")))
	says(t, res.Notes, "joins again")
	f.wasAsked("POST /swarm/leave")
}

// A worker does not leave when it could not join again: its token was rotated away.
func TestRotatedTokenDoesNotMove(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	f.connected, f.rotated = true, true
	f.save(saved{AdvertiseAddr: "10.0.0.1:2377"})
	want := joinOf("10.0.0.9")
	want.AdvertiseAddr = "eth0"
	res := moved(t, f, r, f.machine(want, link("eth0", "10.0.0.7")))
	says(t, res.Reasons, "does not leave to join again", "10.0.0.9:2377", "rotated", "ros engine swarm token", "ros config apply")
	f.wasAsked()

	f, r = newFake(t)
	f.member(false)
	f.rotated, f.remotes, f.down["10.0.0.2:2377"] = true, []string{"10.0.0.2:2377"}, true
	m := f.machine(joinOf("10.0.0.9"), link("eth0", "10.0.0.1"))
	for range 3 {
		res = r.Reconcile(t.Context(), m)
		f.later(lostAfter)
	}
	if len(res.Reasons) != 2 || !strings.Contains(res.Reasons[1], "rotated") {
		t.Errorf("%q", res.Reasons)
	}
	f.wasAsked()
}

func TestDataPathMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	f.save(saved{DataPathAddr: "10.9.0.1"})
	want := joinOf("10.0.0.9")
	want.DataPathAddr = "eth1"
	res := moved(t, f, r, f.machine(want, link("eth0", "10.0.0.1"), link("eth1", "10.9.0.7")))
	says(t, res.Notes, "joins again")
	f.wasAsked("POST /swarm/leave")
}

func TestOnlyManagerMoves(t *testing.T) {
	for name, tc := range map[string]struct{ link, advertise, want string }{
		"as Docker chose":      {"eth0", "", `"AdvertiseAddr":"10.0.0.7"`},
		"link":                 {"eth0", "eth0", `"AdvertiseAddr":"eth0"`},
		"address":              {"eth0", "10.0.0.7", `"AdvertiseAddr":"10.0.0.7"`},
		"bridge of the user's": {"br-lan", "", `"AdvertiseAddr":"10.0.0.7"`},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(true)
			f.node("n2", "ready", "", false)
			f.save(saved{AdvertiseAddr: "10.0.0.1:2377"})
			want := osconfig.Swarm{Init: true}
			f.was(r, want, link(tc.link, "10.0.0.1"))
			want.AdvertiseAddr = tc.advertise
			res := moved(t, f, r, f.machine(want, link(tc.link, "fd00::7", "10.0.0.7"), link("eth9", "10.9.0.1")))
			says(t, res.Notes, "has moved from 10.0.0.1 to 10.0.0.7")
			f.wasAsked(`POST /swarm/init  {"ListenAddr":"0.0.0.0:2377",` + tc.want + `,"DataPathAddr":"","ForceNewCluster":true`)
		})
	}
}

// Which link had the address outlasts a restart of the manager and a reboot.
func TestMovesAfterReboot(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.was(r, osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1"), link("eth1", "10.9.0.1"))
	next := f.reconciler(r.Memory)
	m := f.machine(osconfig.Swarm{Init: true}, link("eth0"), link("eth1", "10.9.0.1"))
	says(t, moved(t, f, next, m).Reasons, "does not have any more", "the link eth0 has no other address", "rancher.docker.swarm.advertise_addr")
	f.wasAsked()
	m = f.machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.7"), link("eth1", "10.9.0.1"))
	says(t, next.Reconcile(t.Context(), m).Notes, "has moved from 10.0.0.1 to 10.0.0.7")
	f.wasAsked(`POST /swarm/init`)
}

// A manager among several is its admin's to move.
func TestManagerOfSeveralMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.node("n2", "ready", "reachable", false)
	f.node("n3", "ready", "reachable", false)
	f.was(r, osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1"))
	res := moved(t, f, r, f.machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.7")))
	says(t, res.Reasons, "by 10.0.0.1, which it does not have any more", "docker node demote n1", "docker swarm leave")
	f.wasAsked()
}

// What is no change: an address that is there, on whatever link, one of a
// router in front, a pulled cable, and one that comes back in time.
func TestStays(t *testing.T) {
	for name, tc := range map[string]struct {
		want  osconfig.Swarm
		links []Link
	}{
		"among others":    {osconfig.Swarm{Init: true}, []Link{link("eth0", "10.0.0.5", "10.0.0.1")}},
		"on its link":     {osconfig.Swarm{Init: true, AdvertiseAddr: "eth1"}, []Link{link("eth0", "10.9.0.1"), link("eth1", "10.0.0.1")}},
		"of a router":     {osconfig.Swarm{Init: true, AdvertiseAddr: "10.0.0.1"}, []Link{link("eth0", "192.168.0.5")}},
		"pulled cable":    {osconfig.Swarm{Init: true}, []Link{link("eth0"), foreign("docker0", "172.17.0.1"), foreign("web0", "172.20.0.1")}},
		"made by hand":    {osconfig.Swarm{Init: true}, []Link{link("eth0", "10.9.0.1"), foreign("wg0", "10.0.0.1")}},
		"link without it": {osconfig.Swarm{Init: true, AdvertiseAddr: "eth1"}, []Link{link("eth1"), foreign("docker0", "172.17.0.1")}},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(true)
			for range 3 {
				if res := r.Reconcile(t.Context(), f.machine(tc.want, tc.links...)); len(res.Reasons)+len(res.Notes) > 0 || res.Restart != "" {
					t.Errorf("%+v", res)
				}
				f.later(time.Minute)
			}
			f.wasAsked()
		})
	}
	f, r := newFake(t)
	f.member(false)
	for range 3 {
		for _, address := range []string{"10.0.0.1", "10.0.0.7"} {
			if res := r.Reconcile(t.Context(), f.machine(joinOf("10.0.0.9"), link("eth0", address))); len(res.Reasons) > 0 || res.Restart != "" {
				t.Errorf("%+v", res)
			}
			f.later(10 * time.Second)
		}
	}
	f.wasAsked()
}

// A swarm is never taken to a link that has not had its address: not to one of
// the engine's networks, not to another card, not to another family. It is
// said what to do.
func TestNotToAnotherLink(t *testing.T) {
	for name, tc := range map[string]struct {
		before []Link
		now    []Link
		words  string
	}{
		"a bridge of the engine's": {[]Link{link("eth0", "10.0.0.1")}, []Link{link("eth0", "fd00::1"), foreign("web0", "172.20.0.1")}, "the link eth0 has no other address of its kind"},
		"another card":             {[]Link{link("eth0", "10.0.0.1")}, []Link{link("eth0"), link("eth1", "10.0.0.7")}, "the link eth0 has no other address of its kind"},
		"a tunnel has gone":        {[]Link{link("eth0", "10.9.0.1"), foreign("wg0", "10.0.0.1")}, []Link{link("eth0", "10.9.0.1")}, "the link wg0 has no other address of its kind"},
		"never here":               {nil, []Link{link("eth0", "10.9.0.1")}, "no link of this machine has had it"},
	} {
		for _, manager := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				f, r := newFake(t)
				f.member(manager)
				want := joinOf("10.0.0.9")
				if tc.before != nil {
					f.was(r, want, tc.before...)
				}
				res := moved(t, f, r, f.machine(want, tc.now...))
				says(t, res.Reasons, "by 10.0.0.1, which it does not have any more", tc.words, "set rancher.docker.swarm.advertise_addr")
				if f.wasAsked(); res.Restart != "" || res.Again != firstRetry {
					t.Errorf("%+v", res)
				}
			})
		}
	}
}

func TestAddressesUnknown(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	r.Whose = func(netip.Addr) (string, error) { return "", errors.New("no netlink") }
	says(t, r.Reconcile(t.Context(), f.machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.7"))).Reasons, "look for the address 10.0.0.1", "no netlink")
	f.wasAsked()
}

// A memory that cannot be read is an empty one, and one that cannot be written
// is said.
func TestMemory(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.root = "/data/docker"
	if err := os.WriteFile(r.Memory, []byte(`{"node": "n1", "li`), 0o600); err != nil {
		t.Fatal(err)
	}
	if root := RememberedRoot(r.Memory); root != "" {
		t.Errorf("data root %q", root)
	}
	f.was(r, osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1"))
	text, err := os.ReadFile(r.Memory)
	if want := `{"root":"/data/docker","node":"n1","links":{"10.0.0.1":"eth0"},"labels":null}` + "\n"; string(text) != want || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	// Who removes it gets another one: the machine is in the swarm.
	if err := os.Remove(r.Memory); err != nil {
		t.Fatal(err)
	}
	f.was(r, osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1"))
	if root := RememberedRoot(r.Memory); root != f.root {
		t.Errorf("data root %q", root)
	}
	r = f.reconciler("/proc/none/memory.json")
	m := f.machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1"))
	for range 2 {
		says(t, r.Reconcile(t.Context(), m).Notes, "cannot write down", "/proc/none")
	}
}

// Of another node nothing is remembered.
func TestMemoryOfAnotherNode(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.was(r, osconfig.Swarm{Init: true}, link("eth0", "10.0.0.1"))
	f.id, f.nodes = "n2", nil
	f.node("n2", "ready", "reachable", true)
	says(t, moved(t, f, r, f.machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.7"))).Reasons, "no link of this machine has had it")
	f.wasAsked()
}

func TestWhose(t *testing.T) {
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var loopback string
	for _, l := range links {
		if l.Flags&net.FlagLoopback != 0 && l.Flags&net.FlagUp != 0 {
			loopback = l.Name
		}
	}
	for address, want := range map[string]string{"127.0.0.1": loopback, "192.0.2.77": ""} {
		if name, err := whose(netip.MustParseAddr(address)); name != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", address, name, err, want)
		}
	}
}
