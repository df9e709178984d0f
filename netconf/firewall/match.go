package firewall

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// register is the kernel's first register, which every match uses.
const register = 1

// portMatch makes a match of destination ports for a protocol.
type portMatch func(protocol string, ports []PortRange) match

// packetPort is the port that a packet is addressed to.
func packetPort() portMatch {
	return func(protocol string, ports []PortRange) match {
		load := &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
		return portSet(protocol+" dport", load, ports)
	}
}

// originalPort is the port that a packet was addressed to before the engine
// rewrote it.
func originalPort() portMatch {
	return func(_ string, ports []PortRange) match {
		load := &expr.Ct{Register: register, Key: expr.CtKeyPROTODST, Direction: 0} // IP_CT_DIR_ORIGINAL
		return portSet("ct original proto-dst", load, ports)
	}
}

func portSet(what string, load expr.Any, ports []PortRange) match {
	ports = merge(ports)
	m := match{text: fmt.Sprintf("%s { %s }", what, list(ports)), load: []expr.Any{load}, key: nftables.TypeInetService}
	for _, p := range ports {
		m.elements = append(m.elements, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, p.First)})
		if after := p.Last + 1; after != 0 {
			m.elements = append(m.elements, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, after), IntervalEnd: true})
		}
	}
	return m
}

// merge sorts ranges and joins those that overlap or touch, which the kernel
// refuses to have in one set.
func merge(ports []PortRange) []PortRange {
	sorted := slices.Clone(ports)
	slices.SortFunc(sorted, func(a, b PortRange) int { return cmp.Compare(a.First, b.First) })
	var out []PortRange
	for _, p := range sorted {
		if n := len(out); n > 0 && int(p.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, p.Last)
			continue
		}
		out = append(out, p)
	}
	return out
}

// source matches the sender's address; networks are of one family, sorted,
// and none is in another.
func source(networks []netip.Prefix) match {
	// Offset and length in the header: RFC 791, RFC 8200.
	load := &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
	m := match{text: fmt.Sprintf("ip saddr { %s }", list(networks)), key: nftables.TypeIPAddr}
	if networks[0].Addr().Is6() {
		load.Offset, load.Len = 8, 16
		m.text, m.key = "ip6"+strings.TrimPrefix(m.text, "ip"), nftables.TypeIP6Addr
	}
	m.load = []expr.Any{load}
	for i, p := range networks {
		m.elements = append(m.elements, nftables.SetElement{Key: p.Addr().AsSlice()})
		after := last(p).Next()
		// An end that is the next network's beginning is not said: the kernel
		// takes no two elements of the same key for granted.
		if after.IsValid() && (i+1 == len(networks) || networks[i+1].Addr() != after) {
			m.elements = append(m.elements, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
		}
	}
	return m
}

// last is a network's highest address.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// linkName matches the link that packets come in by; a name that ends in "*"
// is a beginning.
func linkName(name string) match {
	data := padded(name)
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		data = []byte(prefix)
	}
	m := match{text: fmt.Sprintf("iifname %q", name)}
	if len(data) > 0 { // "*" alone is any
		m.load = []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: register}, equal(data)}
	}
	return m
}

// padded is a name as the kernel compares it.
func padded(name string) []byte {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data[:unix.IFNAMSIZ-1], name)
	return data
}

// side is one of the two links that a forwarded packet passes.
type side struct {
	text       string // as in "iifname"
	name, kind expr.MetaKey
}

// Keys of linux/netfilter/nf_tables.h that the libraries do not have: the kind
// of a link as rtnetlink names it.
const (
	metaInKind  = 26 // NFT_META_IIFKIND
	metaOutKind = 27 // NFT_META_OIFKIND
)

func incoming() side { return side{"iif", expr.MetaKeyIIFNAME, metaInKind} }
func outgoing() side { return side{"oif", expr.MetaKeyOIFNAME, metaOutKind} }

// is matches one link of this side.
func (s side) is(name string) match {
	return match{text: fmt.Sprintf("%sname %q", s.text, name), load: []expr.Any{&expr.Meta{Key: s.name, Register: register}, equal(padded(name))}}
}

// isNot matches all links but one.
func (s side) isNot(name string) match {
	return match{text: fmt.Sprintf("%sname != %q", s.text, name), load: []expr.Any{
		&expr.Meta{Key: s.name, Register: register}, &expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: padded(name)},
	}}
}

// isKind matches links of a kind. Hardware has none and never matches.
func (s side) isKind(kind string) match {
	return match{text: fmt.Sprintf("meta %skind %q", s.text, kind), load: []expr.Any{&expr.Meta{Key: s.kind, Register: register}, equal(padded(kind))}}
}

func equal(data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data}
}

func family(number byte, name string) match {
	return match{text: "meta nfproto " + name, load: []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: register}, equal([]byte{number})}}
}

func protocol(number byte, name string) match {
	return match{text: "meta l4proto " + name, load: []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}, equal([]byte{number})}}
}

// protocolSet matches one of several protocols, which are sorted.
func protocolSet(names string, numbers ...byte) match {
	m := match{
		text: fmt.Sprintf("meta l4proto { %s }", names), key: nftables.TypeInetProto,
		load: []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}},
	}
	for _, n := range numbers {
		m.elements = append(m.elements, nftables.SetElement{Key: []byte{n}}, nftables.SetElement{Key: []byte{n + 1}, IntervalEnd: true})
	}
	return m
}

// icmpType matches the first byte of an ICMPv6 message.
func icmpType(text string, from, to byte) match {
	return match{text: text, load: []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Range{Op: expr.CmpOpEq, Register: register, FromData: []byte{from}, ToData: []byte{to}},
	}}
}

// port matches a port of the transport header: at offset 0 the sender's, at 2
// the receiver's.
func port(text string, offset uint32, number uint16) match {
	return match{text: text, load: []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		equal(binary.BigEndian.AppendUint16(nil, number)),
	}}
}

// ctState matches any of the bits of connection tracking's state.
func ctState(text string, bits uint32) match {
	return match{text: "ct state " + text, load: masked(expr.CtKeySTATE, bits, expr.CmpOpNeq)}
}

// rewritten matches connections whose destination was changed, or those whose
// was not.
func rewritten(yes bool) match {
	const dstNAT = 1 << 5 // IPS_DST_NAT of nf_conntrack_common.h
	if yes {
		return match{text: "ct status dnat", load: masked(expr.CtKeySTATUS, dstNAT, expr.CmpOpNeq)}
	}
	return match{text: "ct status ! dnat", load: masked(expr.CtKeySTATUS, dstNAT, expr.CmpOpEq)}
}

// masked loads a value of connection tracking and compares those bits with 0.
func masked(key expr.CtKey, bits uint32, op expr.CmpOp) []expr.Any {
	zero := binaryutil.NativeEndian.PutUint32(0)
	return []expr.Any{
		&expr.Ct{Register: register, Key: key},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: zero},
		&expr.Cmp{Op: op, Register: register, Data: zero},
	}
}
