package osconfig

// Network is rancher.network.
type Network struct {
	// Seconds until a link without a lease counts as failed; 0 is 30. It goes on asking.
	DHCPTimeout int `yaml:"dhcp_timeout,omitempty"`
	// Name servers and search domains.
	DNS DNS `yaml:"dns,omitempty"`
	// Links by name, glob ("eth*"), "mac=AA:BB:…", "driver=…", "path=…", or a free name with match.
	Interfaces map[string]Interface `yaml:"interfaces,omitempty"`
	// Wi-Fi networks, by the name that an interface's wifi_network uses.
	WifiNetworks map[string]WifiNetwork `yaml:"wifi_networks,omitempty"`
	// Policy routing rules.
	Rules []RouteRule `yaml:"rules,omitempty"`
	// Which ports of the machine itself others may reach.
	Firewall Firewall `yaml:"firewall,omitempty"`
	// Argument vectors that run before the network is configured; a text is split at spaces, there is no shell.
	PreCmds []Command `yaml:"pre_cmds,omitempty"`
	// Argument vectors that run after the network is configured.
	PostCmds []Command `yaml:"post_cmds,omitempty"`
	// Proxy for http URLs.
	HTTPProxy string `yaml:"http_proxy,omitempty"`
	// Proxy for https URLs.
	HTTPSProxy string `yaml:"https_proxy,omitempty"`
	// Hosts that are reached without a proxy, separated by commas.
	NoProxy string `yaml:"no_proxy,omitempty"`
}

// DNS is rancher.network.dns; what is set here wins over what a lease says.
type DNS struct {
	// Addresses of name servers.
	Nameservers []string `yaml:"nameservers,omitempty"`
	// Domains in which short names are looked up.
	Search []string `yaml:"search,omitempty"`
}

// Interface is one entry of rancher.network.interfaces.
type Interface struct {
	// What it matches when the key is a free name: a name, glob, mac=…, driver=…, path=….
	Match string `yaml:"match,omitempty"`
	// New name of the link that matched.
	SetName string `yaml:"set_name,omitempty"`
	// What to make: dummy, vlan, bond, bridge, macvlan, ipvlan, vxlan, wireguard, vrf. Empty: a link that is there, or what the keys below say.
	Type string `yaml:"type,omitempty"`
	// Whether IPv4 is configured by DHCP. Nil is no.
	DHCP *bool `yaml:"dhcp,omitempty"`
	// Whether IPv6 is configured by DHCP. Nil: as router advertisements say.
	DHCP6 *bool `yaml:"dhcp6,omitempty"`
	// RancherOS's options of DHCP: a command line of dhcpcd, of which -h, -i, -I, -M, -G, -O and "-C resolv.conf" mean what dhcp_options says.
	DHCPArgs string `yaml:"dhcp_args,omitempty"`
	// Options of DHCP.
	DHCPOptions DHCPOptions `yaml:"dhcp_options,omitempty"`
	// Whether router advertisements are followed. Nil is yes.
	AcceptRA *bool `yaml:"accept_ra,omitempty"`
	// Whether temporary IPv6 addresses are used (RFC 8981). Nil is no.
	IPv6Privacy *bool `yaml:"ipv6_privacy,omitempty"`
	// Whether a link-local IPv4 address is taken (RFC 3927).
	IPv4LL bool `yaml:"ipv4ll,omitempty"`
	// Address with its prefix length.
	Address string `yaml:"address,omitempty"`
	// Further addresses, IPv4 and IPv6, with their prefix lengths.
	Addresses []string `yaml:"addresses,omitempty"`
	// IPv4 gateway.
	Gateway string `yaml:"gateway,omitempty"`
	// IPv6 gateway.
	GatewayIPv6 string `yaml:"gateway_ipv6,omitempty"`
	// Metric of the default routes of this link; 0 is by order of links.
	Metric int `yaml:"metric,omitempty"`
	// Link whose delegated IPv6 prefix (DHCPv6) this one has an address of.
	DelegateFrom string `yaml:"delegate_from,omitempty"`
	// Further routes.
	Routes []Route `yaml:"routes,omitempty"`
	// Name servers that this link brings.
	DNS DNS `yaml:"dns,omitempty"`
	// Bytes; 0 leaves it.
	MTU int `yaml:"mtu,omitempty"`
	// MAC address to set.
	MACAddress string `yaml:"mac_address,omitempty"`
	// Whether the link is up. Nil is yes.
	Up *bool `yaml:"up,omitempty"`
	// Whether "online" does not wait for it. Nil: it does when it has an address to get.
	Optional *bool `yaml:"optional,omitempty"`
	// true: this is a bridge. A name: the bridge to join, which is made when missing.
	Bridge string `yaml:"bridge,omitempty"`
	// Bond to join, which is made when missing.
	Bond string `yaml:"bond,omitempty"`
	// Options of a bond, by the kernel's names (mode, miimon, …). A bond without any is active-backup; miimon is 100 unless set.
	BondOpts map[string]string `yaml:"bond_opts,omitempty"`
	// VLANs on this link: "100,200:name".
	VLANs string `yaml:"vlans,omitempty"`
	// Links that a bond, bridge or VRF is made of.
	Members []string `yaml:"members,omitempty"`
	// Link that a VLAN, macvlan, ipvlan or VXLAN is on.
	Link string `yaml:"link,omitempty"`
	// Number of a VLAN (1 to 4094) or VXLAN (1 to 16777215).
	ID int `yaml:"id,omitempty"`
	// Protocol of a VLAN: 802.1q or 802.1ad.
	Protocol string `yaml:"protocol,omitempty"`
	// Mode of a macvlan (bridge, private, vepa, passthru; empty is bridge) or ipvlan (l2, l3, l3s; empty is l3).
	Mode string `yaml:"mode,omitempty"`
	// VLAN priorities of packets that go out: SKB priority to 802.1p.
	EgressQoS map[string]int `yaml:"egress_qos,omitempty"`
	// SKB priorities of packets that come in: 802.1p to SKB priority.
	IngressQoS map[string]int `yaml:"ingress_qos,omitempty"`
	// Whether a bridge runs the spanning tree protocol.
	STP *bool `yaml:"stp,omitempty"`
	// Seconds a bridge's port waits before it forwards. Nil is 0 without stp, else the kernel's 15.
	ForwardDelay *int `yaml:"forward_delay,omitempty"`
	// Whether a bridge tells VLANs apart.
	VLANFiltering *bool `yaml:"vlan_filtering,omitempty"`
	// Far end of a VXLAN.
	Remote string `yaml:"remote,omitempty"`
	// Own end of a VXLAN.
	Local string `yaml:"local,omitempty"`
	// Multicast group of a VXLAN.
	Group string `yaml:"group,omitempty"`
	// UDP port of a VXLAN (0 is 4789) or WireGuard.
	Port int `yaml:"port,omitempty"`
	// Routing table of a VRF.
	Table int `yaml:"table,omitempty"`
	// Private key of WireGuard, base64.
	PrivateKey string `yaml:"private_key,omitempty"`
	// Mark of WireGuard's own packets.
	FirewallMark int `yaml:"firewall_mark,omitempty"`
	// Peers of WireGuard.
	Peers []WireGuardPeer `yaml:"peers,omitempty"`
	// Offloads by ethtool's names (tso, gro, rx, …) and whether they are on.
	Offloads map[string]bool `yaml:"offloads,omitempty"`
	// Entries of the receive ring; 0 leaves it.
	RingRX int `yaml:"ring_rx,omitempty"`
	// Entries of the send ring; 0 leaves it.
	RingTX int `yaml:"ring_tx,omitempty"`
	// Name in wifi_networks.
	WifiNetwork string `yaml:"wifi_network,omitempty"`
	// Argument vectors that run before the link is configured; $iface is its name.
	PreUp []Command `yaml:"pre_up,omitempty"`
	// Argument vectors that run after the link is configured; $iface is its name.
	PostUp []Command `yaml:"post_up,omitempty"`
}

// DHCPOptions is an interface's dhcp_options. Nil is yes.
type DHCPOptions struct {
	// Client identifier to send: text, or hex bytes with colons between.
	ClientID string `yaml:"client_id,omitempty"`
	// Vendor class to send.
	VendorClass string `yaml:"vendor_class,omitempty"`
	// Host name to send; empty is the machine's.
	Hostname string `yaml:"hostname,omitempty"`
	// Whether its name servers are used.
	UseDNS *bool `yaml:"use_dns,omitempty"`
	// Whether its search domains are used.
	UseDomains *bool `yaml:"use_domains,omitempty"`
	// Whether its routes are used.
	UseRoutes *bool `yaml:"use_routes,omitempty"`
	// Whether its MTU is used.
	UseMTU *bool `yaml:"use_mtu,omitempty"`
	// Whether its time servers are used.
	UseNTP *bool `yaml:"use_ntp,omitempty"`
	// Whether its host name is used.
	UseHostname *bool `yaml:"use_hostname,omitempty"`
}

// Route is one entry of an interface's routes.
type Route struct {
	// Destination, a network in CIDR form or default.
	To string `yaml:"to"`
	// Gateway; empty is on the link itself.
	Via string `yaml:"via,omitempty"`
	// Source address to prefer.
	From string `yaml:"from,omitempty"`
	// Metric; 0 is the link's.
	Metric int `yaml:"metric,omitempty"`
	// Routing table; 0 is main.
	Table int `yaml:"table,omitempty"`
	// Whether the gateway is reached although no address is in its network.
	OnLink bool `yaml:"on_link,omitempty"`
	// unicast, blackhole, unreachable, prohibit; empty is unicast.
	Type string `yaml:"type,omitempty"`
	// global, link or host; empty is by the gateway.
	Scope string `yaml:"scope,omitempty"`
	// Bytes; 0 is the link's.
	MTU int `yaml:"mtu,omitempty"`
}

// RouteRule is one entry of rancher.network.rules.
type RouteRule struct {
	// Source network.
	From string `yaml:"from,omitempty"`
	// Destination network.
	To string `yaml:"to,omitempty"`
	// Mark of packets.
	Mark int `yaml:"mark,omitempty"`
	// Link that packets come in by.
	IIF string `yaml:"iif,omitempty"`
	// Link that packets go out by.
	OIF string `yaml:"oif,omitempty"`
	// Table to look in.
	Table int `yaml:"table"`
	// Order among rules; lower is first. 0 is 30000 and more, as they stand.
	Priority int `yaml:"priority,omitempty"`
}

// WireGuardPeer is one entry of an interface's peers.
type WireGuardPeer struct {
	// Public key, base64.
	PublicKey string `yaml:"public_key"`
	// Shared key, base64.
	PresharedKey string `yaml:"preshared_key,omitempty"`
	// HOST:PORT.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Networks behind the peer.
	AllowedIPs []string `yaml:"allowed_ips,omitempty"`
	// Seconds between packets that keep the way open; 0 is never.
	Keepalive int `yaml:"keepalive,omitempty"`
}

// WifiNetwork is one entry of rancher.network.wifi_networks.
type WifiNetwork struct {
	// Name of the network.
	SSID string `yaml:"ssid,omitempty"`
	// Pass phrase (8 to 63 characters) or key (64 hex digits).
	PSK string `yaml:"psk,omitempty"`
	// Whether the network hides its name.
	ScanSSID int `yaml:"scan_ssid,omitempty"`
	// Higher ones are preferred.
	Priority int `yaml:"priority,omitempty"`
	// Pairwise ciphers: CCMP TKIP.
	Pairwise string `yaml:"pairwise,omitempty"`
	// Group ciphers: CCMP TKIP WEP104 WEP40.
	Group string `yaml:"group,omitempty"`
	// EAP methods: PEAP TTLS TLS.
	EAP string `yaml:"eap,omitempty"`
	// EAP identity.
	Identity string `yaml:"identity,omitempty"`
	// EAP identity outside the tunnel.
	AnonymousIdentity string `yaml:"anonymous_identity,omitempty"`
	// Paths of CA certificates, in a directory below /opt, /var or /home.
	CACerts []string `yaml:"ca_certs,omitempty"`
	// Paths of client certificates, in such a directory.
	ClientCerts []string `yaml:"client_certs,omitempty"`
	// Paths of private keys, in such a directory.
	PrivateKeys []string `yaml:"private_keys,omitempty"`
	// Passwords of private keys.
	PrivateKeyPasswds []string `yaml:"private_key_passwds,omitempty"`
	// Phases of EAP: phase1, phase2.
	Phases []string `yaml:"phases,omitempty"`
	// EAPOL flags.
	EAPOLFlags string `yaml:"eapol_flags,omitempty"`
	// Key management: WPA-PSK, WPA-EAP, SAE, NONE.
	KeyMgmt string `yaml:"key_mgmt,omitempty"`
	// EAP password.
	Password string `yaml:"password,omitempty"`
	// Address with its prefix length, instead of DHCP.
	Address string `yaml:"address,omitempty"`
	// Gateway, instead of DHCP's.
	Gateway string `yaml:"gateway,omitempty"`
}

// Firewall is rancher.network.firewall. Nothing is filtered when Policy is empty.
type Firewall struct {
	// What happens to what no rule allows: accept or drop.
	Policy string `yaml:"policy,omitempty"`
	// What is allowed.
	Allow []FirewallRule `yaml:"allow,omitempty"`
	// Whether published container ports are subject to it.
	PublishedPorts bool `yaml:"published_ports,omitempty"`
}

// FirewallRule is one entry of rancher.network.firewall.allow.
type FirewallRule struct {
	// tcp, udp, icmp or any; empty is tcp.
	Protocol string `yaml:"protocol,omitempty"`
	// Ports: numbers and ranges, 22 or 8000-8080.
	Ports Texts `yaml:"ports,omitempty"`
	// Source networks or addresses; empty is all.
	From Texts `yaml:"from,omitempty"`
	// Link that packets come in by: its name, or the beginning of names and "*" ("eth*"); empty is all.
	Interface string `yaml:"interface,omitempty"`
}
