package vmtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

const linksInterfaces = `
      leg0: {match: "mac=52:54:00:1e:00:00", set_name: leg0}
      leg1: {match: "mac=52:54:00:1e:00:01", set_name: leg1}
      bond0:
        type: bond
        members: [leg0, leg1]
        bond_opts: {mode: active-backup, miimon: "100", primary: leg0}
        address: 10.30.0.2/24
      office: {type: vlan, link: bond0, id: 42}
      lan:
        type: bridge
        members: [office]
        address: 10.42.0.2/24
      jumbo: {match: "mac=52:54:00:1e:00:02", set_name: jumbo0, address: 10.31.0.2/24, mtu: 9000}
      far: {match: "mac=52:54:00:1e:00:03", set_name: far0, dhcp: true}
`

// TestVMNetworkLinks has links that are made of others, long frames, and a
// bad line.
func TestVMNetworkLinks(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	linksLab(t)
	l.dnsmasq(t, "far", "far", "--dhcp-range=10.33.0.10,10.33.0.99,255.255.255.0,1h")
	sums := l.content(t, map[string]int{"steady": 4 << 20, "lossy": 1 << 20})
	l.nginx(t, "10.30.0.1:80", l.path("www"), 256<<10)
	l.nginx(t, "10.33.0.1:80", l.path("www"), 0)
	var cards []Card
	for i, name := range []string{"leg0", "leg1", "jumbo", "far"} {
		cards = append(cards, Card{Tap: "t-" + name, MAC: cardMAC(i)})
	}
	g := l.start(t, l.networked(t, linksInterfaces, "", cards...), false)
	g.login(t)
	g.ready(t, bootDeadline)
	t.Logf("status:\n%s", g.run(t, "ros network status"))
	g.asConfigured(t)

	t.Run("bond", func(t *testing.T) { testBond(t, g, sums["steady"]) })
	t.Run("VLAN, bridge, container", func(t *testing.T) { testContainerOnBridge(t, g) })
	t.Run("MTU 9000", func(t *testing.T) { testJumbo(t, g) })
	t.Run("delay and loss", func(t *testing.T) {
		g.has(t, "far0", "10.33.0.", api.SourceDHCP)
		out := g.run(t, "ping -c 20 -i 0.2 -W 3 10.33.0.1 | tail -n 2; curl -sS --max-time 80 http://10.33.0.1/lossy | sha256sum")
		t.Log(out)
		if !strings.Contains(out, sums["lossy"]) {
			t.Errorf("the download over the bad line is not %s", sums["lossy"])
		}
		if rtt := g.run(t, "ping -c 3 10.33.0.1 | sed -n 's|.*min/avg.* = \\([0-9]*\\)\\..*|\\1|p'"); len(rtt) < 3 {
			t.Errorf("a round trip of %s ms over 50 ms each way", rtt)
		}
	})
	t.Run("links that change", func(t *testing.T) { testLinkChange(t, g) })
}

// linksLab lays the wires of the test.
func linksLab(t *testing.T) {
	t.Helper()
	bridge(t, "br-bond", []string{"10.30.0.1/24"}, "t-leg0", "t-leg1")
	bridge(t, "br-jumbo", []string{"10.31.0.1/24"}, "t-jumbo")
	ip(t, "link set t-jumbo mtu 9000")
	ip(t, "link set br-jumbo mtu 9000")
	bridge(t, "br-far", nil, "t-far")
	wire{vlan: 42}.lay(t, "trunk", "office")
	ip(t, "link set trunk master br-bond up")
	ip(t, "addr add 10.42.0.1/24 dev office")
	ip(t, "link set office up")
	wire{delay: 50 * time.Millisecond, loss: 0.01}.lay(t, "near", "far")
	ip(t, "link set near master br-far up")
	ip(t, "addr add 10.33.0.1/24 dev far")
	ip(t, "link set far up")
}

// content writes files of random bytes for nginx and returns their digests.
func (l lab) content(t *testing.T, sizes map[string]int) map[string]string {
	t.Helper()
	if err := os.MkdirAll(l.path("www"), 0o755); err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	random := rand.NewChaCha8([32]byte{4})
	for name, size := range sizes {
		data := make([]byte, size)
		random.Read(data)
		if err := os.WriteFile(l.path("www/"+name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		sums[name] = hex.EncodeToString(sum[:])
	}
	return sums
}

const activeSlave = "ip -d link show bond0 | grep -o 'active_slave [a-z0-9]*'"

// testBond cuts the leg on which a download runs.
func testBond(t *testing.T, g *guest, sum string) {
	g.eventuallyPrints(t, stepDeadline, activeSlave, "active_slave leg0")
	g.prints(t, [][2]string{{"ip -d link show bond0", "mode active-backup"}, {"ip -d link show bond0", "primary leg0"}})
	type outcome struct {
		Result
		err error
	}
	done := make(chan outcome, 1)
	ctx, cancel := Within(t.Context(), 2*stepDeadline, "the download")
	defer cancel()
	go func() {
		r, err := g.ssh.Run(ctx, "curl -sS -o /tmp/steady -w '%{num_connects} %{size_download}' http://10.30.0.1/steady && sha256sum </tmp/steady")
		done <- outcome{r, err}
	}()
	g.eventually(t, stepDeadline, "stat -c %s /tmp/steady", func(r Result) bool { return len(strings.TrimSpace(r.Stdout)) > 6 }) // 1 MB and more
	g.plug(t, "card0", false)
	select {
	case o := <-done:
		t.Fatalf("the download ended before the leg was cut: %+v", o)
	default:
	}
	g.eventuallyPrints(t, stepDeadline, activeSlave, "active_slave leg1")
	o := <-done
	if want := fmt.Sprintf("1 %d", 4<<20); o.err != nil || o.Code != 0 || !strings.HasPrefix(o.Stdout, want) || !strings.Contains(o.Stdout, sum) {
		t.Errorf("download: %v: code %d\n%s%s\nwant one connection and the digest %s", o.err, o.Code, o.Stdout, o.Stderr, sum)
	}
	g.plug(t, "card0", true)
	g.eventuallyPrints(t, stepDeadline, activeSlave, "active_slave leg0")
	g.asConfigured(t)
}

// testContainerOnBridge puts a user container onto the bridge, where the lab
// reaches it in VLAN 42.
func testContainerOnBridge(t *testing.T, g *guest) {
	n := g.network(t)
	if x := linkOf(n, "office"); x.Kind != "vlan" || x.ID != 42 || x.Parent != "bond0" || x.Master != "lan" {
		t.Errorf("office is %+v", x)
	}
	g.prints(t, [][2]string{{"ping -c 2 -W 5 10.42.0.1", " 0% packet loss"}})
	g.loadPayload(t)
	g.run(t, "docker network create -d bridge -o com.docker.network.bridge.name=lan -o com.docker.network.bridge.inhibit_ipv4=true "+
		"--subnet 10.42.0.0/24 --gateway 10.42.0.1 --aux-address host=10.42.0.2 office")
	g.run(t, "docker run -d --name there --network office --ip 10.42.0.200 "+PayloadImage)
	if page := fetch(t, "http://10.42.0.200:8080/"); !strings.HasPrefix(page, "payload ") {
		t.Errorf("the container's page is %q", page)
	}
	g.prints(t, [][2]string{{"ip -o -4 addr show dev lan", "10.42.0.2/24"}, {"ip -o link show master lan", "veth"}})
	g.asConfigured(t) // what the engine has added is its own
}

// fetch gets a page of the guest's, again and again until there is one.
func fetch(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := Within(t.Context(), stepDeadline, url)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := fetchOnce(ctx, url)
		if err == nil {
			return page
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%v; last attempt: %v", context.Cause(ctx), err)
		}
	}
}

func fetchOnce(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	return string(page), err
}

// testLinkChange changes one link by `ros config set` and holds the others to
// staying as they are.
func testLinkChange(t *testing.T, g *guest) {
	g.run(t, "ros config set rancher.network.interfaces.jumbo.address 10.31.0.7/24")
	if out := g.run(t, "ros network plan"); !strings.Contains(out, "10.31.0.7/24") || strings.Contains(out, "bond0") {
		t.Errorf("plan:\n%s", out)
	}
	out := g.quietly(t, "ros network apply", "nothing-is-left-out")
	var flapped []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "jumbo0") && !strings.Contains(line, "10.31.0.") && !strings.Contains(line, "ff00::/8") {
			flapped = append(flapped, line)
		}
	}
	if len(flapped) > 0 || !strings.Contains(out, "10.31.0.7") {
		t.Errorf("a change of jumbo0 touches others:\n%s\nof\n%s", strings.Join(flapped, ""), out)
	}
	g.has(t, "jumbo0", "10.31.0.7/24", api.SourceStatic)
	g.asConfigured(t)
	g.run(t, "ros config set rancher.network.interfaces.office.id 43")
	g.run(t, "ros network apply")
	g.link(t, stepDeadline, "office", "is VLAN 43 on the bridge", func(l api.NetworkLink) bool { return l.ID == 43 && l.Master == "lan" })
	g.asConfigured(t)
}
