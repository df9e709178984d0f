package vmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// swarmDeadline bounds what a swarm does by itself: it schedules and starts
// containers, a second of both CPUs each under emulation, and notices by
// heartbeats of seconds what is away.
const swarmDeadline = 4 * time.Minute

// swarmNet is the network that the machines share; the test has .1 in it.
func swarmNet(n int) string { return fmt.Sprintf("10.80.0.%d", 10+n) }

// swarmPorts are what the docs say a swarm needs, for a policy of drop. ESP,
// of encrypted networks, has no ports.
const swarmPorts = `
    firewall:
      policy: drop
      allow:
        - {ports: [22], from: [10.0.2.0/24]}
        - {ports: [2377, 7946], from: [10.80.0.0/24]}
        - {protocol: udp, ports: [4789, 7946], from: [10.80.0.0/24]}
        - {protocol: any, from: [10.80.0.0/28]}
`

// swarmMachine is a machine of a swarm, from its cloud-config alone.
type swarmMachine struct {
	n      int    // it has a card on the tap lanN and the name nodeN
	leased bool   // by DHCP, instead of swarmNet(n)
	rest   string // what stands below rancher.network besides
	docker string // what stands below rancher.docker
}

// prepare makes the machine's files, and a state disk that it keeps.
func (s swarmMachine) prepare(t *testing.T, l lab) (lab, Spec) {
	t.Helper()
	own := l
	own.dir = fmt.Sprintf("%s-%d", l.dir, s.n) // beside the other: their folder has the places of machines
	if err := os.RemoveAll(own.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(own.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	address := "address: " + swarmNet(s.n) + "/24"
	if s.leased {
		address = "dhcp: true"
	}
	interfaces := fmt.Sprintf("      lan0: {match: \"mac=%s\", set_name: lan0, %s}\n  docker:\n%s", cardMAC(s.n), address, s.docker)
	spec := own.networked(t, interfaces, strings.TrimPrefix(s.rest, "\n"), Card{Tap: fmt.Sprintf("lan%d", s.n), MAC: cardMAC(s.n)})
	spec.Append += fmt.Sprintf(" cc.hostname=node%d", s.n)
	spec.Memory, spec.CPUs = 1024, 1
	spec.Disks = append(spec.Disks, Disk{Path: own.stateDisk(t, "state.img")})
	return own, spec
}

// boot starts it in a place of its own and waits until it is ready.
func (s swarmMachine) boot(t *testing.T, l lab) *guest {
	t.Helper()
	own, spec := s.prepare(t, l)
	g := own.start(t, spec, false)
	g.booted(t)
	return g
}

// booted logs in and waits until the machine is ready. One CPU beside another
// machine's takes its time.
func (g *guest) booted(t *testing.T) {
	t.Helper()
	ctx, cancel := Within(t.Context(), 2*bootDeadline, "milestone ssh")
	defer cancel()
	if _, err := g.WaitMilestone(ctx, 0, "ssh"); err != nil {
		t.Fatal(err)
	}
	g.login(t)
	g.ready(t, 2*bootDeadline)
}

// swarm asks `ros engine swarm status --json`.
func (g *guest) swarm(t *testing.T) api.Swarm {
	t.Helper()
	r := g.try(t, "ros engine swarm status --json")
	var s api.Swarm
	if err := json.Unmarshal([]byte(r.Stdout), &s); err != nil {
		t.Fatalf("ros engine swarm status: %v: code %d\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
	return s
}

// inSwarm waits until the machine's part in the swarm is as ok wants it.
func (g *guest) inSwarm(t *testing.T, within time.Duration, ok func(api.Swarm) bool) {
	t.Helper()
	g.eventually(t, within, "ros engine swarm status --json", func(r Result) bool {
		var s api.Swarm
		return json.Unmarshal([]byte(r.Stdout), &s) == nil && ok(s)
	})
}

func active(role string) func(api.Swarm) bool {
	return func(s api.Swarm) bool { return s.State == "active" && s.Role == role && len(s.Reasons) == 0 }
}

// readyNodes waits until so many nodes are ready.
func (g *guest) readyNodes(t *testing.T, within time.Duration, want int) {
	t.Helper()
	g.inSwarm(t, within, func(s api.Swarm) bool {
		ready := 0
		for _, n := range s.Nodes {
			if n.State == "ready" {
				ready++
			}
		}
		return ready == want
	})
}

// joins is rancher.docker of a machine that joins through machine 1.
func (g *guest) joins(t *testing.T, role, more string) string {
	t.Helper()
	token := g.run(t, "sudo ros engine swarm token --quiet "+role)
	if !strings.HasPrefix(token, "SWMTKN-1-") {
		t.Fatalf("token %q", token)
	}
	return fmt.Sprintf("    swarm:\n      join: {remote: [%s], token: %s}\n%s", swarmNet(1), token, more)
}

// stackFile is what the tests deploy: two replicas behind the mesh, and one task
// on each machine, on a plain and on an encrypted network.
const stackFile = `
version: "3.8"
services:
  web:
    image: payload:test
    environment: {PAYLOAD_SAYS: one}
    ports: ["8080:8080"]
    networks: [front]
    configs: [{source: settings, target: /settings}]
    secrets: [word]
    deploy:
      replicas: 2
      placement: {max_replicas_per_node: 1}
      update_config: {order: stop-first, delay: 1s}
  agent:
    image: payload:test
    networks: [front, sealed]
    deploy: {mode: global}
networks:
  front:
    driver: overlay
    ipam: {config: [{subnet: 10.91.1.0/24}]}
  sealed:
    driver: overlay
    driver_opts: {encrypted: ""}
    ipam: {config: [{subnet: 10.91.2.0/24}]}
configs:
  settings: {file: settings}
secrets:
  word: {file: word}
`

// deploy deploys the stack on a manager and waits until it runs on machines.
func (g *guest) deploy(t *testing.T, machines int) {
	t.Helper()
	g.run(t, "echo 'a setting' >settings; echo 'a secret' >word")
	ctx, cancel := Within(t.Context(), stepDeadline, "docker stack deploy")
	defer cancel()
	r, err := g.ssh.RunInput(ctx, "docker stack deploy --detach=true --resolve-image never -c - app", bytes.NewReader([]byte(stackFile)))
	if err != nil || r.Code != 0 {
		t.Fatalf("docker stack deploy: %v: code %d\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
	g.replicas(t, swarmDeadline, map[string]string{"app_web": "2/2", "app_agent": fmt.Sprintf("%d/%d", machines, machines)})
}

// replicas waits until services run as often as they should: service → pattern
// of Docker's RUNNING/WANTED.
func (g *guest) replicas(t *testing.T, within time.Duration, want map[string]string) {
	t.Helper()
	g.eventually(t, within, "docker service ls --format '{{.Name}} {{.Replicas}}'; docker stack ps app --no-trunc --format '{{.Name}} {{.Node}} {{.CurrentState}} {{.Error}}'", func(r Result) bool {
		for name, count := range want {
			if ok, _ := regexp.MatchString("(?m)^"+name+" "+count, r.Stdout); !ok {
				return false
			}
		}
		return true
	})
}

// meshPage asks a machine's published port, from beside it.
func meshPage(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+":8080/", nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && !strings.HasPrefix(string(text), "payload ") {
		err = fmt.Errorf("page %q", text)
	}
	return strings.TrimSpace(string(text)), err
}

// meshServes waits until each machine's published port is answered by so many
// different replicas, all of which end with word.
func meshServes(t *testing.T, within time.Duration, replicas int, word string, machines ...string) {
	t.Helper()
	ctx, cancel := Within(t.Context(), within, fmt.Sprintf("%d replicas that say %q at machines %v", replicas, word, machines))
	defer cancel()
	const row = 6 // questions, one after the other: a service's replicas take turns
	for _, address := range machines {
		for {
			var pages []string
			var last error
			for range row {
				page, err := meshPage(ctx, address)
				if err != nil {
					last = err
					break
				}
				if !slices.Contains(pages, page) {
					pages = append(pages, page)
				}
			}
			said := !slices.ContainsFunc(pages, func(p string) bool { return !strings.HasSuffix(p, word) })
			if last == nil && said && len(pages) == replicas {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%v: %s: %q, %v", context.Cause(ctx), address, pages, last)
			}
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}
}

// task is the first container of a service on a machine.
func (g *guest) task(t *testing.T, service string) string {
	t.Helper()
	id, _, _ := strings.Cut(g.run(t, "docker ps -q --filter status=running --filter label=com.docker.swarm.service.name="+service), "\n")
	if id == "" {
		t.Fatalf("no task of %s runs here:\n%s", service, g.run(t, "docker ps -a"))
	}
	return id
}

// TestVMSwarm makes a swarm of two machines, each from its cloud-config alone,
// and runs on it what swarms are for.
func TestVMSwarm(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	bridge(t, "lan", []string{"10.80.0.1/24"}, "lan1", "lan2")
	first := swarmMachine{n: 1, docker: "    live_restore: true\n    swarm: {init: true, advertise_addr: lan0, labels: {rack: a}}\n"}.boot(t, l)
	first.inSwarm(t, stepDeadline, active("manager"))
	if s := first.swarm(t); !s.Leader || s.Address != swarmNet(1) || s.Autolock == nil || *s.Autolock || s.Quorum != (api.SwarmQuorum{Managers: 1, Reachable: 1, Needed: 1}) {
		t.Errorf("swarm of one: %+v", s)
	}
	first.prints(t, [][2]string{
		{"docker info -f '{{.LiveRestoreEnabled}}'", "false"},
		{"ros status", "containers restart when the engine restarts"},
		{"ros engine swarm token worker 2>&1 || true", "use sudo"},
	})
	second := swarmMachine{n: 2, rest: swarmPorts, docker: first.joins(t, "worker", "      labels: {rack: b}\n")}.boot(t, l)
	second.inSwarm(t, swarmDeadline, active("worker"))
	first.readyNodes(t, stepDeadline, 2)
	second.tellsNone(t, []string{first.run(t, "sudo ros engine swarm token worker -q")}, "ros engine swarm status --json", "docker info")
	first.prints(t, [][2]string{
		{"docker node inspect -f '{{.Spec.Labels}}' self", "rack:a"},
		{"docker node inspect -f '{{.Description.Engine.Labels}}' node2", "rack:b"},
		{"ros engine swarm status", "node2"},
	})
	for _, g := range []*guest{first, second} {
		g.loadPayload(t)
	}
	first.deploy(t, 2)
	t.Run("Mesh", func(t *testing.T) { meshServes(t, swarmDeadline, 2, " one", swarmNet(1), swarmNet(2)) })
	t.Run("Networks", func(t *testing.T) { testOverlay(t, first, second) })
	t.Run("Files", func(t *testing.T) {
		task := second.task(t, "app_web")
		second.prints(t, [][2]string{
			{"docker exec " + task + " /payload show /settings", "a setting"},
			{"docker exec " + task + " /payload show /run/secrets/word", "a secret"},
		})
	})
	t.Run("Update", func(t *testing.T) {
		first.run(t, "docker service update --detach --env-add PAYLOAD_SAYS=two app_web")
		meshServes(t, swarmDeadline, 2, " two", swarmNet(1), swarmNet(2))
	})
	t.Run("Restart", func(t *testing.T) {
		second.run(t, "sudo ros service restart docker")
		first.replicas(t, swarmDeadline, map[string]string{"app_web": "2/2", "app_agent": "2/2"})
		second.inSwarm(t, swarmDeadline, active("worker"))
		meshServes(t, swarmDeadline, 2, " two", swarmNet(2))
	})
	t.Run("Leave", func(t *testing.T) { testLeave(t, first, second) })
}

// testOverlay: tasks find each other by name and talk over both networks.
func testOverlay(t *testing.T, first, second *guest) {
	agent := first.task(t, "app_agent")
	first.eventuallyPrints(t, stepDeadline, "docker exec "+agent+" /payload fetch web:8080", " one")
	other := second.run(t, "docker inspect -f '{{with index .NetworkSettings.Networks \"app_sealed\"}}{{.IPAddress}}{{end}}' "+second.task(t, "app_agent"))
	first.prints(t, [][2]string{{"docker exec " + agent + " /payload look-up tasks.agent", "10.91."}})
	first.eventuallyPrints(t, stepDeadline, "docker exec "+agent+" /payload fetch "+other+":8080", "payload ")
	// It was encrypted on its way.
	for _, g := range []*guest{first, second} {
		if out := g.run(t, "sudo ip -s xfrm state"); !strings.Contains(out, "proto esp") || !strings.Contains(out, swarmNet(1)) {
			t.Errorf("no ESP:\n%s", out)
		}
	}
}

// testLeave: the key goes, the machine leaves when told so twice, and is then
// one without a swarm, which dockerd's own answer says what to do about.
func testLeave(t *testing.T, first, second *guest) {
	second.run(t, "sudo ros config set rancher.docker.swarm.join.remote '[]'")
	r := second.try(t, "ros config apply")
	if r.Code == 0 || !strings.Contains(r.Stderr, "is a worker") || !strings.Contains(r.Stderr, "--yes") {
		t.Errorf("ros config apply: code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	second.inSwarm(t, stepDeadline, active("worker"))
	second.run(t, "ros config apply --yes")
	second.ready(t, bootDeadline)
	second.prints(t, [][2]string{
		{"ros engine swarm status", "inactive"},
		{"docker info -f '{{.LiveRestoreEnabled}}'", "true"},
		{"docker swarm init 2>&1", "rancher.docker.swarm"},
		{"curl -sS --unix-socket /run/docker.sock -X POST -H 'Content-Type: application/json' -d '{\"ListenAddr\":\"0.0.0.0:2377\",\"AdvertiseAddr\":\"10.80.0.12\"}' http://docker/swarm/init", "rancher.docker.swarm"},
		{"sudo sh -c 'ls /var/lib/pharos/swarm/*'", "docker-state.json"},
		{"sudo nft list tables", "docker-bridges"},
	})
	first.eventuallyPrints(t, swarmDeadline, "ros status", "node2")
	if s := first.swarm(t); !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "docker node rm") }) {
		t.Errorf("notes of the manager: %q", s.Notes)
	}
}
