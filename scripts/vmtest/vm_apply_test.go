package vmtest

import (
	"strings"
	"testing"
	"time"
)

// TestVMApplyTry cuts the network by a configuration on trial: the machine is
// reachable again after the time, on the old one. Then one is confirmed, and
// rolled back.
func TestVMApplyTry(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	spec := l.direct(l.files.SystemImg, l.keyParam())
	spec.Disks = append(spec.Disks, Disk{Path: l.stateDisk(t, "state.img")})
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	route := g.run(t, "ip route show default")

	g.run(t, "ros config set rancher.network.interfaces.eth0.address 192.0.2.9/24")
	if out := g.run(t, "ros config diff"); !strings.Contains(out, "rancher.network.interfaces") {
		t.Errorf("ros config diff:\n%s", out)
	}
	began := time.Now()
	g.run(t, "nohup ros config apply --try 20s >/tmp/apply.log 2>&1 & sleep 1; echo started")
	g.login(t) // anew: the old session may be gone
	g.eventuallyPrints(t, bootDeadline, "ip route show default", route)
	g.eventuallyPrints(t, bootDeadline, "ros config history", "1")
	t.Logf("back after %.1f s; apply printed:\n%s", time.Since(began).Seconds(), g.run(t, "cat /tmp/apply.log"))
	if took := time.Since(began); took < 15*time.Second {
		t.Errorf("the network was never cut: back after %s", took)
	}
	if out := g.try(t, "ip -o addr; ros config get rancher.network.interfaces.eth0.address"); strings.Contains(out.Stdout, "192.0.2.9") {
		t.Errorf("the trial's address is still there:\n%s", out.Stdout)
	}

	g.run(t, "ros config set hostname tried && ros config apply --try 60s")
	if out := g.run(t, "hostname"); out != "tried" {
		t.Errorf("host name %q on trial", out)
	}
	g.run(t, "ros config confirm")
	bad := g.try(t, "ros config set rancher.network.dns.nameservers '[not-an-address]'")
	if bad.Code == 0 || !strings.Contains(bad.Stderr+bad.Stdout, "not-an-address") {
		t.Errorf("a wrong value was taken: code %d, %s%s", bad.Code, bad.Stdout, bad.Stderr)
	}
	t.Logf("history:\n%s", g.run(t, "ros config history"))
	g.run(t, "ros config rollback && ros config apply")
	if out := g.run(t, "hostname"); out == "tried" {
		t.Error("rollback left the host name")
	}
	if out := g.run(t, "ros config get --source rancher.network.interfaces"); !strings.Contains(out, "defaults") {
		t.Errorf("source of the interfaces: %s", out)
	}

	// An option of dockerd alone: containers go on.
	g.loadPayload(t)
	g.serve(t, "goes-on", "")
	before := g.startedAt(t, "goes-on")
	g.run(t, "ros config set rancher.docker.debug true")
	if out := g.run(t, "ros config diff"); !strings.Contains(out, "containers go on") {
		t.Errorf("ros config diff:\n%s", out)
	}
	g.run(t, "ros config apply")
	if out := g.run(t, "docker info -f '{{.Debug}}'"); out != "true" {
		t.Errorf("dockerd's debug is %s", out)
	}
	goesOn := func(after string) {
		t.Helper()
		if now := g.startedAt(t, "goes-on"); now != before {
			t.Errorf("%s: the container was started %s, now %s", after, before, now)
		}
	}
	goesOn("ros config apply")
	// A manager that starts anew takes the engine for the one that it defines.
	rosd := g.run(t, "pgrep -xo rosd")
	g.run(t, "sudo kill -9 "+rosd)
	g.eventually(t, stepDeadline, "pgrep -xo rosd", func(r Result) bool { return r.Code == 0 && strings.TrimSpace(r.Stdout) != rosd })
	g.ready(t, bootDeadline)
	goesOn("rosd's death")
	g.run(t, "docker rm -f goes-on") // the new dockerd has it
}
