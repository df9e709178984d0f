package netconf

import "net/netip"

// Kinds of links that netconf makes, by rtnetlink's names.
const (
	KindDummy     = "dummy"
	KindVLAN      = "vlan"
	KindBond      = "bond"
	KindBridge    = "bridge"
	KindMacvlan   = "macvlan"
	KindIPvlan    = "ipvlan"
	KindVXLAN     = "vxlan"
	KindWireGuard = "wireguard"
	KindVRF       = "vrf"
)

// Device is what a link that is made is like. Which fields count depends on
// Kind; a zero field leaves what the kernel chooses. The same type says what a
// link of such a kind is like that is there; the kernel's choices are then
// filled in.
type Device struct {
	Kind string
	// Parent is the link that a VLAN, macvlan, ipvlan or VXLAN is on, by the
	// key of its specification or by name. Of a link that is there: by name.
	Parent    string
	ID        int               // VLAN (1 to 4094), VXLAN (1 to 16777215)
	Protocol  string            // VLAN: "802.1q", "802.1ad"
	Mode      string            // macvlan: bridge, private, vepa, passthru; ipvlan: l2, l3, l3s
	Egress    map[uint32]uint32 // VLAN: SKB priority to 802.1p
	Ingress   map[uint32]uint32 // VLAN: 802.1p to SKB priority
	Bond      map[string]string // by the names and values of sysfs: mode, miimon, …
	Bridge    Bridge
	Remote    netip.Addr // VXLAN
	Local     netip.Addr // VXLAN
	Group     netip.Addr // VXLAN
	Port      int        // VXLAN (0 is 4789), WireGuard (0 is any)
	Table     int        // VRF
	WireGuard WireGuard
}

// Bridge is a bridge's own. Nil leaves what the kernel chooses.
type Bridge struct {
	STP           *bool
	ForwardDelay  *int // seconds
	VLANFiltering *bool
}

// WireGuard is a WireGuard link's own. Keys are base64, as wg(8) prints them;
// they are secrets and no String shows them.
type WireGuard struct {
	PrivateKey   string
	FirewallMark int
	Peers        []Peer // sorted by PublicKey
}

// Peer is a WireGuard peer.
type Peer struct {
	PublicKey    string
	PresharedKey string
	Endpoint     string // HOST:PORT; empty: the peer calls
	AllowedIPs   []netip.Prefix
	Keepalive    int // seconds; 0 is none
}

// Hardware is what ethtool(8) sets.
type Hardware struct {
	Offloads       map[string]bool // by the kernel's names of features or ethtool's short ones
	RingRX, RingTX int             // entries; 0 leaves it
}

// IPv6 is how the kernel treats router advertisements on a link.
type IPv6 struct {
	AcceptRA bool // also while the machine forwards (accept_ra 2)
	Privacy  bool // temporary addresses are made and preferred (RFC 8981)
	// Unset is true of a link that still has something else, as the kernel
	// makes links: advertisements are followed until the machine forwards
	// (accept_ra 1). It is never wanted.
	Unset bool
}

// Rule is a policy routing rule (ip-rule(8)).
type Rule struct {
	From, To netip.Prefix // zero: any
	Mark     int          // 0: any
	IIF, OIF string       // empty: any
	Table    int
	Priority int // lower is first
	IPv6     bool
}

// Advert is what a router advertised besides addresses and routes, which the
// kernel makes itself: the options of RFC 8106, as they are on the wire.
type Advert struct {
	Link    int // index
	Router  netip.Addr
	Options []byte
}
