package firewall

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// GuardTable is the name of Guard's table; its family is ip6.
const GuardTable = "pharos-forward"

// Guard makes a machine that forwards IPv6 packets forward only those that
// come from or go to a bridge of its container engine. What of these is let
// through is for the engine's own rules. The kernel has one switch for all
// links (net.ipv6.conf.all.forwarding), so that without a guard the machine
// would also be a router between its cables. The guard has to stand before
// forwarding is turned on.
//
// The engine's bridges are those that are not in own: bridges that the
// configuration makes. The engine names its bridges as it is told to, so
// there is no other sign of them. IPv4 is left alone.
func Guard(own []string) error { return guard(own).set() }

// Unguard lets the machine forward whatever it is told to.
func Unguard() error { return table{name: GuardTable, family: nftables.TableFamilyIPv6}.set() }

func (t table) set() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	return t.apply(conn)
}

func guard(own []string) table {
	before := nftables.ChainPriorityRef(*nftables.ChainPriorityFilter - 20) // what is dropped costs nobody else anything
	c := chain{name: "forward", hook: nftables.ChainHookForward, priority: before, policy: nftables.ChainPolicyDrop}
	accept := func(matches ...match) { c.rules = append(c.rules, rule{matches, expr.VerdictAccept}) }
	for _, name := range own {
		// Not forwarded, but passed on within the bridge: br_netfilter shows
		// these packets here, too.
		accept(incoming().is(name), outgoing().is(name))
	}
	for _, s := range []side{incoming(), outgoing()} {
		matches := []match{s.isKind("bridge")}
		for _, name := range own {
			matches = append(matches, s.isNot(name))
		}
		accept(matches...)
	}
	return table{GuardTable, nftables.TableFamilyIPv6, []chain{c}}
}
