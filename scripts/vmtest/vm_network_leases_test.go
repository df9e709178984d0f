package vmtest

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

const leaseInterfaces = `
      full:
        match: mac=52:54:00:1e:00:00
        set_name: full0
        dhcp: true
        metric: 50
        dhcp_options: {client_id: "01:aa:bb:cc:dd", vendor_class: pharos-lab, hostname: asking}
      late: {match: "mac=52:54:00:1e:00:01", set_name: late0, dhcp: true}
      flap:
        match: mac=52:54:00:1e:00:02
        set_name: flap0
        dhcp: true
        address: 10.29.0.2/24
      six: {match: "mac=52:54:00:1e:00:03", set_name: six0}
      slaac: {match: "mac=52:54:00:1e:00:04", set_name: slaac0, ipv6_privacy: true}
      static:
        match: mac=52:54:00:1e:00:05
        set_name: stat0
        addresses: [10.25.0.2/24, 10.25.1.2/24, "fd25::2/64"]
        gateway: 10.25.0.1
        metric: 700
        mtu: 1450
        routes:
          - {to: 10.26.0.0/16, via: 10.25.0.254, metric: 77}
          - {to: default, via: 10.25.0.1, table: 100}
          - {to: 203.0.113.0/24, type: blackhole}
`

const leaseRules = `    rules:
      - {from: 10.25.0.2/32, table: 100, priority: 1000}
`

// leaseTime: dnsmasq gives no lease for less than two minutes.
const leaseTime = 2 * time.Minute

// TestVMNetworkLeases has a card for each way to get an address, and one with
// nobody at the other end for a while.
func TestVMNetworkLeases(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	for name, addresses := range map[string][]string{
		"full": {"10.20.0.1/24"}, "late": {"10.21.0.1/24"}, "flap": {"10.23.0.1/24", "10.24.0.1/24", "10.29.0.1/24"},
		"six": {"fd20::1/64"}, "slaac": {"fd30::1/64"}, "stat": {"10.25.0.1/24", "fd25::1/64"},
	} {
		bridge(t, "br-"+name, addresses, "t-"+name)
	}
	full := fullServer(t, l)
	first := l.dnsmasq(t, "br-flap", "flap-first", "--dhcp-range=10.23.0.10,10.23.0.99,255.255.255.0,2m")
	six := l.dnsmasq(t, "br-six", "six", "--dhcp-range=fd20::100,fd20::1ff,64,10m", "--enable-ra",
		"--dhcp-option=option6:dns-server,[fd20::53]", "--dhcp-option=option6:domain-search,six.example")
	l.radvd(t, "br-slaac", "fd30::/64", " RDNSS fd30::53 { AdvRDNSSLifetime 600; };\n DNSSL slaac.example { AdvDNSSLLifetime 600; };")
	var cards []Card
	for i, name := range []string{"full", "late", "flap", "six", "slaac", "stat"} {
		cards = append(cards, Card{Tap: "t-" + name, MAC: cardMAC(i)})
	}
	g := l.start(t, l.networked(t, leaseInterfaces, leaseRules, cards...), false)
	g.login(t)

	t.Run("boot without one of the servers", func(t *testing.T) { testLateBoot(t, g) })
	t.Run("every option", func(t *testing.T) { testFullLease(t, g, l, full) })
	t.Run("DHCPv6", func(t *testing.T) { testSix(t, g, six) })
	t.Run("advertisements", func(t *testing.T) { testSLAAC(t, g) })
	t.Run("static", func(t *testing.T) { testStatic(t, g) })
	t.Run("names", func(t *testing.T) { testNames(t, g) })
	second := testFlap(t, g, l, first)
	l.dnsmasq(t, "br-late", "late", "--dhcp-range=10.21.0.10,10.21.0.99,255.255.255.0,1h")
	t.Run("a server that comes late", func(t *testing.T) {
		g.has(t, "late0", "10.21.0.", api.SourceDHCP)
		g.ready(t, stepDeadline)
		if n := g.network(t); !n.Online || len(n.Waiting)+len(n.Problems) != 0 {
			t.Errorf("with all leases: %+v", n)
		}
	})
	t.Run("nothing left to do", func(t *testing.T) { testNothingToDo(t, g) })
	t.Run("renewal and expiry", func(t *testing.T) { testExpiry(t, g, second) })
}

// fullServer is a DHCP server that says everything there is.
func fullServer(t *testing.T, l lab) *daemon {
	t.Helper()
	return l.dnsmasq(t, "br-full", "full", "--dhcp-range=10.20.0.10,10.20.0.99,255.255.255.0,1h",
		"--dhcp-host="+cardMAC(0)+",id:01:aa:bb:cc:dd,harbour,10.20.0.42",
		"--dhcp-vendorclass=set:lab,pharos-lab",
		"--dhcp-option=3,10.20.0.9", "--dhcp-option=6,10.20.0.53,10.20.0.54", "--dhcp-option=15,lab.example",
		"--dhcp-option=26,1400", "--dhcp-option=42,10.20.0.123", "--dhcp-option=119,one.example,two.example",
		"--dhcp-option=121,10.77.0.0/16,10.20.0.2,0.0.0.0/0,10.20.0.1")
}

// testLateBoot: a link that waits for a lease keeps nothing else waiting.
func testLateBoot(t *testing.T, g *guest) {
	g.eventually(t, bootDeadline, "docker info", func(r Result) bool { return r.Code == 0 })
	s := g.settled(t)
	if s.State != api.StateDegraded || !slices.ContainsFunc(s.Reasons, func(r string) bool { return strings.Contains(r, "late0") }) {
		t.Errorf("state %s, reasons %q; want degraded by late0", s.State, s.Reasons)
	}
	if n := g.network(t); n.Online || len(n.Waiting) != 1 || !strings.Contains(n.Waiting[0], "late0") {
		t.Errorf("online %t, waiting for %q; want only late0", n.Online, n.Waiting)
	}
	var b api.Boot
	if err := json.Unmarshal([]byte(g.run(t, "ros boot --json")), &b); err != nil {
		t.Fatal(err)
	}
	const promised = 40 * time.Second // the deadline that the boot prints
	ended := map[string]float64{}
	for _, s := range b.Stages {
		ended[s.Name] = s.End
		if limit := slack(t, promised+5*time.Second).Seconds(); s.Name == "network" && (s.End == 0 || s.End-s.Start > limit) {
			t.Errorf("the boot waited for the network from %.1f to %.1f s", s.Start, s.End)
		}
		if s.Name == "console" && s.Start > ended["network"] {
			t.Errorf("the console began at %.1f s, after the wait for the network", s.Start)
		}
	}
	if ended["network"] == 0 || ended["console"] == 0 {
		t.Errorf("stages %+v", b.Stages)
	}
}

func testFullLease(t *testing.T, g *guest, l lab, server *daemon) {
	link := g.has(t, "full0", "10.20.0.42/24", api.SourceDHCP)
	if x := lease(link, "dhcp"); x.State != "bound" || x.Server != "10.20.0.1" || x.Valid < 1800 || x.Valid > 3600 || x.Renew <= 0 || x.Renew > 1800 {
		t.Errorf("lease %+v", x)
	}
	if link.MTU != 1400 {
		t.Errorf("MTU %d, want that of option 26, 1400", link.MTU)
	}
	g.prints(t, [][2]string{
		{"ip route show default dev full0", "via 10.20.0.1 "}, // of option 121; that of 3 does not count then
		{"ip route show 10.77.0.0/16", "via 10.20.0.2 dev full0"},
		{"ip route get 192.0.2.99", "via 10.20.0.1 dev full0"}, // the lowest metric of several
		{"ip route show default", "dev stat0"}, {"ip route show default", "dev flap0"},
		{"cat /etc/resolv.conf", "nameserver 10.20.0.53\nnameserver 10.20.0.54\n"},
		{"hostname", "harbour"},
	})
	if out := g.run(t, "ip route show default"); strings.Contains(out, "10.20.0.9") {
		t.Errorf("option 3 counts beside option 121:\n%s", out)
	}
	server.says(t, stepDeadline, 1, "vendor class: pharos-lab")
	server.says(t, stepDeadline, 1, "client provides name: asking")
	leases, err := os.ReadFile(l.path("full.leases"))
	if err != nil || !strings.Contains(string(leases), "10.20.0.42 harbour 01:aa:bb:cc:dd") {
		t.Errorf("the server knows: %s, %v; want the client identifier that was configured", leases, err)
	}
	chronyc := "sudo nsenter -t " + itoa(g.services(t)["ntp"].PID) + " -m -- chronyc -n sources -a"
	g.eventuallyPrints(t, stepDeadline, chronyc, "10.20.0.123")
}

func testSix(t *testing.T, g *guest, server *daemon) {
	link := g.has(t, "six0", "fd20::1", api.SourceDHCP6)
	if x := lease(link, "dhcp6"); x.State != "bound" || x.Valid <= 0 || x.Valid > 600 {
		t.Errorf("lease %+v", x)
	}
	server.says(t, stepDeadline, 1, "DHCPREPLY(br-six)")
	g.prints(t, [][2]string{{"ip -6 route show default dev six0", "via fe80::"}, {"ping -6 -c 2 -W 5 fd20::1", " 0% packet loss"}})
	n := strings.Count(server.text(), "DHCPREPLY(br-six)")
	g.run(t, "ros network renew six0")
	server.says(t, stepDeadline, n+1, "DHCPREPLY(br-six)")
}

func testSLAAC(t *testing.T, g *guest) {
	g.has(t, "slaac0", "fd30::", api.SourceRA)
	g.eventuallyPrints(t, stepDeadline, "ip -6 addr show dev slaac0 temporary", "inet6 fd30::")
	g.prints(t, [][2]string{{"ip -6 route show default dev slaac0", "proto ra"}, {"ping -6 -c 2 -W 5 fd30::1", " 0% packet loss"}})
	if out := g.run(t, "ip -6 route get fd30::1"); !strings.Contains(out, " src fd30:") {
		t.Errorf("the way to the router: %s", out)
	} else if src := strings.Fields(out[strings.Index(out, " src ")+5:])[0]; !strings.Contains(g.run(t, "ip -6 addr show dev slaac0 temporary"), src+"/") {
		t.Errorf("%s is not a temporary address, although privacy is asked for", src)
	}
}

func testStatic(t *testing.T, g *guest) {
	link := g.has(t, "stat0", "10.25.0.2/24", api.SourceStatic)
	if !hasAddress(link, "10.25.1.2/24", api.SourceStatic) || !hasAddress(link, "fd25::2/64", api.SourceStatic) || link.MTU != 1450 {
		t.Errorf("stat0 is %+v", link)
	}
	g.prints(t, [][2]string{
		{"ip route show 10.26.0.0/16", "via 10.25.0.254 dev stat0 proto 80 metric 77"},
		{"ip route show table 100", "default via 10.25.0.1 dev stat0"},
		{"ip route show type blackhole", "203.0.113.0/24"},
		{"ip rule show", "1000:\tfrom 10.25.0.2 lookup 100"},
		{"ip route get 192.0.2.99 from 10.25.0.2", "via 10.25.0.1 dev stat0"},
		{"ping -c 2 -W 5 10.25.0.1", " 0% packet loss"},
		// A lease comes on top of a static address.
		{"ip -4 -o addr show dev flap0", "10.29.0.2/24"}, {"ip -4 -o addr show dev flap0", "10.23.0."},
	})
}

// testNames: every source of name servers and domains, each with its origin.
func testNames(t *testing.T, g *guest) {
	n := g.network(t)
	if (n.Hostname != api.NetworkValue{Value: "harbour", From: "dhcp full0"}) {
		t.Errorf("host name %+v", n.Hostname)
	}
	for what, x := range map[string]struct {
		have, want []api.NetworkValue
	}{
		"name server": {n.Nameservers, []api.NetworkValue{{Value: "10.20.0.53", From: "dhcp full0"}, {Value: "10.20.0.54", From: "dhcp full0"},
			{Value: "fd20::53", From: "dhcp6 six0"}, {Value: "fd30::53", From: "ra slaac0"}}},
		"domain": {n.Search, []api.NetworkValue{{Value: "one.example", From: "dhcp full0"}, {Value: "two.example", From: "dhcp full0"},
			{Value: "six.example", From: "dhcp6 six0"}, {Value: "slaac.example", From: "ra slaac0"}}},
		"time server": {n.NTP, []api.NetworkValue{{Value: "10.20.0.123", From: "dhcp full0"}}},
	} {
		for _, want := range x.want {
			if !slices.Contains(x.have, want) {
				t.Errorf("no %s %+v among %+v", what, want, x.have)
			}
		}
	}
	g.prints(t, [][2]string{{"cat /etc/resolv.conf", "search one.example two.example"}, {"cat /etc/hosts", "harbour"}})
	if out := g.run(t, "cat /etc/resolv.conf"); strings.Contains(out, "10.0.2.3") {
		t.Errorf("use_dns: false does not count:\n%s", out)
	}
}
