package vmtest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/system/control/api"
)

// soaker is three machines that are ended and started again while a swarm of
// theirs goes on.
type soaker struct {
	lab      lab
	labs     map[int]lab
	specs    map[int]Spec
	machines map[int]*guest
}

// add boots a machine for the first time.
func (s *soaker) add(t *testing.T, m swarmMachine) *guest {
	t.Helper()
	s.labs[m.n], s.specs[m.n] = m.prepare(t, s.lab)
	s.launch(t, m.n)
	return s.machines[m.n]
}

// launch starts a machine, for the first time or again, with its disks as they
// were left.
func (s *soaker) launch(t *testing.T, n int) {
	t.Helper()
	s.machines[n] = s.labs[n].launch(t, s.specs[n])
	s.machines[n].booted(t)
}

// leader is the number of the machine that leads, as machine n says.
func (s *soaker) leader(t *testing.T, n int) int {
	t.Helper()
	for _, node := range s.machines[n].swarm(t).Nodes {
		if node.Leader {
			for k := range s.machines {
				if node.Name == fmt.Sprintf("node%d", k) {
					return k
				}
			}
		}
	}
	t.Fatalf("machine %d knows no leader", n)
	return 0
}

// runs waits until the stack runs as asked for and the mesh answers at the
// addresses; machine n, a manager, is asked.
func (s *soaker) runs(t *testing.T, n, machines int, addresses ...string) {
	t.Helper()
	s.machines[n].readyNodes(t, swarmDeadline, machines)
	// Docker counts what ran on a machine that is away as running.
	s.machines[n].replicas(t, 2*swarmDeadline, map[string]string{"app_web": "[23]/2", "app_agent": fmt.Sprintf("[%d-3]/%d", machines, machines)})
	meshServes(t, swarmDeadline, 2, " one", addresses...)
}

// TestSoakSwarm keeps a swarm of three machines through what happens to
// machines: a worker behind a firewall is powered off, a leader is killed, an
// address changes, all reboot at once.
func TestSoakSwarm(t *testing.T) {
	if !netconftest.InNamespaceFor(t, 80*time.Minute) {
		return
	}
	ip(t, "link set lo up")
	l := newLab(t)
	release, err := Slots(t.Context(), filepath.Dir(l.dir), MaxMachines) // three machines of one CPU each take all there is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	bridge(t, "lan", []string{"10.80.0.1/24"}, "lan1", "lan2", "lan3")
	lease := func(address string) []string {
		return []string{"--dhcp-range=10.80.0.0,static,255.255.255.0,2m", "--dhcp-host=" + cardMAC(3) + "," + address}
	}
	server := l.dnsmasq(t, "lan", "first", lease(swarmNet(3))...)

	s := &soaker{lab: l, labs: map[int]lab{}, specs: map[int]Spec{}, machines: map[int]*guest{}}
	first := s.add(t, swarmMachine{n: 1, docker: "    swarm: {init: true, advertise_addr: lan0}\n"})
	first.inSwarm(t, stepDeadline, active("manager"))
	s.add(t, swarmMachine{n: 2, docker: first.joins(t, "manager", "      advertise_addr: lan0\n")})
	s.add(t, swarmMachine{n: 3, leased: true, rest: swarmPorts, docker: first.joins(t, "worker", "")})
	first.readyNodes(t, swarmDeadline, 3)
	s.machines[2].inSwarm(t, stepDeadline, active("manager"))
	s.machines[3].inSwarm(t, stepDeadline, active("worker"))
	for _, g := range s.machines {
		g.loadPayload(t)
	}
	first.deploy(t, 3)
	s.runs(t, 1, 3, swarmNet(1), swarmNet(2), swarmNet(3))

	// Each step needs the swarm as the one before has left it. They are no
	// subtests: a machine ends with the test that has started it.
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"worker off and on", s.testOff},
		{"leader killed", s.testLeader},
		{"another address", func(t *testing.T) {
			server.stop()
			const other = "10.80.0.63"
			l.dnsmasq(t, "lan", "second", lease(other)...)
			s.testMoved(t, other)
		}},
		{"all reboot", s.testReboot},
	} {
		began := time.Now()
		step.run(t)
		t.Logf("%s: %.0f s", step.name, time.Since(began).Seconds())
	}
}

// testOff: what ran on a worker that is away runs elsewhere where it can, and
// the managers say what is away.
func (s *soaker) testOff(t *testing.T) {
	if err := s.machines[3].Kill(); err != nil {
		t.Fatal(err)
	}
	first := s.machines[1]
	first.readyNodes(t, swarmDeadline, 2)
	first.eventuallyPrints(t, stepDeadline, "ros status", "node3")
	s.runs(t, 1, 2, swarmNet(1), swarmNet(2))
	s.launch(t, 3)
	s.machines[3].inSwarm(t, swarmDeadline, active("worker"))
	s.runs(t, 1, 3, swarmNet(1), swarmNet(3))
}

// testLeader: with three managers the loss of the one that leads is no loss.
func (s *soaker) testLeader(t *testing.T) {
	s.machines[1].run(t, "docker node promote node3")
	s.machines[3].inSwarm(t, swarmDeadline, active("manager"))
	lost := s.leader(t, 1)
	if err := s.machines[lost].Kill(); err != nil {
		t.Fatal(err)
	}
	left := 3
	if lost == 3 {
		left = 1
	}
	g := s.machines[left]
	g.inSwarm(t, swarmDeadline, func(w api.Swarm) bool {
		return w.Quorum == (api.SwarmQuorum{Managers: 3, Reachable: 2, Needed: 2}) &&
			slices.ContainsFunc(w.Notes, func(n string) bool { return strings.Contains(n, fmt.Sprintf("manager node%d", lost)) })
	})
	if now := s.leader(t, left); now == lost {
		t.Errorf("machine %d is dead and leads", lost)
	}
	s.runs(t, left, 2, swarmNet(left))
	s.launch(t, lost)
	s.machines[lost].inSwarm(t, swarmDeadline, active("manager"))
	s.machines[1].run(t, "docker node demote node3")
	s.machines[3].inSwarm(t, swarmDeadline, active("worker"))
	s.runs(t, 1, 3, swarmNet(1), swarmNet(2), swarmNet(3))
}

// testMoved: a worker whose address DHCP has changed is known by the new one.
func (s *soaker) testMoved(t *testing.T, address string) {
	g := s.machines[3]
	g.eventually(t, swarmDeadline, "ros network renew lan0 >/dev/null; ip -4 -o address show lan0", func(r Result) bool {
		return strings.Contains(r.Stdout, address+"/24")
	})
	g.inSwarm(t, swarmDeadline, func(w api.Swarm) bool { return w.Address == address && active("worker")(w) })
	s.machines[1].inSwarm(t, swarmDeadline, func(w api.Swarm) bool {
		return slices.ContainsFunc(w.Nodes, func(n api.SwarmNode) bool { return n.Name == "node3" && n.State == "ready" && n.Address == address })
	})
	s.runs(t, 1, 3, swarmNet(1), address)
}

// testReboot: a swarm whose machines all start at once finds itself again.
func (s *soaker) testReboot(t *testing.T) {
	marks := map[int]int{}
	for n, g := range s.machines {
		marks[n] = len(g.Console.Text())
		g.run(t, "sudo reboot")
	}
	for n, g := range s.machines {
		g.milestone(t, marks[n], "ssh")
		g.login(t)
		g.ready(t, 2*bootDeadline)
	}
	s.machines[1].inSwarm(t, swarmDeadline, active("manager"))
	s.machines[3].inSwarm(t, swarmDeadline, active("worker"))
	s.runs(t, 1, 3, swarmNet(1), swarmNet(2), "10.80.0.63")
}
