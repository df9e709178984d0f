package vmtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/system/control/api"
)

const firewallInterfaces = `
      inner: {match: "mac=52:54:00:1e:00:00", set_name: inner0, addresses: [10.71.0.2/24, "fd71::2/64"]}
      outer: {match: "mac=52:54:00:1e:00:01", set_name: outer0, address: 10.72.0.2/24}
      leased: {match: "mac=52:54:00:1e:00:02", set_name: leased0, dhcp: true, dhcp6: true}
      home: {type: dummy, delegate_from: leased}
`

// The harness logs in by QEMU's own network, 10.0.2.0/24.
const firewallBoot = `    firewall:
      policy: drop
      allow:
        - {ports: [22], from: [10.0.2.0/24]}
        - {ports: [8101], from: [10.71.0.0/24, "fd71::/64"]}
`

// TestVMNetworkFirewall has a machine that drops what no rule allows, and
// the lab on two networks to try it from.
func TestVMNetworkFirewall(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	server := firewallLab(t, l)
	delegating := l.dhcpd(t, "br-leased")
	l.radvd(t, "br-leased", "fd73::/64", " AdvManagedFlag on;")
	spec := l.networked(t, firewallInterfaces, firewallBoot,
		Card{Tap: "t-inner", MAC: cardMAC(0)}, Card{Tap: "t-outer", MAC: cardMAC(1)}, Card{Tap: "t-leased", MAC: cardMAC(2)})
	// The kernel logs when tables are made, and everything else that audit
	// does: without a limit, and with room for it.
	spec.Append += " audit=1 audit_backlog_limit=8192 sysctl.kernel.printk_ratelimit=0 log_buf_len=4M"
	boot := keepKnocking(t, "10.72.0.2:22")
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	onlySilence(t, "while the machine booted", boot.stop())
	g.asConfigured(t)

	t.Run("before the services", func(t *testing.T) { testFirewallFirst(t, g) })
	t.Run("rules", func(t *testing.T) { testFirewallRules(t, g) })
	t.Run("an address that somebody has", func(t *testing.T) { testDecline(t, g, server) })
	t.Run("a delegated prefix", func(t *testing.T) { testDelegated(t, g, delegating) })
	t.Run("live", func(t *testing.T) { testFirewallLive(t, g) })
	t.Run("published ports", func(t *testing.T) { testPublished(t, g) })
	t.Run("restart of the engine", func(t *testing.T) { testFirewallEngine(t, g) })
	t.Run("off", func(t *testing.T) {
		g.run(t, "ros config set rancher.network.firewall.policy '' && ros network apply")
		if out := g.run(t, listTables); strings.Contains(out, "inet pharos") || !strings.Contains(out, "docker") {
			t.Errorf("with the firewall off:\n%s", out)
		}
		doors(t, map[string]string{"10.72.0.2:22": open, "10.72.0.2:8101": open, "10.72.0.2:8102": open, "10.72.0.2:8202": open, "10.72.0.2:8103": refused})
	})
	g.run(t, "true") // the session of before the first change
}

// firewallLab lays the networks. On the one with DHCP another host has the
// address that the server gives first.
func firewallLab(t *testing.T, l lab) *daemon {
	t.Helper()
	bridge(t, "br-inner", []string{"10.71.0.1/24", "fd71::1/64"}, "t-inner")
	bridge(t, "br-outer", []string{"10.72.0.1/24"}, "t-outer")
	bridge(t, "br-leased", []string{"10.73.0.1/24", "fd73::1/64"}, "t-leased")
	// Who knocks while the machine boots does not wait for its ARP.
	ip(t, "neigh replace 10.72.0.2 lladdr "+cardMAC(1)+" dev br-outer nud permanent")
	rival := netconftest.NewPeer(t)
	rival.Cable(t, "to-rival", "rival")
	ip(t, "link set to-rival master br-leased up")
	rival.Run(t, "ip", "addr", "add", "10.73.0.20/24", "dev", "rival")
	l.content(t, map[string]int{"page": 100})
	l.nginx(t, "10.71.0.1:80", l.path("www"), 0)
	echo(t, "10.71.0.1:7")
	return l.dnsmasq(t, "br-leased", "leased", "--dhcp-range=10.73.0.20,10.73.0.29,255.255.255.0,1h", "--dhcp-sequential-ip")
}

// testFirewallFirst: the table is older than every service, by the record of
// the boot and by the kernel's.
func testFirewallFirst(t *testing.T, g *guest) {
	var b api.Boot
	if err := json.Unmarshal([]byte(g.run(t, "ros boot --json")), &b); err != nil {
		t.Fatal(err)
	}
	filtered, units := 0.0, 0
	for _, s := range b.Stages {
		if s.Name == "firewall" && s.Error == "" {
			filtered = s.End
		}
	}
	for _, s := range b.Stages {
		if s.Lane == "unit" {
			units++
			if filtered == 0 || s.Start < filtered {
				t.Errorf("%s began at %.2f s, the firewall was there at %.2f s", s.Name, s.Start, filtered)
			}
		}
	}
	if units == 0 {
		t.Errorf("no unit among the stages %+v", b.Stages)
	}
	made := g.run(t, "sudo dmesg | sed -n 's/^\\[ *\\([0-9.]*\\)\\].* table=pharos:.*op=nft_register_.*/\\1/p' | head -n 1")
	at, err := strconv.ParseFloat(made, 64)
	if err != nil {
		t.Fatalf("the kernel's log has no time of the table: %v", err)
	}
	var names, stats []string
	for name, s := range g.services(t) {
		names, stats = append(names, name), append(stats, "/proc/"+itoa(s.PID)+"/stat")
	}
	starts := strings.Fields(g.run(t, "sudo sed 's/.*) //' "+strings.Join(stats, " ")+" | cut -d' ' -f20"))
	if len(starts) != len(names) || len(names) == 0 {
		t.Fatalf("processes of %q began at %q", names, starts)
	}
	for i, name := range names {
		ticks, err := strconv.ParseFloat(starts[i], 64)
		if err != nil {
			t.Fatal(err)
		}
		const hertz = 100 // USER_HZ
		t.Logf("kernel: the table is of %.3f s, %s's process of %.2f s", at, name, ticks/hertz)
		if ticks/hertz < at {
			t.Errorf("%s's process is of %.2f s, the table of %.3f s", name, ticks/hertz, at)
		}
	}
}

// testFirewallRules: what the configuration of the boot allows, and no more.
func testFirewallRules(t *testing.T, g *guest) {
	busybox, err := os.ReadFile(filepath.Join(g.lab.files.Root, "build/toolbox/usr/bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	g.put(t, "/home/rancher/busybox", busybox)
	g.run(t, "mkdir www && echo page >www/index.html && ./busybox httpd -p 8101 -h www && ./busybox httpd -p 8102 -h www")
	for _, url := range []string{"127.0.0.1:8101", "127.0.0.1:8102", "10.72.0.2:8101", "10.71.0.2:8102", "[fd71::2]:8102"} {
		g.prints(t, [][2]string{{"curl -sS --max-time 20 http://" + url + "/", "page"}})
	}
	doors(t, map[string]string{
		"10.71.0.2:8101": open, "[fd71::2]:8101": open, // neighbour discovery needs no rule
		"10.71.0.2:8102": silent, "[fd71::2]:8102": silent,
		"10.72.0.2:8101": silent, "10.72.0.2:8102": silent,
		"10.71.0.2:22": silent, "10.72.0.2:22": silent,
		"10.72.0.2:8103": silent, // nobody listens, and nobody says so
	})
	pings(t, map[string]bool{"10.71.0.2": false, "fd71::2": false, "10.72.0.2": false})
	g.prints(t, [][2]string{ // answers
		{"curl -sS --max-time 20 http://10.71.0.1/page | wc -c", "100"},
		{"ping -c 2 -W 5 10.72.0.1", " 0% packet loss"},
		{"ping -6 -c 2 -W 5 fd71::1", " 0% packet loss"},
		{"timeout 20 bash -c 'exec 3<>/dev/udp/10.71.0.1/7 && echo datagram >&3 && head -n 1 <&3'", "datagram"},
	})
	if f := g.network(t).Firewall; f.Policy != "drop" || f.Rules != 2 || f.PublishedPorts {
		t.Errorf("status says %+v", f)
	}
}

// testDecline: dnsmasq has given an address that another host has. The
// machine has told it so, and uses the next one; the firewall lets it.
func testDecline(t *testing.T, g *guest, server *daemon) {
	link := g.has(t, "leased0", "10.73.0.21/24", api.SourceDHCP)
	server.says(t, stepDeadline, 1, "DHCPACK(br-leased) 10.73.0.20 "+cardMAC(2))
	server.says(t, stepDeadline, 1, "DHCPDECLINE(br-leased) 10.73.0.20 "+cardMAC(2))
	if hasAddress(link, "10.73.0.20/", api.SourceDHCP) || lease(link, "dhcp").State != "bound" {
		t.Errorf("after the conflict: %+v", link)
	}
	if out := g.run(t, "ip -4 -o addr show dev leased0"); strings.Contains(out, "10.73.0.20/") {
		t.Errorf("the other host's address is still there: %s", out)
	}
	if n := g.network(t); !n.Online || len(n.Waiting)+len(n.Problems) != 0 {
		t.Errorf("after the conflict: online %t, waiting for %q, problems %q", n.Online, n.Waiting, n.Problems)
	}
	acks := strings.Count(server.text(), "DHCPACK(br-leased) 10.73.0.21")
	g.run(t, "ros network renew leased0")
	server.says(t, stepDeadline, acks+1, "DHCPACK(br-leased) 10.73.0.21")
	g.prints(t, [][2]string{{"sudo ros logs -n 5000 system", "address conflict"}})
}

const (
	setAllow     = "ros config set rancher.network.firewall.allow "
	listTables   = "sudo nft list tables"
	ourTable     = "sudo nft -s -a list table inet pharos"
	dockerTables = "for f in ip ip6; do sudo nft -s -a list table $f docker-bridges; done"
)

// testFirewallLive changes rules as people do. The session goes on, also
// when its port is no longer open to new ones.
func testFirewallLive(t *testing.T, g *guest) {
	g.run(t, setAllow+"'[{ports: [22], from: [10.0.2.0/24]}, {protocol: icmp}, {ports: [8102], interface: outer0}]'")
	if out := g.run(t, "ros network plan"); !strings.Contains(out, "firewall allow icmp") || !strings.Contains(out, "firewall allow tcp 8102 on outer0") {
		t.Errorf("plan:\n%s", out)
	}
	pings(t, map[string]bool{"10.71.0.2": false}) // a plan does nothing
	theirs := g.run(t, dockerTables)
	g.run(t, "ros network apply")
	pings(t, map[string]bool{"10.71.0.2": true, "fd71::2": true, "10.72.0.2": true})
	doors(t, map[string]string{
		"10.71.0.2:8101": silent, "[fd71::2]:8101": silent, "10.71.0.2:8102": silent, "10.72.0.2:8101": silent, "10.72.0.2:8102": open,
	})
	g.asConfigured(t)

	g.run(t, setAllow+"'[{protocol: icmp}, {ports: [8102], interface: outer0}]' && ros config apply")
	port, err := g.HostPort(22)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := dialBanner(t.Context(), "127.0.0.1:"+itoa(port)); err == nil {
		conn.Close()
		t.Error("a new session gets through although its port is not allowed")
	}
	g.run(t, "true") // but this one does
	g.run(t, setAllow+"'[{ports: [22], from: [10.0.2.0/24]}, {ports: [8102], interface: outer0}]' && ros config apply")
	ctx, cancel := Within(t.Context(), stepDeadline, "a new session")
	defer cancel()
	if err := WaitBanner(ctx, port); err != nil {
		t.Error(err)
	}
	if after := g.run(t, dockerTables); after != theirs {
		t.Errorf("Docker's tables were\n%s\nand are\n%s", theirs, after)
	}
}
