package netconf

import (
	"net/netip"
	"time"
)

// DefaultDHCPTimeout is how long a link may be without a lease before that
// counts as a problem.
const DefaultDHCPTimeout = 30 * time.Second

// Spec is the desired state of the network.
type Spec struct {
	Links       []LinkSpec // by precedence: the first that matches a link is its own
	Rules       []Rule
	Hostname    string // empty: a lease's, else DefaultHostname
	FQDN        string // with its domain; may be empty
	Nameservers []netip.Addr
	Search      []string
	DHCPTimeout time.Duration
	// PreCmds run once before the first link is configured, PostCmds after
	// all have been; each is an argument vector.
	PreCmds, PostCmds [][]string
	// LinkLocal gives links without a lease a link-local address meanwhile.
	// It does not make the machine online.
	LinkLocal bool
}

// LinkSpec is the desired state of the links that Match matches.
type LinkSpec struct {
	Key     string // of rancher.network.interfaces, for messages and references
	Match   Match
	Make    *Device // the link is made when it is missing; nil: it comes from elsewhere
	SetName string  // new name; empty leaves it
	Master  string  // key or name of the bond, bridge or VRF that it belongs to

	Down     bool // up: false
	Optional bool // "online" does not wait for it
	MTU      int  // bytes; 0: the lease's, else unchanged
	MAC      string
	Hardware Hardware

	DHCP        bool
	DHCPOptions DHCPOptions
	DHCP6       Mode  // ModeAuto: as advertisements say
	AcceptRA    *bool // nil leaves it to what the link is: not on members of a bond or bridge
	Privacy     bool
	IPv4LL      bool // an address of RFC 3927 while there is no other
	Addresses   []netip.Prefix
	Gateways    []netip.Addr
	Metric      int     // of its default routes; 0 is by order of links
	Routes      []Route // Link is filled in
	// DelegateFrom is the link whose delegated prefix (DHCPv6, IA_PD) this one
	// takes its first address from, by key or name.
	DelegateFrom string
	Nameservers  []netip.Addr
	Search       []string

	PreUp, PostUp [][]string // argument vectors; $iface is the link's name
	WifiNetwork   string     // key of wifi_networks
}

// Mode is whether something is done.
type Mode int

// Modes.
const (
	ModeAuto Mode = iota
	ModeYes
	ModeNo
)

// DHCPOptions says what is sent to a DHCP server and which of its answers
// count.
type DHCPOptions struct {
	ClientID    []byte // option 61; nil: the hardware address
	VendorClass string // option 60
	Hostname    string // option 12; empty: the machine's
	// What an answer is not used for.
	IgnoreDNS, IgnoreDomains, IgnoreRoutes, IgnoreMTU, IgnoreNTP, IgnoreHostname bool
}

// static tells whether the link has anything to do besides asking DHCP.
func (s LinkSpec) static() bool { return len(s.Addresses) > 0 }
