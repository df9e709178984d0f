package engine

// Modules are the kernel modules that the manager loads before the engine
// starts, while there is CPU to spare. Everything else the kernel asks for
// itself when it is used, and PID 1's program loads it (init/modules). The order
// is that of need; one that is missing or built in is no error. Names are
// those of Linux 6.12.
func Modules() []string {
	return []string{
		"nf_tables",                            // the guard of IPv6 forwarding, which the engine waits for
		"overlay",                              // snapshotter
		"bridge",                               // docker0
		"veth",                                 // every container on it
		"nf_conntrack", "nf_conntrack_netlink", // without the second dockerd tries modprobe twice
		"nf_nat", "nft_chain_nat", "nft_nat", "nft_masq", "nft_ct", // its rules
		"nft_fib", "nft_fib_ipv4", "nft_fib_ipv6", // "fib daddr type local"
	}
}

// SwarmModules are what a swarm needs besides, loaded before the engine starts
// in one. The first has no name that the kernel would ask for, and dockerd
// makes no network for published ports without it. The others spare the first
// start of a service a dozen requests, each a start of PID 1's program: those
// for rules of iptables, for overlay networks and for the routing mesh. Those
// of encrypted networks (xfrm_user, esp4, xt_policy) the kernel asks for.
func SwarmModules() []string {
	return []string{
		"br_netfilter",
		"nft_compat", "xt_addrtype", "xt_conntrack", "xt_nat", "xt_tcpudp", "xt_mark", "xt_MASQUERADE", "xt_REDIRECT",
		"vxlan",
		"ip_vs", "ip_vs_rr", "xt_ipvs",
	}
}
