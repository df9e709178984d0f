package netconf

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// device reads what a link of a kind is like. It is false for one that cannot
// be made; what is wrong is reported.
func (p *parser) device(path, kind string, c osconfig.Interface) (Device, bool) {
	d := Device{Kind: kind}
	bad := len(p.errs)
	switch kind {
	case KindDummy:
	case KindBridge:
		d.Bridge = p.bridge(path, c)
		return d, true
	case KindBond:
		d.Bond = p.bondOptions(path, c.BondOpts)
		return d, true
	case KindVLAN:
		p.vlan(path, c, &d)
	case KindMacvlan:
		d.Parent, d.Mode = p.parent(path, c, true), p.choice(path+".mode", c.Mode, "bridge", "private", "vepa", "passthru")
	case KindIPvlan:
		d.Parent, d.Mode = p.parent(path, c, true), p.choice(path+".mode", c.Mode, "l3", "l2", "l3s")
	case KindVXLAN:
		p.vxlan(path, c, &d)
	case KindWireGuard:
		d.Port = p.number(path+".port", c.Port, 1, 65535, "")
		return d, p.wireGuard(path, c, &d)
	case KindVRF:
		if d.Table = p.number(path+".table", c.Table, 1, 1<<31-1, ""); c.Table == 0 {
			p.wrong(path, "is a vrf and lacks its table")
		} else if d.Table >= 253 && d.Table <= 255 {
			p.bad(path+".table", fmt.Sprint(d.Table), "is one of the kernel's own tables")
		}
	default:
		p.bad(path+".type", kind, "is not a kind of link that is made")
	}
	return d, len(p.errs) == bad
}

// parent reads the link that another is on. One that no entry is about has to
// be up all the same.
func (p *parser) parent(path string, c osconfig.Interface, needed bool) string {
	if c.Link == "" {
		if needed {
			p.wrong(path, "lacks the link that it is on")
		}
		return ""
	}
	key := p.key(c.Link)
	if p.links[key] != nil || p.config.Interfaces[key].Type != "" {
		return key
	}
	match, err := ParseMatch(key)
	if err != nil {
		p.bad(path+".link", c.Link, err.Error())
		return ""
	}
	if !slices.ContainsFunc(p.below, func(s LinkSpec) bool { return s.Key == key }) {
		p.below = append(p.below, LinkSpec{Key: key, Match: match})
	}
	return key
}

// choice reads one of several words, of which the first is the default.
func (p *parser) choice(path, s string, words ...string) string {
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, strings.ToLower(s)) {
		p.bad(path, s, "is not one of: "+strings.Join(words, ", "))
	}
	return strings.ToLower(s)
}

func (p *parser) vlan(path string, c osconfig.Interface, d *Device) {
	const most = 4094 // 4095 is reserved (IEEE 802.1Q)
	d.Parent = p.parent(path, c, true)
	d.Protocol = p.choice(path+".protocol", c.Protocol, "802.1q", "802.1ad")
	if d.ID = p.number(path+".id", c.ID, 1, most, ""); c.ID == 0 {
		p.wrong(path, "is a vlan and lacks its id")
	}
	d.Egress = p.priorities(path+".egress_qos", c.EgressQoS, 1<<31-1, 7)
	d.Ingress = p.priorities(path+".ingress_qos", c.IngressQoS, 7, 1<<31-1)
}

// priorities reads a mapping of VLAN priorities.
func (p *parser) priorities(path string, m map[string]int, mostKey uint64, most int) map[uint32]uint32 {
	var out map[uint32]uint32
	for key, value := range m {
		k, err := strconv.ParseUint(key, 10, 32)
		if err != nil || k > mostKey || value < 0 || value > most {
			p.bad(path, fmt.Sprintf("%s: %d", key, value), "is not a priority of a VLAN")
			continue
		}
		if out == nil {
			out = map[uint32]uint32{}
		}
		out[uint32(k)] = uint32(value)
	}
	return out
}

// bridge says everything about a bridge, so that a key that is taken out of
// the configuration takes its effect along.
func (p *parser) bridge(path string, c osconfig.Interface) Bridge {
	const kernels, least, most = 15, 2, 30 // seconds (IEEE 802.1D)
	stp, filtering, delay := isTrue(c.STP), isTrue(c.VLANFiltering), 0
	if stp {
		delay = kernels
	}
	if c.ForwardDelay != nil {
		if d := *c.ForwardDelay; d < 0 || d > most || stp && d < least {
			p.bad(path+".forward_delay", fmt.Sprint(d), "is not between 0 (2 with stp) and 30 seconds")
		} else {
			delay = d
		}
	}
	return Bridge{STP: &stp, ForwardDelay: &delay, VLANFiltering: &filtering}
}

func (p *parser) vxlan(path string, c osconfig.Interface, d *Device) {
	const most = 1<<24 - 1
	d.Parent = p.parent(path, c, false)
	if d.ID = p.number(path+".id", c.ID, 1, most, ""); c.ID == 0 {
		p.wrong(path, "is a vxlan and lacks its id")
	}
	d.Port = p.number(path+".port", c.Port, 1, 65535, "")
	if c.Remote != "" {
		d.Remote, _ = p.addr(path+".remote", c.Remote)
	}
	if c.Local != "" {
		d.Local, _ = p.addr(path+".local", c.Local)
	}
	if c.Group == "" {
		return
	}
	a, err := netip.ParseAddr(c.Group)
	switch {
	case err != nil || !a.IsMulticast():
		p.bad(path+".group", c.Group, "is not a multicast address")
	case d.Remote.IsValid():
		p.bad(path+".group", c.Group, "does not go with remote: a vxlan has one of the two")
	case d.Parent == "":
		p.wrong(path, "has a group and lacks the link on which that is")
	default:
		d.Group = a
	}
}

// wireGuard reads keys and peers. No message has a private or shared key.
func (p *parser) wireGuard(path string, c osconfig.Interface, d *Device) bool {
	private, ok := wireGuardKey(c.PrivateKey)
	if !ok {
		p.wrong(path+".private_key", "is not a key of WireGuard: 32 bytes in base64")
		return false
	}
	w := WireGuard{PrivateKey: private, FirewallMark: p.number(path+".firewall_mark", c.FirewallMark, 1, 1<<31-1, ""), Peers: []Peer{}}
	for i, peer := range c.Peers {
		if one, ok := p.peer(fmt.Sprintf("%s.peers[%d]", path, i), peer); !ok {
			continue
		} else if slices.ContainsFunc(w.Peers, func(o Peer) bool { return o.PublicKey == one.PublicKey }) {
			p.wrong(fmt.Sprintf("%s.peers[%d]", path, i), "has the public_key of a peer before it")
		} else {
			w.Peers = append(w.Peers, one)
		}
	}
	slices.SortFunc(w.Peers, func(a, b Peer) int { return strings.Compare(a.PublicKey, b.PublicKey) })
	d.WireGuard = w
	return true
}

func (p *parser) peer(path string, c osconfig.WireGuardPeer) (Peer, bool) {
	public, ok := wireGuardKey(c.PublicKey)
	if !ok {
		p.wrong(path+".public_key", "is not a key of WireGuard: 32 bytes in base64")
		return Peer{}, false
	}
	shared, ok := wireGuardKey(c.PresharedKey)
	if !ok && c.PresharedKey != "" {
		p.wrong(path+".preshared_key", "is not a key of WireGuard: 32 bytes in base64")
		return Peer{}, false
	}
	out := Peer{
		PublicKey: public, PresharedKey: shared, Endpoint: c.Endpoint,
		Keepalive: p.number(path+".keepalive", c.Keepalive, 1, 65535, " seconds"),
	}
	for _, s := range c.AllowedIPs {
		if n, ok := p.network(path+".allowed_ips", s); ok && !slices.Contains(out.AllowedIPs, n) {
			out.AllowedIPs = append(out.AllowedIPs, n)
		}
	}
	return out, true
}

// wireGuardKey reads a key and returns the one spelling of it, which the
// kernel's is compared with: base64 may have line breaks and bits that say
// nothing.
func wireGuardKey(s string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 32 { // of Curve25519
		return "", false
	}
	return base64.StdEncoding.EncodeToString(b), true
}
