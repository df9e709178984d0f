package rtnl

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// toTable is the action of a rule that says which table is looked in
// (FR_ACT_TO_TBL). It has the place of a route's type in the message.
const toTable = 1

// Rules implements netconf.Kernel.
func (c *Conn) Rules() ([]netconf.Rule, error) {
	var rules []netconf.Rule
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := c.dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}})
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list of rules: %w", err)
		}
		for _, m := range found {
			if r, ok := fromRule(m); ok {
				rules = append(rules, r)
			}
		}
	}
	return rules, nil
}

// fromRule reads a rule; it is false for what does not carry our protocol.
func fromRule(m []byte) (netconf.Rule, bool) {
	if len(m) < unix.SizeofRtMsg {
		return netconf.Rule{}, false
	}
	msg := nl.DeserializeRtMsg(m)
	a := parse(m[msg.Len():])
	r := netconf.Rule{
		Mark: a.number(unix.FRA_FWMARK), IIF: a.text(unix.FRA_IIFNAME), OIF: a.text(unix.FRA_OIFNAME),
		Table: a.number(unix.FRA_TABLE), Priority: a.number(unix.FRA_PRIORITY), IPv6: msg.Family == unix.AF_INET6,
	}
	if src := a.addr(unix.FRA_SRC); src.IsValid() {
		r.From = netip.PrefixFrom(src, int(msg.Src_len))
	}
	if dst := a.addr(unix.FRA_DST); dst.IsValid() {
		r.To = netip.PrefixFrom(dst, int(msg.Dst_len))
	}
	return r, a.number(unix.FRA_PROTOCOL) == netconf.Protocol
}

// AddRule implements netconf.Kernel.
func (c *Conn) AddRule(r netconf.Rule) error {
	if r.Table == 0 { // the kernel would look for a table that nobody uses
		return fmt.Errorf("add rule %s: it says no table: %w", r, unix.EINVAL)
	}
	err := do(c.ruleRequest(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK, r))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add rule %s: %w", r, err)
	}
	return nil
}

// DelRule implements netconf.Kernel.
func (c *Conn) DelRule(r netconf.Rule) error {
	if err := do(c.ruleRequest(unix.RTM_DELRULE, unix.NLM_F_ACK, r)); err != nil && !gone(err) {
		return fmt.Errorf("remove rule %s: %w", r, err)
	}
	return nil
}

func (c *Conn) ruleRequest(command, flags int, r netconf.Rule) *nl.NetlinkRequest {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Type: toTable}}
	if r.IPv6 {
		msg.Family = unix.AF_INET6
	}
	req := c.request(command, flags)
	req.AddData(msg)
	if r.From.IsValid() && r.From.Bits() > 0 {
		msg.Src_len = uint8(r.From.Bits())
		req.AddData(nl.NewRtAttr(unix.FRA_SRC, r.From.Masked().Addr().AsSlice()))
	}
	if r.To.IsValid() && r.To.Bits() > 0 {
		msg.Dst_len = uint8(r.To.Bits())
		req.AddData(nl.NewRtAttr(unix.FRA_DST, r.To.Masked().Addr().AsSlice()))
	}
	if r.Mark != 0 {
		req.AddData(number32(unix.FRA_FWMARK, r.Mark))
	}
	if r.IIF != "" {
		req.AddData(text(unix.FRA_IIFNAME, r.IIF))
	}
	if r.OIF != "" {
		req.AddData(text(unix.FRA_OIFNAME, r.OIF))
	}
	req.AddData(number32(unix.FRA_TABLE, r.Table))
	req.AddData(number32(unix.FRA_PRIORITY, r.Priority))
	req.AddData(number8(unix.FRA_PROTOCOL, netconf.Protocol))
	return req
}
