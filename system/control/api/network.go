package api

import "time"

// NetworkValue is a name, name server or domain, and where it is from.
type NetworkValue struct {
	Value string `json:"value"`
	// From is a layer of the configuration ("user-data", "metadata", …),
	// "interfaces.KEY", "dhcp LINK", "dhcp6 LINK", "ra LINK", or "default".
	From string `json:"from"`
}

// Network is GET /v1/network. Lists are never null.
type Network struct {
	Online      bool            `json:"online"`
	Since       time.Time       `json:"since,omitzero"` // online since
	Waiting     []string        `json:"waiting"`        // what online waits for, sentences; empty when online
	Problems    []string        `json:"problems"`       // sentences
	Hostname    NetworkValue    `json:"hostname"`
	FQDN        string          `json:"fqdn,omitempty"`
	Nameservers []NetworkValue  `json:"nameservers"`
	Search      []NetworkValue  `json:"search"`
	NTP         []NetworkValue  `json:"ntp"` // time servers: the configuration's, else the leases', else the default
	Links       []NetworkLink   `json:"links"`
	Routes      []NetworkRoute  `json:"routes"`
	Rules       []NetworkRule   `json:"rules"`
	Firewall    NetworkFirewall `json:"firewall"`
}

// States of NetworkLink.
const (
	LinkUp        = "up"
	LinkNoCarrier = "no carrier" // up, but nobody is at the other end
	LinkDown      = "down"
)

// NetworkLink is a link of Network.
type NetworkLink struct {
	Name      string           `json:"name"`
	Kind      string           `json:"kind"` // rtnetlink's: "vlan", "bond", …; the driver of hardware; "loopback"
	State     string           `json:"state"`
	MAC       string           `json:"mac,omitempty"`
	MTU       int              `json:"mtu"`              // bytes
	Master    string           `json:"master,omitempty"` // bond, bridge or VRF that it belongs to
	Parent    string           `json:"parent,omitempty"` // link that it is on
	ID        int              `json:"id,omitempty"`     // of a VLAN or VXLAN
	Mode      string           `json:"mode,omitempty"`   // of a bond, macvlan or ipvlan
	Path      string           `json:"path,omitempty"`   // of the hardware, as udev's ID_PATH
	Key       string           `json:"key,omitempty"`    // of rancher.network.interfaces; none: not managed
	Required  bool             `json:"required"`         // online waits for it, or for another one of the same key
	Waiting   []string         `json:"waiting"`          // what it waits for, sentences
	Addresses []NetworkAddress `json:"addresses"`
	Leases    []NetworkLease   `json:"leases"` // DHCP, then DHCPv6; also those that are only asked for
	// When it got so far, seconds since kernel start; 0: it has not.
	Seen       float64 `json:"seen,omitempty"`       // its driver had made it
	Carrier    float64 `json:"carrier,omitempty"`    // first carrier
	Configured float64 `json:"configured,omitempty"` // first address that was asked for
}

// Sources of NetworkAddress.
const (
	SourceStatic    = "static"
	SourceDHCP      = "dhcp"
	SourceDHCP6     = "dhcp6"
	SourceRA        = "ra"         // router advertisement
	SourceDelegated = "delegated"  // of a prefix that another link was given
	SourceLinkLocal = "link-local" // RFC 3927, or the kernel's for IPv6
	SourceLoopback  = "loopback"   // the kernel's
	SourceOther     = "other"      // somebody else's
)

// NetworkAddress is an address of a link.
type NetworkAddress struct {
	Address string `json:"address"` // with its prefix length
	Source  string `json:"source"`
	Valid   int    `json:"valid,omitempty"` // seconds left; 0 is for ever
	State   string `json:"state,omitempty"` // "tentative", "duplicate"
}

// NetworkLease is what a DHCP client has or does.
type NetworkLease struct {
	Family   string   `json:"family"`            // "dhcp", "dhcp6"
	State    string   `json:"state"`             // of RFC 2131: "init", "selecting", "bound", …
	Address  []string `json:"address,omitempty"` // with their prefix lengths
	Prefix   []string `json:"prefix,omitempty"`  // delegated
	Server   string   `json:"server,omitempty"`
	Acquired float64  `json:"acquired,omitempty"` // seconds since kernel start
	Valid    int      `json:"valid,omitempty"`    // seconds left; 0 is for ever
	Renew    int      `json:"renew,omitempty"`    // seconds until it is asked for again
	Attempt  int      `json:"attempt,omitempty"`  // messages that nobody has answered
	Message  string   `json:"message,omitempty"`
}

// NetworkRoute is a route of Network.
type NetworkRoute struct {
	To     string `json:"to"` // a network, or "default"
	Type   string `json:"type,omitempty"`
	Via    string `json:"via,omitempty"`
	Link   string `json:"link,omitempty"`
	Source string `json:"source,omitempty"`
	Metric int    `json:"metric"`
	Table  int    `json:"table"`
	MTU    int    `json:"mtu,omitempty"`
}

// NetworkRule is a policy rule of Network.
type NetworkRule struct {
	Priority int    `json:"priority"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Mark     int    `json:"mark,omitempty"`
	IIF      string `json:"iif,omitempty"`
	OIF      string `json:"oif,omitempty"`
	Table    int    `json:"table"`
}

// NetworkFirewall is the firewall in short.
type NetworkFirewall struct {
	Policy         string `json:"policy,omitempty"` // accept, drop; empty is off
	Rules          int    `json:"rules"`
	PublishedPorts bool   `json:"published_ports"`
}

// NetworkQuestion is POST /v1/network/plan.
type NetworkQuestion struct {
	Text string `json:"text,omitempty"` // a cloud-config that is merged into the machine's own first
}

// NetworkChange is one step of a plan.
type NetworkChange struct {
	Link string `json:"link,omitempty"`
	Text string `json:"text"` // like an ip(8) command
}

// NetworkPlan is the answer to NetworkQuestion. Lists are never null.
type NetworkPlan struct {
	Keys     []ConfigChange  `json:"keys"`     // what differs in the configuration
	Changes  []NetworkChange `json:"changes"`  // what the kernel is told, in this order
	Problems []string        `json:"problems"` // errors of the files
}

// NetworkApplied is the answer to POST /v1/network/apply, which has no body.
type NetworkApplied struct {
	NetworkPlan          // what has been done; Problems are what could not be
	Online      bool     `json:"online"`
	Waiting     []string `json:"waiting"` // what it waits for when it is not online
}

// Paths of the API about the network. POST /v1/network/links/NAME/renew has no
// body; it answers the NetworkLink when the leases have been renewed.
const (
	PathNetwork      = "/v1/network"
	PathNetworkPlan  = "/v1/network/plan"
	PathNetworkApply = "/v1/network/apply"
	PathNetworkLinks = "/v1/network/links"
)
