package swarm

import (
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

// dockerd finds the address of a worker that was told none when it starts.
func TestWorkerMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	m := machine(joinOf("10.0.0.9"), link("eth0", "10.0.0.7"), link("docker0", "172.17.0.1"))
	res := moved(t, f, r, m)
	if res.Restart == "" || len(res.Reasons) > 0 {
		t.Errorf("%+v", res)
	}
	f.wasAsked()
	// It has not helped: it joins anew.
	res = moved(t, f, r, m)
	says(t, res.Notes, "joins anew", "docker node rm n1")
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
	res := moved(t, f, r, machine(want, link("eth0", "10.0.0.1"), link("eth1", "10.0.0.7")))
	says(t, res.Notes, "joins anew")
	f.wasAsked("POST /swarm/leave")
}

func TestDataPathMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(false)
	f.save(saved{DataPathAddr: "10.9.0.1"})
	want := joinOf("10.0.0.9")
	want.DataPathAddr = "eth1"
	res := moved(t, f, r, machine(want, link("eth0", "10.0.0.1"), link("eth1", "10.9.0.7")))
	says(t, res.Notes, "joins anew")
	f.wasAsked("POST /swarm/leave")
}

func TestOnlyManagerMoves(t *testing.T) {
	for name, tc := range map[string]struct{ advertise, want string }{
		"as Docker chose": {"", `"AdvertiseAddr":"10.0.0.7"`},
		"link":            {"eth0", `"AdvertiseAddr":"eth0"`},
		"address":         {"10.0.0.7", `"AdvertiseAddr":"10.0.0.7"`},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(true)
			f.node("n2", "ready", "", false)
			f.save(saved{AdvertiseAddr: "10.0.0.1:2377"})
			res := moved(t, f, r, machine(osconfig.Swarm{Init: true, AdvertiseAddr: tc.advertise}, link("eth0", "10.0.0.7", "fd00::7")))
			says(t, res.Notes, "has moved from 10.0.0.1 to 10.0.0.7")
			f.wasAsked(`POST /swarm/init  {"ListenAddr":"0.0.0.0:2377",` + tc.want + `,"DataPathAddr":"","ForceNewCluster":true`)
		})
	}
}

// A manager among several is its admin's to move.
func TestManagerOfSeveralMoves(t *testing.T) {
	f, r := newFake(t)
	f.member(true)
	f.node("n2", "ready", "reachable", false)
	f.node("n3", "ready", "reachable", false)
	res := moved(t, f, r, machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.7")))
	says(t, res.Reasons, "by 10.0.0.1, which it has no more", "docker node demote n1", "docker swarm leave")
	f.wasAsked()
}

// What is no change: an address that is there, one of a router in front, a
// pulled cable, and one that comes back in time.
func TestStays(t *testing.T) {
	for name, m := range map[string]Machine{
		"among others": machine(osconfig.Swarm{Init: true}, link("eth0", "10.0.0.5", "10.0.0.1")),
		"on its link":  machine(osconfig.Swarm{Init: true, AdvertiseAddr: "eth1"}, link("eth0", "10.9.0.1"), link("eth1", "10.0.0.1")),
		"of a router":  machine(osconfig.Swarm{Init: true, AdvertiseAddr: "10.0.0.1"}, link("eth0", "192.168.0.5")),
		"pulled cable": machine(osconfig.Swarm{Init: true}, link("docker0", "172.17.0.1"), link("docker_gwbridge", "172.18.0.1")),
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			f.member(true)
			for range 3 {
				if res := r.Reconcile(t.Context(), m); len(res.Reasons)+len(res.Notes) > 0 || res.Restart != "" {
					t.Errorf("%+v", res)
				}
				f.later(time.Minute)
			}
			f.wasAsked()
		})
	}
	f, r := newFake(t)
	f.member(false)
	away, back := machine(joinOf("10.0.0.9"), link("eth0", "10.0.0.7")), machine(joinOf("10.0.0.9"), link("eth0", "10.0.0.1"))
	for range 3 {
		for _, m := range []Machine{away, back} {
			if res := r.Reconcile(t.Context(), m); len(res.Reasons) > 0 || res.Restart != "" {
				t.Errorf("%+v", res)
			}
			f.later(20 * time.Second)
		}
	}
	f.wasAsked()
}
