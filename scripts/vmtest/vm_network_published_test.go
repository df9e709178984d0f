package vmtest

import (
	"strings"
	"testing"

	"github.com/pharos-os/pharos/system/control/api"
)

// reachesOut has a container ask the lab.
func (g *guest) reachesOut(t *testing.T) {
	t.Helper()
	g.prints(t, [][2]string{{"docker exec allowed /busybox wget -q -T 20 -O - http://10.71.0.1/page | wc -c", "100"}})
}

// testPublished: ports that containers publish are everybody's, until
// published_ports says that the rules are for them, too.
func testPublished(t *testing.T, g *guest) {
	g.loadPayload(t)
	g.run(t, "docker run -d --name allowed --restart always -v /home/rancher/busybox:/busybox -p 8201:8080 "+PayloadImage)
	g.run(t, "docker run -d --name other --restart always -p 8202:8080 "+PayloadImage)
	both := func(first, second string) {
		t.Helper()
		doors(t, map[string]string{"10.71.0.2:8201": first, "10.72.0.2:8201": first, "10.71.0.2:8202": second, "10.72.0.2:8202": second})
	}
	both(open, open)
	theirs := g.run(t, dockerTables)
	// 8080 is the containers' own number, which does not count.
	g.run(t, setAllow+"'[{ports: [22], from: [10.0.2.0/24]}, {ports: [8102], interface: outer0}, {ports: [8080, 8201]}]'")
	g.run(t, "ros network apply")
	both(open, open)
	g.run(t, "ros config set rancher.network.firewall.published_ports true && ros network apply")
	both(open, silent)
	if after := g.run(t, dockerTables); after != theirs {
		t.Errorf("Docker's tables were\n%s\nand are\n%s", theirs, after)
	}
	g.prints(t, [][2]string{{"curl -sS --max-time 20 http://127.0.0.1:8202/", "payload "}, {"curl -sS --max-time 20 http://10.72.0.2:8202/", "payload "}})
	g.reachesOut(t)
	if out := g.run(t, listTables); !strings.Contains(out, "table inet pharos") || !strings.Contains(out, "table ip docker-bridges") {
		t.Errorf("tables:\n%s", out)
	}
	if f := g.network(t).Firewall; f.Policy != "drop" || f.Rules != 3 || !f.PublishedPorts {
		t.Errorf("status says %+v", f)
	}
	g.asConfigured(t)
}

// testFirewallEngine: the engine makes its tables anew when it starts, and
// ours stays as it is.
func testFirewallEngine(t *testing.T, g *guest) {
	before, pid := g.run(t, ourTable), g.services(t)["docker"].PID
	meanwhile := keepKnocking(t, "10.71.0.2:8202")
	g.run(t, "sudo ros service restart docker")
	g.eventually(t, bootDeadline, "docker ps -q --filter status=running | wc -l", func(r Result) bool { return strings.TrimSpace(r.Stdout) == "2" })
	doors(t, map[string]string{"10.71.0.2:8201": open, "10.71.0.2:8202": silent, "10.72.0.2:8102": open, "10.72.0.2:8101": silent})
	onlySilence(t, "while the engine started anew", meanwhile.stop())
	if s := g.services(t)["docker"]; s.PID == pid || s.State != "running" {
		t.Errorf("the engine was process %d and is %+v", pid, s)
	}
	if after := g.run(t, ourTable); after != before {
		t.Errorf("our table was\n%s\nand is\n%s", before, after)
	}
	g.prints(t, [][2]string{{"curl -sS --max-time 20 http://127.0.0.1:8202/", "payload "}})
	g.reachesOut(t)
	if n := g.network(t); !hasAddress(linkOf(n, "leased0"), "10.73.0.21/24", api.SourceDHCP) || len(n.Problems) != 0 {
		t.Errorf("after the engine's restart: %+v", n)
	}
}
