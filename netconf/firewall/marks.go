package firewall

import (
	"errors"
	"fmt"
	"os"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// marks reads back what the table has, by chain: the policy, then the comment
// of each rule; nothing if there is no table.
func (t table) marks(conn *nftables.Conn) (map[string][]string, error) {
	out := map[string][]string{}
	chains, err := conn.ListChainsOfTableFamily(t.family)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list of chains: %w", err)
	}
	for _, c := range chains {
		if c.Table.Name != t.name {
			continue
		}
		out[c.Name] = nil
		if c.Policy != nil { // a base chain's: somebody may have changed it
			out[c.Name] = []string{policyMark(*c.Policy)}
		}
	}
	if len(out) == 0 {
		return out, nil
	}
	rules, err := t.comments()
	if err != nil && !errors.Is(err, os.ErrNotExist) { // gone since
		return nil, fmt.Errorf("list of rules: %w", err)
	}
	for _, r := range rules {
		out[r.chain] = append(out[r.chain], r.comment)
	}
	return out, nil
}

type comment struct{ chain, comment string }

// comments lists the table's rules in their order. Their expressions are of
// no interest, and the library, which would decode them, takes the direction
// of a ct expression for four bytes where the kernel sends one.
func (t table) comments() ([]comment, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	// A message begins with struct nfgenmsg (linux/netfilter/nfnetlink.h):
	// family, version, resource.
	const header = 4
	name, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_RULE_TABLE, Data: []byte(t.name + "\x00")}})
	if err != nil {
		return nil, err
	}
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE, Flags: netlink.Request | netlink.Dump},
		Data:   append([]byte{byte(t.family), unix.NFNETLINK_V0, 0, 0}, name...),
	})
	if err != nil {
		return nil, err
	}
	var out []comment
	for _, a := range answers {
		if len(a.Data) < header {
			return nil, errors.New("a message is too short")
		}
		d, err := netlink.NewAttributeDecoder(a.Data[header:])
		if err != nil {
			return nil, err
		}
		var name string
		var rule comment
		for d.Next() {
			switch d.Type() {
			case unix.NFTA_RULE_TABLE:
				name = d.String()
			case unix.NFTA_RULE_CHAIN:
				rule.chain = d.String()
			case unix.NFTA_RULE_USERDATA:
				rule.comment = string(d.Bytes())
			}
		}
		if err := d.Err(); err != nil {
			return nil, err
		}
		if name == t.name { // kernels before 4.19 list all of the family's
			out = append(out, rule)
		}
	}
	return out, nil
}
