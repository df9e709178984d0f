package engine

// Modules are the kernel modules that the manager loads before the engine
// starts: the engine may not load any (CAP_SYS_MODULE is left out). The order
// is that of need; one that is missing or built in is no error. Names are
// those of Linux 6.12.
func Modules() []string {
	return []string{
		"overlay",                              // snapshotter
		"bridge",                               // docker0
		"veth",                                 // every container on it
		"nf_conntrack", "nf_conntrack_netlink", // without the second dockerd tries modprobe twice
		"nf_tables", "nf_nat", "nft_chain_nat", "nft_nat", "nft_masq", "nft_ct", // its rules
		"nft_fib", "nft_fib_ipv4", "nft_fib_ipv6", // "fib daddr type local"
	}
}

// LateModules may be loaded once the machine is ready: dockerd's own start
// does not need them, containers and networks of some kinds do.
func LateModules() []string {
	return []string{
		"nft_reject", "nft_reject_ipv4", "nft_reject_ipv6", "nft_reject_inet", "nft_fib_inet",
		"nft_redir", "nft_limit", "nft_log",
		"nft_compat", "x_tables", "xt_tcpudp", "xt_conntrack", "xt_addrtype", "xt_mark", "xt_comment",
		"xt_multiport", "xt_nat", "xt_MASQUERADE", "xt_REDIRECT", "xt_set", "ip_set", // iptables-nft in containers, Kubernetes
		"br_netfilter",                        // userland_proxy: false, icc=false, Kubernetes
		"vxlan", "macvlan", "ipvlan", "dummy", // network drivers
		"tun", "fuse", // VPNs and user file systems in containers
		"ip_vs", "ip_vs_rr", // service load balancing
	}
}

// Sysctls must hold before dockerd starts: with the nftables backend it no
// longer switches forwarding on itself but refuses to start without it.
func Sysctls() map[string]string {
	return map[string]string{"net/ipv4/ip_forward": "1"}
}
