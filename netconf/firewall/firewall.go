// Package firewall owns the machine's packet filter: rancher.network.firewall,
// which is the nftables table "inet pharos", and the guard of a machine that
// forwards IPv6 for its engine only, "ip6 pharos-forward" (Guard). It refuses
// to touch any other table, Docker's above all, and it knows nothing of links
// or addresses: a rule names them as packets do.
//
// The first table filters what is addressed to the machine itself. Always allowed
// are the loopback link, answers to what the machine or its containers asked,
// neighbour discovery and router advertisements, membership queries of
// multicast, and a DHCP server's answers. Everything else is for the rules
// and then for the policy: containers that call the machine, too, for which a
// rule with "interface: docker0" or their network stands.
//
// A port that a container publishes is no port of the machine: the engine
// rewrites its packets, and they are forwarded. They are filtered only with
// Spec.PublishedPorts, and then by the port of the machine, as published. Two
// things follow from how Docker 29 works. A published port that its proxy
// process serves (IPv6 to a container that has IPv4 alone) is a port of the
// machine in any case; and a network with gateway mode "routed" or
// "nat-unprotected" has containers that are reached without any rewriting,
// which this table never sees as published.
//
// The order matters: Apply has to have returned before the first service
// listens, and again whenever the configuration has changed.
package firewall

import (
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Table is the table's name; its family is inet.
const Table = "pharos"

// Modules are the kernel modules that Apply needs, for a manager that loads
// them ahead; the kernel asks for what is missing itself. Names are those of
// Linux 6.12.
func Modules() []string { return []string{"nf_tables", "nf_conntrack", "nft_ct"} }

// Apply makes the kernel filter as spec says, in the network namespace of the
// calling thread. All of it changes at once, in one transaction: there is no
// moment without a filter. Nothing is sent when the kernel has it already.
func Apply(spec Spec) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	return ofSpec(spec).apply(conn)
}

// Plan says what Apply would change, a line each: none when the kernel has
// the rules already. It shows the whole wanted firewall, since the table is
// replaced as a whole.
func Plan(spec Spec) ([]string, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	want := ofSpec(spec)
	have, err := want.marks(conn)
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	if same(have, want.chains) {
		return nil, nil
	}
	return spec.Lines(), nil
}

// table is a table of this package's, as it is to be.
type table struct {
	name   string
	family nftables.TableFamily
	chains []chain // none: there is to be no table
}

func ofSpec(spec Spec) table { return table{Table, nftables.TableFamilyINet, compile(spec)} }

// apply makes the kernel's table like t, if it is not.
func (t table) apply(conn *nftables.Conn) error {
	have, err := t.marks(conn)
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	if same(have, t.chains) {
		return nil
	}
	if err := t.replace(conn); err != nil {
		return fmt.Errorf("firewall: table %s: %w", t.name, err)
	}
	return nil
}

// same compares the marks of what is there with those of what is wanted. A
// rule that somebody took out, put in or moved shows; a chain's policy is
// part of its first mark.
func same(have map[string][]string, want []chain) bool {
	if len(have) != len(want) {
		return false
	}
	for _, c := range want {
		if !slices.Equal(have[c.name], c.marks(want)) {
			return false
		}
	}
	return true
}

// replace puts the chains in the place of whatever the table has.
func (t table) replace(conn *nftables.Conn) error {
	// Deleting what is not there is an error, adding what is there is none:
	// the table is added, deleted and added anew, all in one transaction.
	table := conn.AddTable(&nftables.Table{Name: t.name, Family: t.family})
	conn.DelTable(table)
	if len(t.chains) > 0 {
		table = conn.AddTable(table)
	}
	for _, c := range t.chains {
		policy := c.policy
		base := conn.AddChain(&nftables.Chain{
			Name: c.name, Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: c.hook, Priority: c.priority, Policy: &policy,
		})
		for i, mark := range c.marks(t.chains)[1:] {
			exprs, err := c.rules[i].expressions(conn, table)
			if err != nil {
				return err
			}
			conn.AddRule(&nftables.Rule{
				Table: table, Chain: base, Exprs: exprs, UserData: []byte(mark),
			})
		}
	}
	return conn.Flush()
}

// expressions renders the rule for the kernel; sets that it looks up are
// added to the transaction before.
func (r rule) expressions(conn *nftables.Conn, table *nftables.Table) ([]expr.Any, error) {
	var out []expr.Any
	for _, m := range r.matches {
		out = append(out, m.load...)
		if m.elements == nil {
			continue
		}
		set := &nftables.Set{Table: table, Anonymous: true, Constant: true, Interval: true, KeyType: m.key}
		if err := conn.AddSet(set, m.elements); err != nil {
			return nil, err
		}
		out = append(out, &expr.Lookup{SourceRegister: register, SetName: set.Name, SetID: set.ID})
	}
	return append(out, &expr.Verdict{Kind: r.verdict}), nil
}
