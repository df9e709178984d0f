package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// chain is a base chain of the table.
type chain struct {
	name     string
	hook     *nftables.ChainHook
	priority *nftables.ChainPriority
	policy   nftables.ChainPolicy
	rules    []rule
}

// rule is one rule: all matches, then the verdict.
type rule struct {
	matches []match
	verdict expr.VerdictKind
}

// match is one condition. It loads a value into the register and compares it,
// or looks it up among elements.
type match struct {
	text     string // as nft(8) writes it
	load     []expr.Any
	key      nftables.SetDatatype
	elements []nftables.SetElement
}

// String prints the rule as nft(8) does.
func (r rule) String() string {
	var words []string
	for _, m := range r.matches {
		words = append(words, m.text)
	}
	verdict := "accept"
	if r.verdict == expr.VerdictDrop {
		verdict = "drop"
	}
	return strings.Join(append(words, verdict), " ")
}

// marks are what tells that a chain is as it is to be: its policy, then a
// comment for each rule, as the kernel keeps it. Each comment has a hash of
// the whole table: a rule's place alone says nothing about its content.
func (c chain) marks(table []chain) []string {
	h := sha256.New()
	for _, t := range table {
		_, _ = fmt.Fprintf(h, "%s %d %d\n", t.name, *t.priority, t.policy)
		for _, r := range t.rules {
			_, _ = io.WriteString(h, r.String()+"\n")
		}
	}
	const length = 8 // bytes; nobody forges it, who could may change the rules
	sum := hex.EncodeToString(h.Sum(nil)[:length])
	out := []string{policyMark(c.policy)}
	for i := range c.rules {
		text := fmt.Sprintf("%s:%s:%d", Table, sum, i+1)
		out = append(out, string(userdata.AppendString(nil, userdata.TypeComment, text)))
	}
	return out
}

func policyMark(p nftables.ChainPolicy) string { return fmt.Sprintf("policy:%d", p) }

// compile says which chains the table has; none when it is off.
func compile(spec Spec) []chain {
	if spec.Policy == Off {
		return nil
	}
	input := chain{
		name: "input", hook: nftables.ChainHookInput, priority: nftables.ChainPriorityFilter,
		policy: nftables.ChainPolicyAccept, rules: always(),
	}
	if spec.Policy == Drop {
		input.policy = nftables.ChainPolicyDrop
		input.rules = append(input.rules, rule{[]match{ctState("invalid", expr.CtStateBitINVALID)}, expr.VerdictDrop})
	}
	input.rules = append(input.rules, allowed(spec.Allow, packetPort())...)
	chains := []chain{input}
	if spec.PublishedPorts {
		chains = append(chains, published(spec))
	}
	return chains
}

// always is what no configuration may forbid: without it the machine loses
// its addresses or the answers to its own questions.
func always() []rule {
	accept := func(matches ...match) rule { return rule{matches, expr.VerdictAccept} }
	icmp6 := protocol(unix.IPPROTO_ICMPV6, "icmpv6")
	return []rule{
		accept(linkName("lo")),
		accept(ctState("established,related", expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)),
		// RFC 4861: router and neighbour solicitations and advertisements,
		// redirects. They are not tracked, so they are no answers.
		accept(icmp6, icmpType("icmpv6 type 133-137", 133, 137)),
		// Multicast listeners (RFC 2710, 3810): without them switches forget
		// who takes part, in neighbour discovery too.
		accept(icmp6, icmpType("icmpv6 type 130-132", 130, 132)),
		accept(icmp6, icmpType("icmpv6 type 143", 143, 143)),
		accept(protocol(unix.IPPROTO_IGMP, "igmp")),
		// A server's answers are not to the address that was asked from.
		accept(family(unix.NFPROTO_IPV4, "ipv4"), protocol(unix.IPPROTO_UDP, "udp"), port("udp sport 67", 0, 67), port("udp dport 68", 2, 68)),
		accept(family(unix.NFPROTO_IPV6, "ipv6"), protocol(unix.IPPROTO_UDP, "udp"),
			port("udp dport 546", 2, 546), source([]netip.Prefix{netip.MustParsePrefix("fe80::/10")})),
	}
}

// published is the chain for what the engine has rewritten to a container's
// address. Docker's own chain comes after (its priority is "filter", moby's
// daemon/libnetwork/drivers/bridge/internal/nftabler), and what is accepted
// here goes on to it.
func published(spec Spec) chain {
	before := nftables.ChainPriorityRef(*nftables.ChainPriorityFilter - 10)
	c := chain{name: "published", hook: nftables.ChainHookForward, priority: before, policy: nftables.ChainPolicyAccept}
	c.rules = append(c.rules,
		rule{[]match{ctState("established,related", expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)}, expr.VerdictAccept},
		rule{[]match{rewritten(false)}, expr.VerdictAccept})
	c.rules = append(c.rules, allowed(spec.Allow, originalPort())...)
	if spec.Policy == Drop {
		c.rules = append(c.rules, rule{[]match{rewritten(true)}, expr.VerdictDrop})
	}
	return c
}

// chunk is how many networks one set has at most: a set is one message of
// netlink, which has a length of 16 bits.
const chunk = 500

// allowed turns the configuration's rules into the kernel's: one for each
// family of networks that a rule names.
func allowed(list []Rule, ports portMatch) []rule {
	var out []rule
	for _, r := range list {
		var matches []match
		if r.Interface != "" {
			matches = append(matches, linkName(r.Interface))
		}
		number := map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}[r.Protocol]
		switch {
		case r.Protocol == "icmp":
			matches = append(matches, protocolSet("icmp, icmpv6", unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6))
		case number != 0:
			matches = append(matches, protocol(number, r.Protocol))
		}
		if len(r.Ports) > 0 {
			matches = append(matches, ports(r.Protocol, r.Ports))
		}
		if len(r.From) == 0 {
			out = append(out, rule{matches, expr.VerdictAccept})
			continue
		}
		for _, group := range families(r.From) {
			for part := range slices.Chunk(group, chunk) {
				first := family(unix.NFPROTO_IPV4, "ipv4")
				if part[0].Addr().Is6() {
					first = family(unix.NFPROTO_IPV6, "ipv6")
				}
				out = append(out, rule{slices.Concat([]match{first}, matches, []match{source(part)}), expr.VerdictAccept})
			}
		}
	}
	return out
}

// families sorts networks, leaves out those that are in another one and puts
// IPv4 and IPv6 apart; an empty family is left out.
func families(list []netip.Prefix) [][]netip.Prefix {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, netip.Prefix.Compare)
	var v4, v6 []netip.Prefix
	for _, p := range sorted {
		group := &v4
		if p.Addr().Is6() {
			group = &v6
		}
		inside := func(wide netip.Prefix) bool { return wide.Bits() <= p.Bits() && wide.Contains(p.Addr()) }
		if n := len(*group); n > 0 && inside((*group)[n-1]) {
			continue
		}
		*group = append(*group, p)
	}
	return slices.DeleteFunc([][]netip.Prefix{v4, v6}, func(g []netip.Prefix) bool { return len(g) == 0 })
}
