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
