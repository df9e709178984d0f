package firewall_test

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/firewall"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

func TestRootInput(t *testing.T) {
	if !netconftest.InNamespaceFor(t, 2*time.Minute) {
		return
	}
	netconftest.Run(t, "ip", "link", "set", "lo", "up")
	peer, other := netconftest.NewPeer(t), netconftest.NewPeer(t)
	cable(t, peer, "eth0", 1)
	cable(t, other, "eth1", 2)
	for _, p := range []string{"22", "80", "85", "91"} {
		serve(t, "tcp", ":"+p)
	}
	serve(t, "udp", "10.1.0.1:53")
	serve(t, "udp", "10.1.0.1:54")

	off := firewall.Spec{}
	spec := firewall.Spec{Policy: firewall.Drop, Allow: []firewall.Rule{
		{Protocol: "tcp", Ports: []firewall.PortRange{{First: 22, Last: 22}}, From: prefixes("10.1.0.0/30", "10.1.0.4/30", "fd00:1::2/128")},
		{Protocol: "tcp", Ports: []firewall.PortRange{{First: 80, Last: 90}}, Interface: "eth1"},
		{Protocol: "udp", Ports: []firewall.PortRange{{First: 53, Last: 53}}},
	}}
	const silent, answer = "silent", "answer"
	all := map[string]string{
		"tcp!10.1.0.1:22": answer, "tcp![fd00:1::1]:22": answer, // by source
		"tcp!10.1.0.1:80": silent, "tcp![fd00:1::1]:85": silent, // by link
		"udp!10.1.0.1:53": answer, "udp!10.1.0.1:54": silent,
	}
	open := map[string]string{}
	for target := range all {
		open[target] = answer
	}
	check(t, "without a firewall", peer, open)
	if lines, err := firewall.Plan(spec); err != nil || len(lines) != 4 {
		t.Errorf("plan: %q, %v", lines, err)
	}
	apply(t, spec)
	check(t, "policy drop", peer, all)
	check(t, "policy drop, the other link", other, map[string]string{
		"tcp!10.2.0.1:22": silent, "tcp!10.2.0.1:80": answer, "tcp![fd00:2::1]:85": answer, "tcp!10.2.0.1:91": silent,
	})
	if got := ask("tcp!127.0.0.1:91"); got != answer {
		t.Errorf("from the machine itself: %s", got)
	}
	before := generation(t)
	apply(t, spec)
	if after := generation(t); after != before {
		t.Errorf("the second Apply changed rules:\n%s\n%s", before, after)
	}
	spec.Policy, spec.Allow = firewall.Accept, nil
	apply(t, spec)
	check(t, "policy accept", peer, open)
	apply(t, off)
	if got := generation(t); got != "" {
		t.Errorf("off, and there is %s", got)
	}
	check(t, "off again", peer, open)
}

// TestRootRepair: rules that somebody changed are put right.
func TestRootRepair(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	docker := conn.AddTable(&nftables.Table{Name: "docker-bridges", Family: nftables.TableFamilyIPv4})
	conn.AddChain(&nftables.Chain{Name: "filter-FORWARD", Table: docker})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	spec := firewall.Spec{Policy: firewall.Drop}
	apply(t, spec)
	table := &nftables.Table{Name: firewall.Table, Family: nftables.TableFamilyINet}
	input := &nftables.Chain{Name: "input", Table: table}
	accept := nftables.ChainPolicyAccept
	for name, harm := range map[string]func(){
		"a rule is gone": func() {
			rules, err := conn.GetRules(table, input)
			if err != nil || len(rules) < 3 {
				t.Fatalf("rules %v, %v", rules, err)
			}
			if err := conn.DelRule(rules[2]); err != nil {
				t.Fatal(err)
			}
		},
		"a rule more": func() {
			conn.InsertRule(&nftables.Rule{Table: table, Chain: input, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}})
		},
		"emptied":        func() { conn.FlushChain(input) },
		"another policy": func() { conn.AddChain(&nftables.Chain{Name: "input", Table: table, Policy: &accept}) },
		"a chain more":   func() { conn.AddChain(&nftables.Chain{Name: "extra", Table: table}) },
		"no table":       func() { conn.DelTable(table) },
	} {
		harm()
		if err := conn.Flush(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if lines, err := firewall.Plan(spec); err != nil || lines == nil {
			t.Errorf("%s, and Plan says %q, %v", name, lines, err)
		}
		apply(t, spec)
	}
	// Docker's table stays, whatever happens to ours.
	apply(t, firewall.Spec{})
	tables, err := conn.ListTables()
	if err != nil || len(tables) != 1 || tables[0].Name != "docker-bridges" {
		t.Errorf("tables %v, %v; want Docker's alone", tables, err)
	}
}

// TestRootMany: as many networks as a list of a cloud's has.
func TestRootMany(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	rule := firewall.Rule{Protocol: "tcp", Ports: []firewall.PortRange{{First: 1, Last: 65535}}}
	for i := range 1200 {
		rule.From = append(rule.From,
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24),
			netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(i >> 8), byte(i), 1}), 56))
	}
	apply(t, firewall.Spec{Policy: firewall.Drop, Allow: []firewall.Rule{rule, {Protocol: "any", From: prefixes("0.0.0.0/0", "::/0"), Interface: "*"}}})
}

// TestRootPublished: the machine forwards to a container as Docker's rules do.
func TestRootPublished(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	outside, inside := netconftest.NewPeer(t), netconftest.NewPeer(t)
	cable(t, outside, "eth0", 1)
	cable(t, inside, "br0", 3)
	outside.Run(t, "ip", "route", "add", "default", "via", "10.1.0.1")
	inside.Run(t, "ip", "route", "add", "default", "via", "10.3.0.1")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	answerFrom(t, inside, "10.3.0.2:80")
	translate(t, map[uint16]string{8080: "10.3.0.2", 9090: "10.3.0.2"})

	const first, second, direct = "tcp!10.1.0.1:8080", "tcp!10.1.0.1:9090", "tcp!10.3.0.2:80"
	test := func(what string, spec firewall.Spec, want map[string]string) {
		t.Helper()
		apply(t, spec)
		check(t, what, outside, want)
	}
	open := map[string]string{first: "answer", second: "answer", direct: "answer"}
	spec := firewall.Spec{Policy: firewall.Drop, Allow: []firewall.Rule{{Protocol: "tcp", Ports: []firewall.PortRange{{First: 8080, Last: 8080}}}}}
	test("published ports are not ours", spec, open)
	spec.PublishedPorts = true
	test("published ports are filtered", spec, map[string]string{first: "answer", second: "silent", direct: "answer"})
	spec.Allow[0].From = prefixes("10.9.0.0/16")
	test("from elsewhere", spec, map[string]string{first: "silent", second: "silent", direct: "answer"})
	spec.Allow[0].From = prefixes("10.1.0.2/32")
	test("from here", spec, map[string]string{first: "answer", second: "silent", direct: "answer"})
	spec.Policy = firewall.Accept
	test("policy accept", spec, open)
}

// translate rewrites ports of the machine to port 80 of a container, with the
// hook and priority that Docker's table has.
func translate(t *testing.T, ports map[uint16]string) {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := conn.AddTable(&nftables.Table{Name: "docker-bridges", Family: nftables.TableFamilyIPv4})
	chain := conn.AddChain(&nftables.Chain{
		Name: "nat-PREROUTING", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	for p, to := range ports {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(p)},
			&expr.Immediate{Register: 1, Data: netip.MustParseAddr(to).AsSlice()},
			&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(80)},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
		}})
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}
